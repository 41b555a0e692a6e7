// The bound of one tree of additions: no evaluation by that tree leaves it, and what is no tree is refused.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { INFLATION } from "../judge/compare.ts";
import { bits } from "../reference/random.ts";
import { checkTree, type SumTree } from "../reference/sum-tree.ts";
import { targets } from "../reference/targets.ts";
import { Float32Arithmetic, roundings } from "../zoo/arithmetic.ts";
import { boundOf, drawn, exactly, habits, kinds } from "./sum-terms.ts";

/** A tree that adds two numbers at a time, or `most`, which `pick` chooses. */
function treeOf(n: number, pick: (below: number) => number, most = 2): SumTree {
  const numbers = Array.from({ length: n }, (_, i) => i);
  const additions: number[][] = [];
  while (numbers.length > 1) {
    const m = Math.min(numbers.length, 2 + pick(most - 1));
    additions.push(Array.from({ length: m }, () => numbers.splice(pick(numbers.length), 1)[0]));
    numbers.push(n + additions.length - 1);
  }
  return { terms: n, additions };
}
const drawing = (seed: number) => {
  let drawnSoFar = 0;
  return (below: number): number => bits(seed, 7, drawnSoFar++) % below;
};
/** The sum by that tree; several numbers in turn. */
const evaluate = (f: Float32Arithmetic, { terms, additions }: SumTree, leaves: readonly number[]): number => {
  const values = [...leaves];
  for (const parts of additions) values.push(parts.map((i) => values[i]).reduce((a, b) => f.add(a, b)));
  return values[terms + additions.length - 1];
};

test("no evaluation leaves its bound, which is at most that of any order", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const n = 2 + ((seed * 7) % 150);
    const tree = treeOf(n, drawing(seed), 2 + (seed % 3));
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      const terms = drawn(kind, n, seed);
      for (const target of [targets.ieee, targets.wgsl]) {
        const allowed = boundOf(target, terms, { kind: "tree", tree }).total().error;
        for (const rounding of roundings) {
          const f = new Float32Arithmetic(target, habits({ rounding, flushes: target.flushes, seed: seed % 4 }));
          const leaves = terms.map(([a, b]) => f.multiply(a, b));
          expect(Math.abs(evaluate(f, tree, leaves) - exactly(terms)), `${kind} ${rounding}`).toBeLessThanOrEqual(
            allowed * INFLATION,
          );
        }
      }
    }
  }
});

test("it is that of Σ over the additions of u · Σ|t| · (1 + γ) at most, and less where terms cancel", () => {
  const n = 4096;
  const sequential: SumTree = {
    terms: n,
    additions: Array.from({ length: n - 1 }, (_, k) => (k === 0 ? [0, 1] : [n + k - 1, k + 1])),
  };
  const terms = drawn("normal", n, 1);
  const sum = boundOf(targets.ieee, terms, { kind: "tree", tree: sequential });
  const sizes = terms.map(([a, b]) => Math.abs(a * b));
  let [size, nodes] = [sizes[0], 0];
  for (const t of sizes.slice(1)) nodes += size += t;
  const { error } = sum.total();
  expect(error - sum.error).toBeLessThan(targets.ieee.u * nodes * (1 + 2 * n * targets.ieee.u));
  expect(error).toBeLessThan(boundOf(targets.ieee, terms).total().error / 10);
});

test("sums of another length have the bound of any order", () => {
  const tree = treeOf(128, drawing(1));
  const terms = drawn("normal", 200, 1);
  expect(boundOf(targets.ieee, terms, { kind: "tree", tree }).total()).toEqual(boundOf(targets.ieee, terms).total());
});

test.each<[unknown, RegExp]>([
  [null, /^terms: got nothing/],
  [{ terms: "4", additions: [] }, /^terms: got "4", expected a whole number from 1 to/],
  [{ terms: 0, additions: [] }, /^terms: got 0, expected a whole number from 1 to/],
  [{ terms: 3, additions: 5 }, /^additions: expected a list of at most 2 lists/],
  [
    {
      terms: 3,
      additions: [
        [0, 1],
        [3, 2],
        [0, 1],
      ],
    },
    /^additions: expected a list of at most 2 lists/,
  ],
  [{ terms: 3, additions: [[0, 1], [3]] }, /^additions\[1\]: expected a list of two numbers or more/],
  [
    {
      terms: 3,
      additions: [
        [0, 4],
        [3, 2],
      ],
    },
    /^additions\[0\]: got 4, expected a whole number from 0 to 2/,
  ],
  [
    {
      terms: 3,
      additions: [
        [0, 1],
        [3, 1],
      ],
    },
    /^additions\[1\]: 1 is added a second time, expected once/,
  ],
  [{ terms: 3, additions: [[0, 1]] }, /^additions: 2 is never added, expected once/],
  [{ terms: 2, additions: [] }, /^additions: 0 is never added, expected once/],
])("%j is refused", (tree, message) => {
  expect(() => checkTree(tree)).toThrow(message);
});

test("every tree of additions is taken", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2, max: 4 }), fc.nat(), (n, most, seed) => {
      checkTree(treeOf(n, drawing(seed), most));
    }),
  );
});
