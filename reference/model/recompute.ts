// Recomputation (Chen et al. 2016; Touvron et al. 2023, section 2.4): of a block's tensors the forward keeps those that a
// policy names, and the backward computes the others again when it reads them. They are computed by the forward's own ops
// on the same numbers, so every gradient has the same bits under every policy.
import type { LlamaConfig } from "../config.ts";
import * as add from "../ops/add.ts";
import * as attention from "../ops/attention.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as rope from "../ops/rope.ts";
import * as swiglu from "../ops/swiglu.ts";
import { kept, type Policy } from "./policies.ts";
import { type Floats, roundScalar, type Tensor } from "../tensor.ts";
import type { LayerWeights } from "../weights.ts";
import { type BlockActivations, heads, LAYOUT, type RopeTable, rows } from "./block.ts";
import { type Again, lazily, type Saved, saveOf } from "./lazily.ts";

/** What a policy keeps of a block: that which its backward reads and the policy lists, and the block's input. */
export function save<P extends Floats>(policy: Policy, a: BlockActivations<P>): Saved<Tensor<P>> {
  return saveOf<Tensor<P>>(kept(policy).saved, a);
}

/** A block's activations from what was kept: a tensor that was not is computed when it is first read. */
export function recompute<P extends Floats>(
  config: LlamaConfig,
  w: LayerWeights<P>,
  table: RopeTable<P>,
  saved: Saved<Tensor<P>>,
  again?: Again<Tensor<P>>,
): BlockActivations<P> {
  const { cos, sin } = table;
  const T = cos.shape[0];
  const eps = roundScalar(config.normEps, cos);
  return lazily<BlockActivations<P>, Tensor<P>>(
    saved,
    {
      attentionNorm: (a) => rmsnorm.forward(a.x, w.attentionNorm, eps),
      qProjection: (a) => heads(linear.forward(a.attentionNorm.y, w.wq).y, T, config.nHeads),
      kProjection: (a) => heads(linear.forward(a.attentionNorm.y, w.wk).y, T, config.nKvHeads),
      v: (a) => heads(linear.forward(a.attentionNorm.y, w.wv).y, T, config.nKvHeads),
      q: (a) => rope.forward(a.qProjection, cos, sin, LAYOUT).y,
      k: (a) => rope.forward(a.kProjection, cos, sin, LAYOUT).y,
      attention: (a) => attention.forward(a.q, a.k, a.v),
      attentionOutput: (a) => linear.forward(rows(a.attention.y), w.wo).y,
      attentionResidual: (a) => add.forward(a.x, a.attentionOutput).y,

      ffnNorm: (a) => rmsnorm.forward(a.attentionResidual, w.ffnNorm, eps),
      gate: (a) => linear.forward(a.ffnNorm.y, w.w1).y,
      up: (a) => linear.forward(a.ffnNorm.y, w.w3).y,
      swiglu: (a) => swiglu.forward(a.gate, a.up).y,
      ffnOutput: (a) => linear.forward(a.swiglu, w.w2).y,
      ffnResidual: (a) => add.forward(a.attentionResidual, a.ffnOutput).y,
    },
    again,
  );
}
