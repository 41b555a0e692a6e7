// Floating-point operations of the products of an op, a multiplication and an addition counting as two.
import { blockWeights, type OpRow } from "./block-table.ts";
import { count, type ModelSizes } from "./sizes.ts";

/** The operations of a block's op in the forward. */
export function forwardFlops({ op, weight }: OpRow, sizes: ModelSizes): number {
  if (op === "linear") return linearFlops(count(blockWeights[weight!], sizes), sizes.B * sizes.T);
  return op === "attention" ? 2 * attentionProduct(sizes) : 0;
}

/** The operations of the attention's backward: dv, dp, dq, dk, and the scores again. */
export function attentionBackwardFlops(sizes: ModelSizes): number {
  return 5 * attentionProduct(sizes);
}

/** The operations of a product of a matrix with this many weights and this many rows. */
export function linearFlops(weights: number, rows: number): number {
  return 2 * weights * rows;
}

/** One product over all visible pairs: 2 · HS · T (T + 1) / 2 for each sequence and head. */
export function attentionProduct({ B, T, NH, HS }: ModelSizes): number {
  return B * NH * HS * T * (T + 1);
}
