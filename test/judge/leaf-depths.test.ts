// How far the depths of a tree's leaves spread, of which the limit for truncated sums makes use (judge/improbable/outliers.ts).
import { expect, test } from "vitest";

const spreads = new Map<number, ReadonlyMap<number, number>>();

/** The largest Σd² of the depths of n leaves, of all binary trees, by Σd. */
function spreadOf(n: number): ReadonlyMap<number, number> {
  const known = spreads.get(n);
  if (known !== undefined) return known;
  const most = new Map<number, number>(n === 1 ? [[0, 0]] : []);
  for (let a = 1; 2 * a <= n; a++) {
    for (const [left, ofLeft] of spreadOf(a)) {
      for (const [right, ofRight] of spreadOf(n - a)) {
        // Each leaf lies one deeper than in its part: Σ(d + 1)² = Σd² + 2Σd + n.
        const total = left + right + n;
        most.set(total, Math.max(most.get(total) ?? 0, ofLeft + ofRight + 2 * (left + right) + n));
      }
    }
  }
  spreads.set(n, most);
  return most;
}

test("the depths of n leaves have a square sum about their mean of n³ ÷ 12 at most, and a mean of half of n and a half", () => {
  for (let n = 1; n <= 40; n++) {
    const most = spreadOf(n);
    expect(most.size).toBeGreaterThan(0);
    for (const [total, squares] of most) {
      expect(squares - (total * total) / n).toBeLessThanOrEqual((n * n * n) / 12);
      expect(total / n).toBeLessThanOrEqual((n + 1) / 2);
    }
  }
});
