// Where NaN and infinity in an input of attention show.
import type { Problem } from "./case.ts";

/**
 * A number that the last query sees, which sees all keys, and whose infinity is a score of +∞. Scores that are all −∞ are NaN by the formula, but a
 * kernel may take them for those of a query that sees no key, whose y is 0.
 */
export function shownScore(input: string, { inputs: { q, k } }: Problem): number | undefined {
  const [, T, NH, HS] = q.shape;
  const [, S, NKV] = k.shape;
  if (input === "v") return 0;
  const [query, key] = [(T - 1) * NH * HS, (S - 1) * NKV * HS];
  const factor = input === "q" ? k.data.slice(key, key + HS) : q.data.slice(query, query + HS);
  const at = factor.findIndex((x) => x > 0);
  return at === -1 ? undefined : (input === "q" ? query : key) + at;
}
