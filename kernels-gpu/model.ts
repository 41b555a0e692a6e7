// The model on a device, both directions: reference/model, op by op, over tensors that stay there. Its results have
// the form of the reference's, so that a recording gives the same names to both.
import { headSize, type LlamaConfig } from "../reference/config.ts";
import type { BlockActivations, BlockGradients, KeysAndValues, RopeTable } from "../reference/model/block.ts";
import type { ModelActivations, ModelGradients } from "../reference/model/model.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../reference/tensor.ts";
import { layerWeightName, type LayerWeights } from "../reference/weights.ts";
import { type Again, allOf, lazily, type Lines, saveOf } from "../reference/model/lazily.ts";
import { kept, type Policy } from "../reference/model/policies.ts";
import * as add from "./add.ts";
import * as attention from "./attention.ts";
import * as embedding from "./embedding.ts";
import * as linear from "./linear.ts";
import type { KernelRecorder } from "./device/recorder.ts";
import type { DeviceTensor } from "./device/tensors.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as ropeTable from "./rope-table.ts";
import * as rope from "./rope.ts";
import * as swiglu from "./swiglu.ts";
import { append } from "../reference/lists.ts";

/** The same form, with tensors on the device. */
export type OnDevice<T> =
  T extends Tensor<Floats | Ints>
    ? DeviceTensor
    : T extends ReadonlyMap<string, unknown>
      ? Map<string, DeviceTensor>
      : T extends object
        ? { readonly [K in keyof T]: OnDevice<T[K]> }
        : T;

/** By the weights' names. */
export type DeviceWeights = ReadonlyMap<string, DeviceTensor>;

const ADJACENT = { layout: 0 }; // as reference/model's LAYOUT

/** Earlier positions, as in reference/model. */
export interface DevicePast {
  readonly length: number;
  extend(i: number, fresh: OnDevice<KeysAndValues>): OnDevice<KeysAndValues>;
}

/** tokens: [B, T], which follow the positions of `past` → every activation of the T positions. */
export function forward(
  run: KernelRecorder,
  config: LlamaConfig,
  weights: DeviceWeights,
  tokens: DeviceTensor,
  past: DevicePast = { length: 0, extend: (_, fresh) => fresh },
): OnDevice<ModelActivations> {
  const [B, T] = tokens.shape;
  const eps = { eps: config.normEps };
  const angles = { theta: config.ropeTheta, HS: headSize(config), start: past.length, T };
  const table = ropeTable.forward.record(run, {}, angles);
  const w = weights.get("tok_embeddings.weight")!;
  const embedded = embedding.forward.record(run, { tokens: as(tokens, B * T), w }, {}).y;
  let x = embedded;
  const layers: OnDevice<BlockActivations>[] = [];
  for (let i = 0; i < config.nLayers; i++) {
    const lines = blockLines(run, config, layerOf(weights, i), table, (fresh) => past.extend(i, fresh));
    const layer = allOf(new Map([["x", x]]), lines);
    layers.push(layer);
    x = layer.ffnResidual;
  }
  const norm = rmsnorm.forward.record(run, { x, w: weights.get("norm.weight")! }, eps);
  const logits = linear.forward.record(run, { x: norm.y, w: headOf(weights) }, {}).y;
  return { tokens, table, embedding: embedded, layers, last: x, norm, logits };
}

/**
 * dlogits: [R, V]; a: the forward's result → every gradient. Of a block's activations the backward reads those that the
 * policy saves; the others are computed again and added to `recomputed`. Nothing has to be dropped by hand: a tensor that no
 * dispatch reads again gives its memory to others.
 */
export function backward(
  run: KernelRecorder,
  config: LlamaConfig,
  weights: DeviceWeights,
  a: OnDevice<ModelActivations>,
  dlogits: DeviceTensor,
  policy: Policy,
  recomputed: DeviceTensor[] = [],
): OnDevice<ModelGradients> {
  const { saved } = kept(policy);
  const again: Again<DeviceTensor> = (_, outputs) => append(recomputed, outputs.values());
  const head = linear.backward.record(run, { dy: dlogits, x: a.norm.y, w: headOf(weights) }, {});
  const norm = rmsnorm.backward.record(
    run,
    { dy: head.dx, x: a.last, w: weights.get("norm.weight")!, rstd: a.norm.rstd },
    {},
  );
  let dx = norm.dx;
  const layers: OnDevice<BlockGradients>[] = [];
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const w = layerOf(weights, i);
    const activations = lazily(saveOf<DeviceTensor>(saved, a.layers[i]), blockLines(run, config, w, a.table), again);
    const layer = blockBackward(run, w, a.table, activations, dx);
    layers.unshift(layer);
    dx = layer.x;
  }
  const tokens = as(a.tokens, sizeOf(a.tokens.shape));
  const table = embedding.backward.record(run, { dy: dx, tokens }, { V: config.vocabSize });

  const gradients = new Map<string, DeviceTensor>();
  const tied = config.tiedEmbeddings;
  gradients.set("tok_embeddings.weight", tied ? plus(run, table.dw, head.dw) : table.dw);
  for (const [i, layer] of layers.entries()) {
    for (const [weight, dw] of Object.entries(layer.weights)) {
      gradients.set(layerWeightName(i, weight as keyof LayerWeights), dw);
    }
  }
  gradients.set("norm.weight", norm.dw);
  if (!tied) gradients.set("output.weight", head.dw);
  const terms = tied ? { terms: { embedding: table.dw, head: head.dw } } : {};
  return { embedding: dx, layers, norm: head.dx, logits: dlogits, ...terms, weights: gradients };
}

