// The tree of additions that the sizes of its subtrees tell.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NoTree, type SizesOf, Subtrees, treeOf } from "../../judge/orders/tree.ts";
import { checkTree, type SumTree } from "../../reference/sum-tree.ts";
import { drawnTree, sizesIn } from "./drawn-tree.ts";

/** ℓ of one pair after another. */
const each =
  (sizeOf: (i: number, j: number) => number): SizesOf =>
  (i, others) =>
    Promise.resolve(others.map((j) => sizeOf(i, j)));

describe("a tree from the sizes of its subtrees", () => {
  test("is that tree, with nodes of several numbers too", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 2, max: 5 }),
        fc.nat(),
        async (n, most, seed) => {
          const tree = drawnTree(n, seed, most);
          const subtrees = new Subtrees(tree);
          const found = await treeOf(
            n,
            each((i, j) => subtrees.sizeOf(i, j)),
          );
          checkTree(found);
          expect(sizesIn(found)).toEqual(sizesIn(tree));
          expect(found.additions).toHaveLength(tree.additions.length);
        },
      ),
    );
  });

  test("takes few questions: n − 1 where terms come in turn, and about n · log2 n for halves", async () => {
    const n = 1024;
    const asked = async (tree: SumTree): Promise<number> => {
      const subtrees = new Subtrees(tree);
      let questions = 0;
      await treeOf(
        n,
        each((i, j) => (questions++, subtrees.sizeOf(i, j))),
      );
      return questions;
    };
    const inTurn: SumTree = {
      terms: n,
      additions: Array.from({ length: n - 1 }, (_, k) => (k === 0 ? [0, 1] : [n + k - 1, k + 1])),
    };
    const lastFirst: SumTree = {
      terms: n,
      additions: inTurn.additions.map((parts) => parts.map((i) => (i < n ? n - 1 - i : i))),
    };
    const halves: SumTree = { terms: n, additions: Array.from({ length: n - 1 }, (_, k) => [2 * k, 2 * k + 1]) };
    expect(await asked(inTurn)).toBe(n - 1);
    expect(await asked(lastFirst)).toBeLessThan(8 * n); // not n² / 2
    expect(await asked(halves)).toBeLessThanOrEqual(n * Math.log2(n));
  });

  test("answers of no tree are refused", async () => {
    await expect(
      treeOf(
        4,
        each(() => 2),
      ),
    ).rejects.toThrow(NoTree);
    await expect(
      treeOf(
        4,
        each(() => 3),
      ),
    ).rejects.toThrow(/term 0 meets 3 other terms in a partial sum of 3, where a tree has 4/);
    const odd = (i: number, j: number): number => (Math.min(i, j) === 0 ? 4 : 5);
    await expect(treeOf(4, each(odd))).rejects.toThrow(/meet in a partial sum of 5, where a tree has at most 4/);
  });
});
