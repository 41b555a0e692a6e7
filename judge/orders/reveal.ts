// Asks a candidate for sums of such terms until they have shown the tree of its additions.
import { bits } from "../../reference/random.ts";
import type { SumTree } from "../../reference/sum-tree.ts";
import { type Asked, Asker } from "./asker.ts";
import { NoTree, Subtrees, treeOf } from "./tree.ts";

/** A tree, and where it was found. */
export interface Found {
  readonly tree: SumTree;
  /** At how many places, and the index of the first one. */
  readonly places: number;
  readonly first: readonly number[];
}

export interface Revealed {
  /** From the one at most places on; empty where there is a finding or a reason. */
  readonly trees: readonly Found[];
  /** Places whose order is yet another. */
  readonly others: number;
  /** How many places there are. */
  readonly places: number;
  /** What no correct kernel does, a line each. */
  readonly findings: readonly string[];
  /** Why there is no tree. */
  readonly reason?: string;
  /** How many pairs were asked at once, at places of their own: all places are then taken for alike, but for the pairs that were asked again at each. */
  readonly atOnce?: number;
  readonly runs: number;
}

/** So many orders at different places are told apart. */
const MOST_TREES = 4;
/** Pairs of terms that are asked once more, of a tree that is found. */
const CHECKS = 32;
/** So often answers of no tree are asked for again, with another M or fewer units at a time. */
const MOST_REFUSED = 3;
/** Of longer sums several pairs are asked at once, where places can have terms of their own. */
const MANY_TERMS = 512;
/** Pairs that are then asked once more at every place. */
const MANY_CHECKS = 64;

/** Reveals the order. Throws what the candidate throws. */
export async function reveal(asked: Asked): Promise<Revealed> {
  const asker = new Asker(asked);
  let found: Outcome | undefined;
  let lost: readonly string[] = [];
  for (const manner of asker.manners()) {
    if (!(await asker.works(manner))) continue;
    const tried = (await alike(asker)) ?? (await treesOf(asker).catch(reasonOf));
    if (tried.reason !== undefined && (await asker.differs())) {
      found = { ...nothing, reason: "two runs on the same inputs differ, so their answers are those of no tree" };
      break;
    }
    found = tried.reason === undefined ? tried : (found ?? tried);
    if (tried.reason === undefined || ++asker.refused === MOST_REFUSED) break;
  }
  if (found === undefined) lost = await asker.lost();
  const { trees, others, reason, atOnce } = found ?? {
    ...nothing,
    ...(lost.length === 0 && { reason: asker.obstacle }),
  };
  return {
    trees,
    others,
    places: asker.places.length,
    findings: [...lost, ...asker.complaints],
    ...(reason !== undefined && { reason }),
    ...(atOnce !== undefined && { atOnce }),
    runs: asker.runs,
  };
}

type Outcome = Pick<Revealed, "trees" | "others" | "reason" | "atOnce">;

const nothing = { trees: [], others: 0 } as const;

/** Why answers are those of no tree. Throws any other error. */
function reasonOf(error: unknown): Outcome {
  if (error instanceof NoTree) return { ...nothing, reason: error.message };
  throw error;
}

/** The tree of a long sum, if all places have the same one: undefined where that is not so, or not asked. */
async function alike(asker: Asker): Promise<Outcome | undefined> {
  const { terms: n, places, lanes } = asker;
  if (n <= MANY_TERMS || lanes < 2) return undefined;
  try {
    const tree = await treeOf(n, (i, others) => asker.inLanes(i, others));
    const subtrees = new Subtrees(tree);
    for (let k = 0; k < MANY_CHECKS; k++) {
      const [i, j] = pairOf(k, n);
      const sums = await asker.between(i, j);
      if (!Array.from(sums).every((sum) => asker.sizeAt(sum, i, j) === subtrees.sizeOf(i, j))) return undefined;
    }
    return { trees: [{ tree, places: places.length, first: asker.indexOf(0) }], others: 0, atOnce: lanes };
  } catch (error) {
    if (error instanceof NoTree) return undefined;
    throw error;
  }
}

/** The k-th pair of terms that is asked once more. */
export function pairOf(k: number, n: number): [number, number] {
  const i = bits(2, 0, k) % n;
  return [i, (i + 1 + (bits(2, 1, k) % (n - 1))) % n];
}

/** The tree at each place. */
async function treesOf(asker: Asker): Promise<Outcome> {
  const { terms: n, places } = asker;
  const trees: Found[] = [];
  let left = places.map((_, k) => k);
  while (left.length > 0 && trees.length < MOST_TREES) {
    const [own, ...rest] = left;
    const others = new Set<number>();
    const ask = async (i: number, j: number): Promise<number> => {
      const sums = await asker.between(i, j);
      for (const k of rest) if (sums[k] !== sums[own]) others.add(k);
      return asker.sizeAt(sums[own], i, j);
    };
    const tree = await treeOf(n, async (i, list) => {
      const sizes: number[] = [];
      for (const j of list) sizes.push(await ask(i, j));
      return sizes;
    });
    const subtrees = new Subtrees(tree);
    for (let k = 0; k < (n > 2 ? CHECKS : 0); k++) {
      const [i, j] = pairOf(k, n);
      const size = await ask(i, j);
      if (size !== subtrees.sizeOf(i, j))
        throw new NoTree(
          `terms ${i} and ${j} meet in a partial sum of ${size}, in the tree of the other answers in one of ${subtrees.sizeOf(i, j)}`,
        );
    }
    trees.push({ tree, places: left.length - others.size, first: asker.indexOf(own) });
    left = [...others].toSorted((a, b) => a - b);
  }
  return { trees: trees.toSorted((a, b) => b.places - a.places), others: left.length };
}