/** reference/model/block.ts and recompute.ts, line by line. */
function blockLines(
  run: KernelRecorder,
  config: LlamaConfig,
  w: OnDevice<LayerWeights>,
  table: OnDevice<RopeTable>,
  follow: (fresh: OnDevice<KeysAndValues>) => OnDevice<KeysAndValues> = (fresh) => fresh,
): Lines<OnDevice<BlockActivations>> {
  const T = table.cos.shape[0];
  const eps = { eps: config.normEps };
  const product = (x: DeviceTensor, weight: DeviceTensor) => linear.forward.record(run, { x, w: weight }, {}).y;
  return {
    attentionNorm: (a) => rmsnorm.forward.record(run, { x: a.x, w: w.attentionNorm }, eps),
    qProjection: (a) => heads(product(a.attentionNorm.y, w.wq), T, config.nHeads),
    kProjection: (a) => heads(product(a.attentionNorm.y, w.wk), T, config.nKvHeads),
    v: (a) => heads(product(a.attentionNorm.y, w.wv), T, config.nKvHeads),
    q: (a) => rope.forward.record(run, { x: a.qProjection, ...table }, ADJACENT).y,
    k: (a) => rope.forward.record(run, { x: a.kProjection, ...table }, ADJACENT).y,
    attention: (a) => attention.forward.record(run, { q: a.q, ...follow({ k: a.k, v: a.v }) }, {}),
    attentionOutput: (a) => product(rows(a.attention.y), w.wo),
    attentionResidual: (a) => plus(run, a.x, a.attentionOutput),

    ffnNorm: (a) => rmsnorm.forward.record(run, { x: a.attentionResidual, w: w.ffnNorm }, eps),
    gate: (a) => product(a.ffnNorm.y, w.w1),
    up: (a) => product(a.ffnNorm.y, w.w3),
    swiglu: (a) => swiglu.forward.record(run, { gate: a.gate, up: a.up }, {}).y,
    ffnOutput: (a) => product(a.swiglu, w.w2),
    ffnResidual: (a) => plus(run, a.attentionResidual, a.ffnOutput),
  };
}

function blockBackward(
  run: KernelRecorder,
  w: OnDevice<LayerWeights>,
  table: OnDevice<RopeTable>,
  a: OnDevice<BlockActivations>,
  dy: DeviceTensor,
): OnDevice<BlockGradients> {
  const ofLinear = (gradient: DeviceTensor, x: DeviceTensor, weight: DeviceTensor) =>
    linear.backward.record(run, { dy: gradient, x, w: weight }, {});

  const w2 = ofLinear(dy, a.swiglu, w.w2);
  const { dgate, dup } = swiglu.backward.record(run, { dy: w2.dx, gate: a.gate, up: a.up }, {});
  const w1 = ofLinear(dgate, a.ffnNorm.y, w.w1);
  const w3 = ofLinear(dup, a.ffnNorm.y, w.w3);
  const dffnNorm = plus(run, w1.dx, w3.dx);
  const ffnNorm = rmsnorm.backward.record(
    run,
    { dy: dffnNorm, x: a.attentionResidual, w: w.ffnNorm, rstd: a.ffnNorm.rstd },
    {},
  );
  const dattentionResidual = plus(run, dy, ffnNorm.dx);

  const wo = ofLinear(dattentionResidual, rows(a.attention.y), w.wo);
  const dattention = as(wo.dx, ...a.attention.y.shape);
  const { dq, dk, dv } = attention.backward.record(
    run,
    { dy: dattention, q: a.q, k: a.k, v: a.v, y: a.attention.y, lse: a.attention.lse },
    {},
  );
  const dqProjection = rope.backward.record(run, { dy: dq, ...table }, ADJACENT).dx;
  const dkProjection = rope.backward.record(run, { dy: dk, ...table }, ADJACENT).dx;
  const wq = ofLinear(rows(dqProjection), a.attentionNorm.y, w.wq);
  const wk = ofLinear(rows(dkProjection), a.attentionNorm.y, w.wk);
  const wv = ofLinear(rows(dv), a.attentionNorm.y, w.wv);
  const dqk = plus(run, wq.dx, wk.dx);
  const dattentionNorm = plus(run, dqk, wv.dx);
  const attentionNorm = rmsnorm.backward.record(
    run,
    { dy: dattentionNorm, x: a.x, w: w.attentionNorm, rstd: a.attentionNorm.rstd },
    {},
  );
  const dx = plus(run, dattentionResidual, attentionNorm.dx);

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

/** The same numbers under another shape. */
export function as(t: DeviceTensor, ...shape: number[]): DeviceTensor {
  return { ...t, shape };
}

export function plus(run: KernelRecorder, a: DeviceTensor, b: DeviceTensor): DeviceTensor {
  const N = sizeOf(a.shape);
  return as(add.forward.record(run, { a: as(a, N), b: as(b, N) }, {}).y, ...a.shape);
}

/** [R, NH·HS] → [B, T, NH, HS]. */
function heads(t: DeviceTensor, T: number, NH: number): DeviceTensor {
  const [R, width] = t.shape;
  return as(t, R / T, T, NH, width / NH);
}

/** [B, T, NH, HS] → [R, NH·HS]. */
function rows(t: DeviceTensor): DeviceTensor {
  const [B, T, NH, HS] = t.shape;
  return as(t, B * T, NH * HS);
}

function headOf(weights: DeviceWeights): DeviceTensor {
  return weights.get("output.weight") ?? weights.get("tok_embeddings.weight")!;
}

function layerOf(weights: DeviceWeights, i: number): OnDevice<LayerWeights> {
  const names = ["attentionNorm", "wq", "wk", "wv", "wo", "ffnNorm", "w1", "w2", "w3"] as const;
  return Object.fromEntries(names.map((name) => [name, weights.get(layerWeightName(i, name))!])) as never;
}
