// Elements whose exact value is known without the truth of the others: those that err most are suspects.
import type { Check } from "../whole.ts";

/** How many of them. */
const MOST = 16;

/** `at` are flat indices of an output, all of whose exact values are `want`. */
export function checkKnown(data: ArrayLike<number>, at: readonly number[], want: number): Check {
  const errorOf = (x: number): number => Math.abs(x - want);
  const ranked = at.filter((i) => data[i] !== want).toSorted((i, k) => errorOf(data[k]) - errorOf(data[i]));
  const suspects = ranked.slice(0, MOST);
  const least = suspects.length < MOST ? 0 : errorOf(data[suspects.at(-1)!]);
  const known = new Set(at);
  return {
    suspects,
    alike: known,
    held: (change) => (n) => known.has(change.at[n]) && ranksBefore(change.after.map(errorOf), n, least),
  };
}

/** Whether a changed element ranks among the suspects, those that the same fault changes included. */
function ranksBefore(errors: readonly number[], n: number, least: number): boolean {
  return errors[n] > least && errors.filter((error) => error > errors[n]).length < MOST;
}
