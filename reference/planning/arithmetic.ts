// Floating-point operations a token, a multiplication and an addition counting as two, and only those of matrix products:
//
//   linear     forward 2 · its weights; backward twice that, for the input and for the weight
//   attention  forward 2 products, backward 4, each 2 · HS for every visible pair of query and key and every head;
//              causal: query t sees t + 1 keys, so a sequence has T (T + 1) / 2 pairs
//
// The gradient of a memory-efficient attention computes the scores once more, whatever the policy (Dao et al. 2022): that
// product counts as computed again. Norms, RoPE, SwiGLU and sums are below a thousandth of the products at the paper's sizes.
import type { LlamaConfig } from "../config.ts";
import { blockWeights } from "../model/block-table.ts";
import { attentionProduct, forwardFlops, linearFlops } from "../model/flops.ts";
import { kept, type Policy } from "../model/policies.ts";
import { count, sizesOf } from "../model/sizes.ts";

export interface TokenArithmetic {
  readonly forward: { readonly linear: number; readonly attention: number };
  readonly backward: { readonly linear: number; readonly attention: number };
  /** Forward and backward: the operations that the model needs, the numerator of MFU. */
  readonly model: number;
  /** Operations that are repeated, by the policy and in the attention's backward. */
  readonly again: number;
  /** All that is computed, the numerator of HFU. */
  readonly hardware: number;
}

/** The mean over a sequence of T tokens. */
export function tokenArithmetic(config: LlamaConfig, T: number, policy: Policy): TokenArithmetic {
  const sizes = sizesOf(config, 1, T);
  const L = config.nLayers;
  const head = linearFlops(count(["V", "C"], sizes), 1);
  let linear = head;
  for (const shape of Object.values(blockWeights))
    if (shape.length > 1) linear += L * linearFlops(count(shape, sizes), 1);
  const attention = (L * 2 * attentionProduct(sizes)) / T;
  const again = kept(policy).recomputed.reduce((flops, op) => flops + L * forwardFlops(op, sizes), 0) / T;
  const scores = (L * attentionProduct(sizes)) / T;
  const model = 3 * (linear + attention);
  return {
    forward: { linear, attention },
    backward: { linear: 2 * linear, attention: 2 * attention },
    model,
    again: again + scores,
    hardware: model + again + scores,
  };
}
