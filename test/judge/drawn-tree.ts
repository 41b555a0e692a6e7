// Trees of additions that a seed draws, and the sizes of their subtrees.
import { Subtrees } from "../../judge/orders/tree.ts";
import { bits } from "../../reference/random.ts";
import type { SumTree } from "../../reference/sum-tree.ts";

/** A tree that adds two to `most` numbers at a time, in an order that a seed draws. */
export function drawnTree(n: number, seed: number, most = 2): SumTree {
  const numbers = Array.from({ length: n }, (_, i) => i);
  const additions: number[][] = [];
  let drawn = 0;
  const pick = (below: number): number => bits(seed, 3, drawn++) % below;
  while (numbers.length > 1) {
    const m = Math.min(numbers.length, 2 + pick(most - 1));
    additions.push(Array.from({ length: m }, () => numbers.splice(pick(numbers.length), 1)[0]));
    numbers.push(n + additions.length - 1);
  }
  return { terms: n, additions };
}

/** ℓ of all pairs says which tree it is. */
export function sizesIn(tree: SumTree): number[] {
  const subtrees = new Subtrees(tree);
  return Array.from({ length: tree.terms ** 2 }, (_, k) => {
    const [i, j] = [Math.floor(k / tree.terms), k % tree.terms];
    return i === j ? 1 : subtrees.sizeOf(i, j);
  });
}
