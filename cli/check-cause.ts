// The cause of a failure, under its lines: where, what, when, and what would help.
import type { Cause } from "../judge/cause/index.ts";

/** Lines such as "  where  y: 12 of 96 outside, at c = 7 (the last of 8)"; what was not found has none. */
export function causeLines({ replay, where, map, what, sizes, help }: Cause, failing: string): string[] {
  const shown = replay === failing ? [] : [`  shown at ${replay}`];
  return [
    ...shown,
    ...titled("where", where),
    ...map.map((row) => `         ${row}`),
    ...titled("what", what),
    ...titled("when", sizes),
    ...titled("hint", help),
  ];
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `  ${(i === 0 ? title : "").padEnd(5)}  ${line}`);
}
