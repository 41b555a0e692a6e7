export { counted } from "../reference/words.ts";

/** Where the files of a failing case are. */
export function keptLines(evidence: string | undefined): string[] {
  return evidence === undefined ? [] : [`  files kept in ${evidence}`];
}

/** What a verdict says nothing of: "lse not offered, and not judged". */
export function notOfferedIn(outputs: readonly string[]): string {
  return `${outputs.join(", ")} not offered, and not judged`;
}

/** A number to two places. */
export function number(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return "0";
  return x >= 0.001 && x < 1e5 ? String(Number(x.toPrecision(2))) : x.toExponential(1);
}
