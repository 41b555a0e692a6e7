// One block of a LLaMA (Touvron et al. 2023, section 2.2): attention, then SwiGLU, each after an RMSNorm, each added to x.
//
//   a = x + wo · attention(rope(wq · n), rope(wk · n), wv · n),   n = rmsnorm(x)
//   y = a + w2 · swiglu(w1 · m, w3 · m),                          m = rmsnorm(a)
//
// Backward, read upwards: where the forward uses a tensor twice, the gradients of its uses are added.
import type { LlamaConfig } from "../config.ts";
import * as add from "../ops/add.ts";
import * as attention from "../ops/attention.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as rope from "../ops/rope.ts";
import * as swiglu from "../ops/swiglu.ts";
import { type Floats, roundScalar, type Tensor, view } from "../tensor.ts";
import type { LayerWeights } from "../weights.ts";

/** The cosines and sines of the positions 0 … T−1: [T, HS/2]. */
export interface RopeTable<P extends Floats = Floats> {
  readonly cos: Tensor<P>;
  readonly sin: Tensor<P>;
}

/** Pairs of a head are adjacent elements, as in Meta's checkpoints. */
export const LAYOUT: rope.PairLayout = "adjacent";

/** Everything that the forward computes; rows are [R, …] with R = B·T, heads [B, T, NH, HS]. */
export interface BlockActivations<P extends Floats = Floats> {
  readonly x: Tensor<P>;
  readonly attentionNorm: { readonly y: Tensor<P>; readonly rstd: Tensor<P> };
  readonly qProjection: Tensor<P>;
  readonly kProjection: Tensor<P>;
  readonly q: Tensor<P>;
  readonly k: Tensor<P>;
  readonly v: Tensor<P>;
  readonly attention: { readonly y: Tensor<P>; readonly lse: Tensor<P> };
  readonly attentionOutput: Tensor<P>;
  readonly attentionResidual: Tensor<P>;
  readonly ffnNorm: { readonly y: Tensor<P>; readonly rstd: Tensor<P> };
  readonly gate: Tensor<P>;
  readonly up: Tensor<P>;
  readonly swiglu: Tensor<P>;
  readonly ffnOutput: Tensor<P>;
  readonly ffnResidual: Tensor<P>;
}

/** The gradient at each activation, the terms of those that are sums, and the gradients of the weights. */
export interface BlockGradients<P extends Floats = Floats> {
  readonly x: Tensor<P>;
  readonly attentionNorm: Tensor<P>;
  readonly qProjection: Tensor<P>;
  readonly kProjection: Tensor<P>;
  readonly q: Tensor<P>;
  readonly k: Tensor<P>;
  readonly v: Tensor<P>;
  readonly attention: Tensor<P>;
  readonly attentionOutput: Tensor<P>;
  readonly attentionResidual: Tensor<P>;
  readonly ffnNorm: Tensor<P>;
  readonly gate: Tensor<P>;
  readonly up: Tensor<P>;
  readonly swiglu: Tensor<P>;
  readonly ffnOutput: Tensor<P>;
  readonly ffnResidual: Tensor<P>;
  readonly terms: {
    /** ffnNorm = gate + up. */
    readonly ffnNorm: { readonly gate: Tensor<P>; readonly up: Tensor<P> };
    /** attentionResidual = ffnResidual + ffnNorm. */
    readonly attentionResidual: { readonly ffnNorm: Tensor<P> };
    /** attentionNorm = qk + v, qk = q + k. */
    readonly attentionNorm: {
      readonly q: Tensor<P>;
      readonly k: Tensor<P>;
      readonly qk: Tensor<P>;
      readonly v: Tensor<P>;
    };
    /** x = attentionResidual + attentionNorm. */
    readonly x: { readonly attentionNorm: Tensor<P> };
  };
  readonly weights: LayerWeights<P>;
}

/** Keys after RoPE, and values, [B, S, NKV, HS]. */
export interface KeysAndValues<P extends Floats = Floats> {
  readonly k: Tensor<P>;
  readonly v: Tensor<P>;
}

/**
 * x: [R, C], the tables' T dividing R → every activation; the block's result is ffnResidual: [R, C]. `append` puts the new
 * keys and values after earlier ones, where there are any.
 */
