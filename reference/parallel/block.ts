// One block on one rank: the code of model/block.ts on this rank's heads, columns and rows.
//
//   a = x + Σ over ranks of wo · attention(rope(wq · n), rope(wk · n), wv · n),   n = rmsnorm(x)
//   y = a + Σ over ranks of w2 · swiglu(w1 · m, w3 · m),                          m = rmsnorm(a)
//
// n and m enter the products, the two sums leave them (regions.ts). Between the two every rank computes its own heads and
// columns of F; around them it holds x, n, a, m and y in full, or its T / tensor positions of each.
import type { LlamaConfig } from "../config.ts";
import type * as whole from "../model/block.ts";
import { heads, LAYOUT, rows } from "../model/block.ts";
import * as add from "../ops/add.ts";
import * as attention from "../ops/attention.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as rope from "../ops/rope.ts";
import * as swiglu from "../ops/swiglu.ts";
import { type Floats, roundScalar, type Tensor } from "../tensor.ts";
import type { LayerWeights } from "../weights.ts";
import type { RankProgram, Rank } from "./lockstep.ts";
import type { Restored } from "./recompute.ts";
import { enter, leave } from "./regions.ts";

/**
 * The activations that a rank computes in the forward. Rows are [R, …], or [R / tensor, …] with sequence parallelism; heads
 * are [B, T, NH / tensor, HS], columns [R, F / tensor]. The products' gathered inputs are not kept: they are gathered again.
 */
export type RankBlockActivations<P extends Floats = Floats> = whole.BlockActivations<P>;

/** The gradient at each activation, cut like it, and the gradients of the weights from this rank's rows. */
export interface RankBlockGradients<P extends Floats = Floats> extends Omit<whole.BlockGradients<P>, "terms"> {
  /** The terms that a rank has in full: those of the residuals. */
  readonly terms: Pick<whole.BlockGradients<P>["terms"], "attentionResidual" | "x">;
}

/** at: such as "layers.0"; x: this rank's rows → its activations; the block's result is ffnResidual, cut like x. */
export function* forward<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  at: string,
  w: LayerWeights<P>,
  table: whole.RopeTable<P>,
  x: Tensor<P>,
): RankProgram<RankBlockActivations<P>> {
  const { cos, sin } = table;
  const T = cos.shape[0];
  const NH = config.nHeads / rank.tensor.size;
  const NKV = config.nKvHeads / rank.tensor.size;
  const eps = roundScalar(config.normEps, x);

  const attentionNorm = rmsnorm.forward(x, w.attentionNorm, eps);
  const n = yield* enter(rank, `activations.${at}.attention_norm`, attentionNorm.y, T);
  const qProjection = heads(linear.forward(n, w.wq).y, T, NH);
  const kProjection = heads(linear.forward(n, w.wk).y, T, NKV);
  const v = heads(linear.forward(n, w.wv).y, T, NKV);
  const q = rope.forward(qProjection, cos, sin, LAYOUT).y;
  const k = rope.forward(kProjection, cos, sin, LAYOUT).y;
  const attended = attention.forward(q, k, v);
  const attentionTerm = linear.forward(rows(attended.y), w.wo).y;
  const attentionOutput = yield* leave(rank, `activations.${at}.attention_output`, attentionTerm, T);
  const attentionResidual = add.forward(x, attentionOutput).y;

  const ffnNorm = rmsnorm.forward(attentionResidual, w.ffnNorm, eps);
  const m = yield* enter(rank, `activations.${at}.ffn_norm`, ffnNorm.y, T);
  const gate = linear.forward(m, w.w1).y;
  const up = linear.forward(m, w.w3).y;
  const activated = swiglu.forward(gate, up).y;
  const ffnTerm = linear.forward(activated, w.w2).y;
  const ffnOutput = yield* leave(rank, `activations.${at}.ffn_output`, ffnTerm, T);
  const ffnResidual = add.forward(attentionResidual, ffnOutput).y;

  return {
    x,
    attentionNorm,
    qProjection,
    kProjection,
    q,
    k,
    v,
    attention: attended,
    attentionOutput,
    attentionResidual,
    ffnNorm,
    gate,
    up,
    swiglu: activated,
    ffnOutput,
    ffnResidual,
  };
}

