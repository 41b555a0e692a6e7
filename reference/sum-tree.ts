// One tree of summation, and how far its result may lie off.
//
// Numbers 0 … n − 1 are the terms, and number n + k is the sum of the numbers in additions[k], the last of all being the result. The
// computed sum of two numbers errs by what they err, and by u of itself (Higham 2002, section 3.3, running error analysis):
//
//   e(a + b)  =  e(a) + e(b) + u · (|a + b| + e(a) + e(b)).
//
// It never exceeds Σ over the additions of u · (Σ |t| of their leaves) · (1 + γ), and is less where terms cancel, since the tree says which
// ones do. An addition of m > 2 numbers is m − 1 additions in any order; a matrix unit loses u / 2 of Σ |numbers| at each of m alignments
// and at the truncation of their sum (targets.ts).
import { shown } from "./shown.ts";
import type { Target } from "./targets.ts";

/**
 * A tree of summation: 0 to `terms` − 1 are the terms, and `additions[k]` are the numbers whose sum is number `terms` + k.
 *
 * @example
 * ```ts
 * import type { SumTree } from "touchstone-llama";
 *
 * const pairwise: SumTree = { terms: 4, additions: [[0, 1], [2, 3], [4, 5]] };
 * ```
 */
export interface SumTree {
  readonly terms: number;
  readonly additions: readonly (readonly number[])[];
}

/** The most terms of a tree that is read from outside. */
export const MOST_LEAVES = 1 << 20;

/** Throws TypeError or RangeError unless each number is added exactly once, to one result. */
export function checkTree(tree: unknown): asserts tree is SumTree {
  const { terms, additions } = (tree ?? {}) as Partial<SumTree>;
  if (!Number.isSafeInteger(terms) || terms! < 1 || terms! > MOST_LEAVES)
    throw new RangeError(`terms: got ${shown(terms)}, expected a whole number from 1 to ${MOST_LEAVES}`);
  if (!Array.isArray(additions) || additions.length >= Math.max(2, terms!))
    throw new TypeError(`additions: expected a list of at most ${terms! - 1} lists of numbers`);
  const used = new Uint8Array(terms! + additions.length);
  for (const [k, parts] of additions.entries()) {
    const where = `additions[${k}]`;
    if (!Array.isArray(parts) || parts.length < 2)
      throw new TypeError(`${where}: expected a list of two numbers or more`);
    for (const i of parts) {
      if (!Number.isSafeInteger(i) || i < 0 || i >= terms! + k)
        throw new RangeError(`${where}: got ${shown(i)}, expected a whole number from 0 to ${terms! + k - 1}`);
      if (used[i]++ > 0) throw new RangeError(`${where}: ${i} is added a second time, expected once`);
    }
  }
  const left = used.indexOf(0);
  if (left !== used.length - 1) throw new RangeError(`additions: ${left} is never added, expected once`);
}

const depths = new WeakMap<SumTree, number>();

/** The most additions that a term passes through. */
export function depthOf(tree: SumTree): number {
  const known = depths.get(tree);
  if (known !== undefined) return known;
  const { terms, additions } = tree;
  const heights = new Uint32Array(terms + additions.length);
  for (const [k, parts] of additions.entries())
    for (const i of parts) heights[terms + k] = Math.max(heights[terms + k], heights[i] + parts.length - 1);
  const depth = heights[heights.length - 1];
  depths.set(tree, depth);
  return depth;
}

/** How far the computed sum may lie from Σ values; `values` and `errors` are those of the terms, in their order. */
export function errorIn(
  { terms, additions }: SumTree,
  values: readonly number[],
  errors: readonly number[],
  { u, fusedSums = false }: Target,
): number {
  const value = new Float64Array(terms + additions.length);
  const error = new Float64Array(value.length);
  value.set(values);
  error.set(errors);
  for (const [k, parts] of additions.entries()) {
    let [sum, inherited, size] = [0, 0, 0];
    for (const i of parts) {
      sum += value[i];
      inherited += error[i];
      size += Math.abs(value[i]) + error[i];
    }
    const m = parts.length;
    const own = fusedSums
      ? ((m + 1) / 2) * u * size
      : m === 2
        ? u * (Math.abs(sum) + inherited)
        : (((m - 1) * u) / (1 - (m - 1) * u)) * size;
    value[terms + k] = sum;
    error[terms + k] = inherited + own;
  }
  return error[error.length - 1];
}
