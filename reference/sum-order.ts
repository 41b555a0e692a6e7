// Declared orders of summation, and how many additions a term passes through in them.
//
// A term that passes through d additions carries d factors (1 + δ), |δ| ≤ u, so a sum errs by at most Σ |tᵢ| · γ(dᵢ) (Higham 2002,
// Accuracy and Stability of Numerical Algorithms, section 4.2, equations 4.2 to 4.4). With H = max dᵢ,
//
//   |error|  ≤  γ_H · Σ |t|,
//
// and H is n − 1 in any order, but in
//
//   blocked:K    (K − 1) + (⌈n / K⌉ − 1)           runs of K terms, each summed in turn; then their sums added in turn
//   pairwise:L   (L − 1) + ⌈log2 ⌈n / L⌉⌉          runs of up to L terms, each summed in turn; then a binary tree of their sums
//   depth:H      max(H, ⌈log2 n⌉)                  no binary tree of n leaves is lower
//
// From 100 terms on the sizes of the partial sums in blocked:K and pairwise:L give a narrower bound (tree-sum.ts).
//
// Which term is where does not matter, nor whether a run starts from zero, which is exact.
//
//   fused:K      ⌈n / K⌉ · (K + 2) / 2             K products and the sum so far at once, as a matrix unit adds them (targets.ts)
//
// There a target's u is twice what one alignment or truncation loses; K + 1 alignments and a truncation lose (K + 2) · u / 2 of the
// magnitudes of all K + 1 numbers, and a term passes through up to ⌈n / K⌉ of these.
import type { Target } from "./targets.ts";
import { depthOf, type SumTree } from "./sum-tree.ts";
import { counted } from "./words.ts";

/**
 * An order of summation that a kernel declares: runs of `terms` in turn and then their sums (blocked), a binary tree over runs of up to
 * `terms` (pairwise), no more than `additions` for any term (depth), `terms` products and the sum so far at once (fused), or exactly one tree.
 *
 * @example
 * ```ts
 * import { type SumOrder, type Target, targets } from "touchstone-llama";
 *
 * const order: SumOrder = { kind: "blocked", terms: 64 };
 * const declared: Target = { ...targets.ieee, sums: { y: order } };
 * ```
 */
export type SumOrder =
  | { readonly kind: "blocked" | "pairwise" | "fused"; readonly terms: number }
  | { readonly kind: "depth"; readonly additions: number }
  | { readonly kind: "tree"; readonly tree: SumTree };

/** How an order is written: "blocked:64". */
export function inWords(order: SumOrder): string {
  if (order.kind === "tree")
    return `a tree of ${counted(order.tree.terms, "term")} (any order where a sum has another number)`;
  if (order.kind === "depth") return `depth:${order.additions}`;
  return order.kind === "pairwise" && order.terms === 1 ? "pairwise" : `${order.kind}:${order.terms}`;
}

/**
 * The most additions that one of `count` terms passes through, in units of u. They are among n: the others are 0, and adding 0 rounds
 * nothing, so no term passes through more than count − 1 roundings; but the places are those of n terms.
 */
export function additionsIn(order: SumOrder | undefined, count: number, n = count): number {
  const any = Math.max(0, count - 1);
  if (order === undefined || count < 2) return any;
  switch (order.kind) {
    case "blocked":
      return Math.min(any, order.terms - 1 + Math.ceil(n / order.terms) - 1);
    case "pairwise":
      return Math.min(any, order.terms - 1 + levels(Math.ceil(n / order.terms)));
    case "depth":
      return Math.min(any, Math.max(order.additions, levels(n)));
    case "fused":
      return Math.min(any, (Math.ceil(n / order.terms) * (order.terms + 2)) / 2);
    case "tree":
      return order.tree.terms === n ? depthOf(order.tree) : any;
  }
}

/** ⌈log2 n⌉. */
export function levels(n: number): number {
  let [height, leaves] = [0, 1];
  for (; leaves < n; leaves *= 2) height++;
  return height;
}

/** Why a target's sums cannot have that order; undefined if they can. */
export function refusal(order: SumOrder, { name, fusedSums = false }: Target): string | undefined {
  if (order.kind === "tree" || (order.kind === "fused") === fusedSums) return undefined;
  return fusedSums
    ? `${name} adds several terms at once, expected fused:K or tree:FILE`
    : `${name} adds two numbers at a time, expected blocked:K, pairwise, depth:H or tree:FILE`;
}
