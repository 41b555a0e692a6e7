// Recomputation (Chen et al. 2016; Touvron et al. 2023, section 2.4): the forward keeps the tensors of a block that a policy
// names, and the backward computes the others again when it reads them. They are computed by the forward's own ops
// on the same numbers, so every gradient has the same bits under every policy.
import type { LlamaConfig } from "../config.ts";
import * as add from "../ops/add.ts";
import * as attention from "../ops/attention.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as rope from "../ops/rope.ts";
import * as swiglu from "../ops/swiglu.ts";
import { type Floats, type Ints, roundScalar, type Tensor } from "../tensor.ts";
import type { Turns } from "../turns.ts";
import { type LayerWeights, layerWeights, type Weights } from "../weights.ts";
import { type BlockActivations, type BlockGradients, heads, LAYOUT, type RopeTable, rows } from "./block.ts";
import * as block from "./block.ts";
import { type Again, lazily, type Saved, saveOf } from "./lazily.ts";
import * as model from "./model.ts";
import { kept, type Policy } from "./policies.ts";

/** The tensors of a block that a policy keeps: its input, and those that the policy lists and the backward reads. */
export function save<P extends Floats>(policy: Policy, a: BlockActivations<P>): Saved<Tensor<P>> {
  return saveOf<Tensor<P>>(kept(policy).saved, a);
}

/** A block's activations from the kept ones; any other tensor is computed when it is first read. */
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

/** The activations that the model's forward leaves under a policy: for each block, those that the policy saves. */
export interface SavedActivations<P extends Floats = Floats> extends Omit<model.ModelActivations<P>, "layers"> {
  readonly layers: readonly Saved<Tensor<P>>[];
}

/** model.forward, keeping only the activations of each block that the policy saves. It yields after each block. */
export function* forwardSaving<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  policy: Policy,
): Turns<SavedActivations<P>> {
  const { table, x0 } = model.embed(config, weights, tokens, 0);
  let x = x0;
  const layers: Saved<Tensor<P>>[] = [];
  for (let i = 0; i < config.nLayers; i++) {
    const layer = block.forward(config, layerWeights(weights, i), table, x);
    layers.push(save(policy, layer));
    x = layer.ffnResidual;
    yield;
  }
  return { tokens, table, embedding: x0, layers, last: x, ...model.unembed(config, weights, x) };
}

/**
 * model.backward after forwardSaving: a block's other activations are computed again, and only the gradients of its weights
 * are kept. The result is by the weights' names. `again` is called with the tensors that block i computes again.
 * It yields after each block.
 */
export function* backwardRecomputing<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: SavedActivations<P>,
  dlogits: Tensor<P>,
  again?: (i: number) => Again<Tensor<P>>,
): Turns<Map<string, Tensor<P>>> {
  const { head, norm } = model.unembedBackward(config, weights, a, dlogits);
  yield;
  let dx = norm.dx;
  const layers: Pick<BlockGradients<P>, "weights">[] = [];
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const w = layerWeights(weights, i);
    const layer = block.backward(config, w, a.table, recompute(config, w, a.table, a.layers[i], again?.(i)), dx);
    layers.unshift({ weights: layer.weights });
    dx = layer.x;
    yield;
  }
  const { dw } = model.embedBackward(config, a, dx);
  return model.gradientsByName(config, { embedding: dw, layers, norm: norm.dw, head: head.dw });
}

/** The same activations for a backward that is recorded: a tensor that the policy does not save is computed when it is read. */
export function recomputed<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: model.ModelActivations<P>,
  policy: Policy,
): model.ModelActivations<P> {
  const layers = a.layers.map((layer, i) => recompute(config, layerWeights(weights, i), a.table, save(policy, layer)));
  return { ...a, layers };
}