/** dy: the gradient at this rank's rows of ffnResidual; a: saved or recomputed activations → gradients; x's is cut like dy. */
export function* backward<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  at: string,
  w: LayerWeights<P>,
  table: whole.RopeTable<P>,
  a: Restored<P>,
  dy: Tensor<P>,
): RankProgram<RankBlockGradients<P>> {
  const { cos, sin } = table;
  const T = cos.shape[0];
  const NH = config.nHeads / rank.tensor.size;
  const eps = roundScalar(config.normEps, dy);

  const dffnOutput = yield* enter(rank, `activationGradients.${at}.ffn_output`, dy, T);
  const w2 = linear.backward(dffnOutput, yield* a.read("swiglu"), w.w2);
  const { dgate, dup } = swiglu.backward(w2.dx, yield* a.read("gate"), yield* a.read("up"));
  const m = yield* a.entered("ffnNorm");
  const w1 = linear.backward(dgate, m, w.w1);
  const w3 = linear.backward(dup, m, w.w3);
  const ffnTerm = add.forward(w1.dx, w3.dx).y;
  const dffnNorm = yield* leave(rank, `activationGradients.${at}.ffn_norm`, ffnTerm, T);
  const attentionResidual = yield* a.read("attentionResidual");
  const ffnNorm = rmsnorm.backward(dffnNorm, attentionResidual, w.ffnNorm, yield* a.read("ffnNorm.rstd"), eps);
  const dattentionResidual = add.forward(dy, ffnNorm.dx).y;

  const dattentionOutput = yield* enter(rank, `activationGradients.${at}.attention_output`, dattentionResidual, T);
  const y = yield* a.read("attention.y");
  const wo = linear.backward(dattentionOutput, rows(y), w.wo);
  const dattention = heads(wo.dx, T, NH);
  const [q, k, v] = [yield* a.read("q"), yield* a.read("k"), yield* a.read("v")];
  const { dq, dk, dv } = attention.backward(dattention, q, k, v, y, yield* a.read("attention.lse"));
  const dqProjection = rope.backward(dq, cos, sin, LAYOUT).dx;
  const dkProjection = rope.backward(dk, cos, sin, LAYOUT).dx;
  const n = yield* a.entered("attentionNorm");
  const wq = linear.backward(rows(dqProjection), n, w.wq);
  const wk = linear.backward(rows(dkProjection), n, w.wk);
  const wv = linear.backward(rows(dv), n, w.wv);
  const attentionTerm = add.forward(add.forward(wq.dx, wk.dx).y, wv.dx).y;
  const dattentionNorm = yield* leave(rank, `activationGradients.${at}.attention_norm`, attentionTerm, T);
  const [x, rstd] = [yield* a.read("x"), yield* a.read("attentionNorm.rstd")];
  const attentionNorm = rmsnorm.backward(dattentionNorm, x, w.attentionNorm, rstd, eps);
  const dx = add.forward(dattentionResidual, attentionNorm.dx).y;

  return {
    x: dx,
    attentionNorm: dattentionNorm,
    qProjection: dqProjection,
    kProjection: dkProjection,
    q: dq,
    k: dk,
    v: dv,
    attention: dattention,
    attentionOutput: dattentionResidual,
    attentionResidual: dattentionResidual,
    ffnNorm: dffnNorm,
    gate: dgate,
    up: dup,
    swiglu: w2.dx,
    ffnOutput: dy,
    ffnResidual: dy,
    terms: {
      attentionResidual: { ffnNorm: ffnNorm.dx },
      x: { attentionNorm: attentionNorm.dx },
    },
    weights: {
      attentionNorm: attentionNorm.dw,
      wq: wq.dw,
      wk: wk.dw,
      wv: wv.dw,
      wo: wo.dw,
      ffnNorm: ffnNorm.dw,
      w1: w1.dw,
      w2: w2.dw,
      w3: w3.dw,
    },
  };
}
