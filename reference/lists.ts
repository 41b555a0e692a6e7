// What a spread into a call would say shorter: an engine keeps a call's arguments on its stack, so a list that comes from
// data, such as a row of 128,256 logits, overflows it.

/** The largest of some numbers: −∞ of none, NaN if any is NaN, as Math.max has it. */
export function largest(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  return most;
}

/** The smallest of some numbers: ∞ of none, NaN if any is NaN, as Math.min has it. */
export function smallest(values: Iterable<number>): number {
  let least = Infinity;
  for (const value of values) least = Math.min(least, value);
  return least;
}

/** Puts each of `more` at the end of a list. */
export function append<T>(list: T[], more: Iterable<T>): void {
  for (const one of more) list.push(one);
}
