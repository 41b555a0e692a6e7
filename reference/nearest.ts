// The name that somebody meant who typed another.

/** The known name that takes the fewest changes, if these are one or fewer than half of its letters: "nearest: linear, ", or nothing. */
export function nearestTo(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((one) => ({ one, changes: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, changes }) => changes < Math.max(2, one.length / 2, name.length / 2))
    .toSorted((a, b) => a.changes - b.changes);
  return nearest === undefined ? "" : `nearest: ${nearest.one}, `;
}

/** The number of letters to insert, remove or replace (Levenshtein 1966). */
function distance(s: string, t: string): number {
  if (Math.max(s.length, t.length) > LONGEST) return Infinity;
  let row = Array.from({ length: t.length + 1 }, (_, j) => j);
  for (let i = 1; i <= s.length; i++) {
    const next = [i];
    for (let j = 1; j <= t.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (s[i - 1] === t[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[t.length];
}

/** No name is longer. */
const LONGEST = 64;
