export { counted } from "../reference/words.ts";

/** Where the files of a failing case are. */
export function keptLines(evidence: string | undefined): string[] {
  return evidence === undefined ? [] : [`  files kept in ${evidence}`];
}

/** A number to two places. */
export function number(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return "0";
  return x >= 0.001 && x < 1e5 ? String(Number(x.toPrecision(2))) : x.toExponential(1);
}