export function forward<P extends Floats>(
  config: LlamaConfig,
  w: LayerWeights<P>,
  table: RopeTable<P>,
  x: Tensor<P>,
  append: (fresh: KeysAndValues<P>) => KeysAndValues<P> = (fresh) => fresh,
): BlockActivations<P> {
  const { cos, sin } = table;
  const T = cos.shape[0];
  const eps = roundScalar(config.normEps, x);

  const attentionNorm = rmsnorm.forward(x, w.attentionNorm, eps);
  const qProjection = heads(linear.forward(attentionNorm.y, w.wq).y, T, config.nHeads);
  const kProjection = heads(linear.forward(attentionNorm.y, w.wk).y, T, config.nKvHeads);
  const v = heads(linear.forward(attentionNorm.y, w.wv).y, T, config.nKvHeads);
  const q = rope.forward(qProjection, cos, sin, LAYOUT).y;
  const k = rope.forward(kProjection, cos, sin, LAYOUT).y;
  const seen = append({ k, v });
  const attended = attention.forward(q, seen.k, seen.v);
  const attentionOutput = linear.forward(rows(attended.y), w.wo).y;
  const attentionResidual = add.forward(x, attentionOutput).y;

  const ffnNorm = rmsnorm.forward(attentionResidual, w.ffnNorm, eps);
  const gate = linear.forward(ffnNorm.y, w.w1).y;
  const up = linear.forward(ffnNorm.y, w.w3).y;
  const activated = swiglu.forward(gate, up).y;
  const ffnOutput = linear.forward(activated, w.w2).y;
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

/** dy: [R, C], the gradient at ffnResidual; a: the forward's result → the gradients, of which x is [R, C]. */
export function backward<P extends Floats>(
  config: LlamaConfig,
  w: LayerWeights<P>,
  table: RopeTable<P>,
  a: BlockActivations<P>,
  dy: Tensor<P>,
): BlockGradients<P> {
  const { cos, sin } = table;
  const eps = roundScalar(config.normEps, dy);
  const T = cos.shape[0];

  const w2 = linear.backward(dy, a.swiglu, w.w2);
  const { dgate, dup } = swiglu.backward(w2.dx, a.gate, a.up);
  const w1 = linear.backward(dgate, a.ffnNorm.y, w.w1);
  const w3 = linear.backward(dup, a.ffnNorm.y, w.w3);
  const dffnNorm = add.forward(w1.dx, w3.dx).y;
  const ffnNorm = rmsnorm.backward(dffnNorm, a.attentionResidual, w.ffnNorm, a.ffnNorm.rstd, eps);
  const dattentionResidual = add.forward(dy, ffnNorm.dx).y;

  const wo = linear.backward(dattentionResidual, rows(a.attention.y), w.wo);
  const dattention = heads(wo.dx, T, config.nHeads);
  const { dq, dk, dv } = attention.backward(dattention, a.q, a.k, a.v, a.attention.y, a.attention.lse);
  const dqProjection = rope.backward(dq, cos, sin, LAYOUT).dx;
  const dkProjection = rope.backward(dk, cos, sin, LAYOUT).dx;
  const wq = linear.backward(rows(dqProjection), a.attentionNorm.y, w.wq);
  const wk = linear.backward(rows(dkProjection), a.attentionNorm.y, w.wk);
  const wv = linear.backward(rows(dv), a.attentionNorm.y, w.wv);
  const dqk = add.forward(wq.dx, wk.dx).y;
  const dattentionNorm = add.forward(dqk, wv.dx).y;
  const attentionNorm = rmsnorm.backward(dattentionNorm, a.x, w.attentionNorm, a.attentionNorm.rstd, eps);
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
      ffnNorm: { gate: w1.dx, up: w3.dx },
      attentionResidual: { ffnNorm: ffnNorm.dx },
      attentionNorm: { q: wq.dx, k: wk.dx, qk: dqk, v: wv.dx },
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

/** [R, NH·HS] → [B, T, NH, HS], the same numbers. */
export function heads<P extends Floats>(t: Tensor<P>, T: number, NH: number): Tensor<P> {
  const [R, width] = t.shape;
  return view(t, [R / T, T, NH, width / NH]);
}

/** [B, T, NH, HS] → [R, NH·HS], the same numbers. */
export function rows<P extends Floats>(t: Tensor<P>): Tensor<P> {
  const [B, T, NH, HS] = t.shape;
  return view(t, [B * T, NH * HS]);
}
