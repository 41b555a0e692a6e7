// M_2 + … + M_n against trees of additions: none passes through larger numbers, and some pass through as large ones.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { normal } from "../reference/random.ts";
import { Arithmetic, gamma } from "../reference/rounding.ts";
import { targets } from "../reference/targets.ts";
import { nodesOf, nodesOfRuns } from "../reference/tree-sum.ts";

const term = fc.double({ min: -1e3, max: 1e3, noNaN: true });
const terms = fc.array(term, { minLength: 2, maxLength: 40 });

/** Σ of the magnitudes of all results of additions, two partial sums that `pick` chooses being added at a time. */
function nodesOfTree(leaves: readonly number[], pick: (below: number) => number): number {
  const parts = [...leaves];
  let total = 0;
  while (parts.length > 1) {
    const [a] = parts.splice(pick(parts.length), 1);
    const [b] = parts.splice(pick(parts.length), 1);
    parts.push(a + b);
    total += Math.abs(a + b);
  }
  return total;
}

/** What float64 loses in the additions of 40 terms, of their sums, and of those. */
const slack = 1 + gamma(3 * 40, 2 ** -53);

test("no tree of additions has larger nodes", () => {
  fc.assert(
    fc.property(terms, fc.infiniteStream(fc.nat()), (leaves, stream) => {
      const pick = (below: number): number => Number(stream.next().value) % below;
      expect(nodesOfTree(leaves, pick)).toBeLessThanOrEqual(nodesOf(leaves, leaves.length) * slack);
    }),
  );
});

test("one after another from the largest on, as long as all have one sign, reaches it", () => {
  const leaves = Array.from({ length: 30 }, (_, i) => 2 ** (20 - i));
  let [sum, nodes] = [leaves[0], 0];
  for (const leaf of leaves.slice(1)) nodes += sum += leaf;
  expect(nodesOf(leaves, leaves.length)).toBe(nodes);
  expect(nodesOf(leaves.toReversed(), leaves.length)).toBe(nodesOf(leaves, leaves.length));
});

test("it is never more than n − 1 times the sum of magnitudes, and half of that for equal terms", () => {
  fc.assert(
    fc.property(terms, (leaves) => {
      const magnitude = leaves.reduce((sum, x) => sum + Math.abs(x), 0);
      expect(nodesOf(leaves, leaves.length)).toBeLessThanOrEqual((leaves.length - 1) * magnitude * slack);
    }),
  );
  const n = 1000;
  expect(nodesOf(Array<number>(n).fill(3), n)).toBe(3 * ((n * (n + 1)) / 2 - 1));
});

test("a term of either sign counts on both sides, and what nothing is known of still has an order of additions", () => {
  expect(nodesOf([2, -1, 5], 2)).toBe(7); // 2 ± 3 and 5: at most 5 + 2
  expect(nodesOf([0, 0, 0], 3)).toBe(0);
  expect(nodesOf([-1, -2, -4], 3)).toBe(6 + 7);
});

test("4,096 products of normal numbers: less than half of γ Σ|t|", () => {
  const n = 4096;
  const sum = new Arithmetic(targets.ieee).sum();
  for (let i = 0; i < n; i++) sum.addProduct(normal(1, 1, i), normal(1, 2, i));
  const additions = sum.total().error - sum.error;
  expect(additions).toBeLessThan((gamma(n - 1, targets.ieee.u) * sum.magnitude) / 2);
});

test("terms of a like size are taken together: at most a quarter more than with each at its own size", () => {
  fc.assert(
    fc.property(terms, (leaves) => {
      const sorted = (sign: number): number[] =>
        leaves
          .map((x) => sign * x)
          .filter((x) => x > 0)
          .toSorted((a, b) => b - a);
      const [above, below] = [sorted(1), sorted(-1)];
      let [positive, negative, exact] = [above[0] ?? 0, below[0] ?? 0, 0];
      for (let k = 1; k < leaves.length; k++) {
        positive += above[k] ?? 0;
        negative += below[k] ?? 0;
        exact += Math.max(positive, negative);
      }
      const found = nodesOf(leaves, leaves.length);
      expect(found * slack).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThanOrEqual(1.25 * exact * slack); // four sizes to an octave, evenly spaced
    }),
  );
});

test("a sum of many terms is bounded by it, except where a target adds several terms at once", () => {
  const n = 4096;
  const bound = (target: (typeof targets)[keyof typeof targets], extra = 0, length?: number): number => {
    const sum = new Arithmetic(target).sum(length);
    for (let i = 0; i < n; i++) sum.add(i % 2 === 0 ? 1 : -1);
    return sum.total(extra).error;
  };
  const { ieee } = targets;
  const half = n / 2; // M_k is k up to half of them, and then half of them
  const nodes = (half * (half + 1)) / 2 - 1 + half * half;
  expect(bound(ieee)).toBe(ieee.u * (1 + gamma(n - 1, ieee.u)) * nodes);
  expect(bound(targets["matrix-units"])).toBe(gamma(n - 1, targets["matrix-units"].u) * n);
  expect(bound(ieee, 1)).toBe(gamma(n, ieee.u) * n);
  // Terms that are not kept have the bound by their number, also where there are more of them than were announced.
  expect(bound(ieee, 0, 0)).toBe(gamma(n - 1, ieee.u) * n);
  expect(bound(ieee, 0, n)).toBe(bound(ieee));
});

test("no sum of runs has larger nodes, whichever terms are in which run, and of however few of the places they are", () => {
  const lengths = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(
      terms,
      lengths,
      fc.integer({ min: 0, max: 60 }),
      fc.infiniteStream(fc.nat()),
      (leaves, K, zeros, stream) => {
        const draw = (below: number): number => Number(stream.next().value) % below;
        const runs = Math.ceil((leaves.length + zeros) / K);
        const list = Array.from({ length: runs }, (): number[] => []);
        for (const t of leaves) {
          const open = list.filter((run) => run.length < K);
          open[draw(open.length)].push(t);
        }
        const filled = list.filter((run) => run.length > 0);
        const within = filled.reduce((sum, run) => sum + nodesOfTree(run, draw), 0);
        expect(within).toBeLessThanOrEqual(nodesOfRuns(leaves, K, runs) * slack);
        const whole = Math.min(runs, leaves.length) - Math.ceil(leaves.length / K) + 1;
        const sums = filled.map((run) => run.reduce((a, b) => a + b));
        const above = K >= leaves.length ? Infinity : nodesOf(leaves, leaves.length, K, whole);
        if (above < Infinity) expect(nodesOfTree(sums, draw)).toBeLessThanOrEqual(above * slack);
      },
    ),
  );
});

test("runs of one sign, the largest terms first, reach it", () => {
  const [K, runs] = [4, 3];
  const leaves = Array.from({ length: K * runs }, (_, i) => 2 ** (20 - Math.floor(i / runs)));
  const parts = Array.from({ length: runs }, (_, r) => leaves.filter((__, i) => i % runs === r));
  let within = 0;
  for (const part of parts) for (let k = 2; k <= K; k++) within += part.slice(0, k).reduce((a, b) => a + b);
  expect(nodesOfRuns(leaves, K, runs)).toBe(within);
  const all = leaves.reduce((a, b) => a + b);
  expect(nodesOf(Array<number>(12).fill(1), 12, K)).toBe(8 + 12);
  expect(nodesOf(leaves, 12, K, 3)).toBe(nodesOf(leaves, 12, K) + 2 * all);
});
