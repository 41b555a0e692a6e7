// A tree of additions from the sizes of its subtrees.
//
// Let ℓ(i, j) be the number of leaves of the smallest subtree that contains i and j. For one leaf i, the different values of ℓ(i, ·) are the subtrees on the
// way from i to the root, and the leaves of one value are those that such a subtree has more than the one before: one further part, or several where a node adds
// more than two numbers. In a part of its own all ℓ are smaller. So parts are trees of their own, found in the same way.
import { bits } from "../../reference/random.ts";
import type { SumTree } from "../../reference/sum-tree.ts";
import { counted } from "../../reference/words.ts";

/** The answers are those of no tree; the message says why, in one line. */
export class NoTree extends Error {
  override readonly name = "NoTree";
}

/** ℓ(i, j) for each of several j. */
export type SizesOf = (i: number, others: readonly number[]) => Promise<readonly number[]>;

/** The tree of n leaves. Throws NoTree. */
export async function treeOf(n: number, sizesOf: SizesOf): Promise<SumTree> {
  const builder = new Builder(n, sizesOf);
  const others = Array.from({ length: n - 1 }, (_, k) => k + 1);
  const root = await builder.around(0, others, await sizesOf(0, others));
  if (root !== n + builder.additions.length - 1 && n > 1) throw new NoTree("the sum does not end at the root");
  return { terms: n, additions: builder.additions };
}

class Builder {
  readonly additions: number[][] = [];
  private readonly n: number;
  private readonly sizesOf: SizesOf;
  private drawn = 0;

  constructor(n: number, sizesOf: SizesOf) {
    this.n = n;
    this.sizesOf = sizesOf;
  }

  /** The number of the subtree of i and the others, whose ℓ(i, ·) are given. */
  async around(i: number, others: readonly number[], sizes: readonly number[]): Promise<number> {
    const bySize = new Map<number, number[]>();
    for (const [k, j] of others.entries()) {
      const group = bySize.get(sizes[k]);
      if (group === undefined) bySize.set(sizes[k], [j]);
      else group.push(j);
    }
    let [number, leaves] = [i, 1];
    for (const [size, group] of [...bySize].toSorted(([a], [b]) => a - b)) {
      leaves += group.length;
      if (leaves !== size) {
        throw new NoTree(
          `term ${i} meets ${counted(group.length, "other term")} in a partial sum of ${size}, where a tree has ${leaves}`,
        );
      }
      this.additions.push([number, ...(await this.parts(group, size))]);
      number = this.n + this.additions.length - 1;
    }
    return number;
  }

  /** The parts of a group that meet in a partial sum of that size: mostly one. */
  private async parts(group: readonly number[], size: number): Promise<number[]> {
    const parts: number[] = [];
    for (let rest = group; rest.length > 0;) {
      const i = rest[bits(1, 1, this.drawn++) % rest.length]; // a fixed one would take n² questions where the last term comes first
      const others = rest.filter((j) => j !== i);
      const sizes = await this.sizesOf(i, others);
      const inside = others.flatMap((_, k) => (sizes[k] < size ? [k] : []));
      const wrong = others.findIndex((_, k) => sizes[k] > size);
      if (wrong >= 0)
        throw new NoTree(
          `terms ${i} and ${others[wrong]} meet in a partial sum of ${sizes[wrong]}, where a tree has at most ${size}`,
        );
      parts.push(
        await this.around(
          i,
          inside.map((k) => others[k]),
          inside.map((k) => sizes[k]),
        ),
      );
      rest = others.filter((_, k) => sizes[k] === size);
    }
    return parts;
  }
}

/** ℓ in a tree. */
export class Subtrees {
  private readonly parent: Int32Array;
  private readonly leaves: Uint32Array;

  constructor({ terms, additions }: SumTree) {
    const count = terms + additions.length;
    this.parent = new Int32Array(count).fill(-1);
    this.leaves = new Uint32Array(count).fill(1, 0, terms);
    for (const [k, parts] of additions.entries()) {
      for (const i of parts) {
        this.parent[i] = terms + k;
        this.leaves[terms + k] += this.leaves[i];
      }
    }
  }

  /** How many other leaves the side of j has where i and j meet. */
  sideOf(i: number, j: number): number {
    const path = new Set<number>();
    for (let at = i; at >= 0; at = this.parent[at]) path.add(at);
    let side = j;
    while (!path.has(this.parent[side])) side = this.parent[side];
    return this.leaves[side] - 1;
  }

  /** A number is above all that it is a sum of. */
  sizeOf(i: number, j: number): number {
    let [a, b] = [i, j];
    while (a !== b) {
      if (a < b) a = this.parent[a];
      else b = this.parent[b];
    }
    return this.leaves[a];
  }
}
