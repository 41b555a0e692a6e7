// LLaMA (Touvron et al. 2023): embedding, blocks, a last RMSNorm, and the head, which may be the embedding itself.
//
//   x₀ = embedding(tokens),   xᵢ₊₁ = blockᵢ(xᵢ),   logits = head · rmsnorm(x_L)
import { headSize, type LlamaConfig } from "../config.ts";
import * as add from "../ops/add.ts";
import * as embedding from "../ops/embedding.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as ropeTable from "../ops/rope-table.ts";
import { type Floats, type Ints, roundScalar, type Tensor, view } from "../tensor.ts";
import { headWeight, layerWeightName, layerWeights, type LayerWeights, type Weights } from "../weights.ts";
import type { Policy } from "./policies.ts";
import * as block from "./block.ts";
import type { Again, Saved } from "./lazily.ts";
import { recompute, save } from "./recompute.ts";

/** Everything that the forward computes; rows are [R, …] with R = B·T. Of the blocks it may be only what was saved. */
export interface ModelActivations<P extends Floats = Floats, Layer = block.BlockActivations<P>> {
  /** [B, T]. */
  readonly tokens: Tensor<Ints>;
  readonly table: block.RopeTable<P>;
  readonly embedding: Tensor<P>;
  readonly layers: readonly Layer[];
  /** What the last block gave: [R, C]. */
  readonly last: Tensor<P>;
  readonly norm: { readonly y: Tensor<P>; readonly rstd: Tensor<P> };
  /** [R, V]. */
  readonly logits: Tensor<P>;
}

/** The gradient at each activation, and those of the weights. */
export interface ModelGradients<P extends Floats = Floats, Layer = block.BlockGradients<P>> {
  readonly embedding: Tensor<P>;
  readonly layers: readonly Layer[];
  readonly norm: Tensor<P>;
  readonly logits: Tensor<P>;
  /** With a tied head, the two terms of its gradient: [V, C] each. */
  readonly terms?: { readonly embedding: Tensor<P>; readonly head: Tensor<P> };
  /** By the weights' names, in the order of the table. */
  readonly weights: Map<string, Tensor<P>>;
}

/** Earlier positions, of which a model needs the keys and values alone. */
export interface Past<P extends Floats = Floats> {
  /** How many there are. */
  readonly length: number;
  /** Those of layer i, and behind them those of the positions that are computed now. */
  extend(i: number, fresh: block.KeysAndValues<P>): block.KeysAndValues<P>;
}

/**
 * tokens: [B, T] ids below V, which follow the positions of `past` → every activation of the T positions. Throws RangeError
 * for an id outside [0, V), or more positions than maxSeqLen.
 */
export function forward<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  past: Past<P> = nothingPast,
): ModelActivations<P> {
  return pass(config, weights, tokens, past, (layer) => layer);
}

/** The same, keeping of each block what the policy saves. */
export function forwardSaving<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  policy: Policy,
): ModelActivations<P, Saved<Tensor<P>>> {
  return pass(config, weights, tokens, nothingPast, (layer) => save(policy, layer));
}

const nothingPast: Past<never> = { length: 0, extend: (_, fresh) => fresh };

function pass<P extends Floats, Layer>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  past: Past<P>,
  keep: (layer: block.BlockActivations<P>) => Layer,
): ModelActivations<P, Layer> {
  const [B, T] = tokens.shape;
  if (!(past.length + T <= config.maxSeqLen)) {
    const behind = past.length > 0 ? ` behind ${past.length} positions` : "";
    throw new RangeError(
      `tokens has shape [${tokens.shape}]${behind}, expected [B,T] with T at most maxSeqLen=${config.maxSeqLen}`,
    );
  }
  const w = weights.get("tok_embeddings.weight")!;
  const Storage = w.data.constructor as new (length: number) => P;
  const table = ropeTable.forward(roundScalar(config.ropeTheta, w), headSize(config), past.length, T, Storage);

  const embedded = embedding.forward(view(tokens, [B * T]), w).y;
  let x = embedded;
  const layers: Layer[] = [];
  for (let i = 0; i < config.nLayers; i++) {
    const layer = block.forward(config, layerWeights(weights, i), table, x, (fresh) => past.extend(i, fresh));
    layers.push(keep(layer));
    x = layer.ffnResidual;
  }
  const norm = rmsnorm.forward(x, weights.get("norm.weight")!, roundScalar(config.normEps, w));
  const logits = linear.forward(norm.y, headWeight(weights)).y;
  return { tokens, table, embedding: embedded, layers, last: x, norm, logits };
}

/**
 * dlogits: [R, V]; a: what the forward returned → every gradient. A tied head is one matrix used twice: each use's
 * gradient is stored, then their sum, so in float32 it is rounded once more, as by a kernel that adds two buffers.
 */
export function backward<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: ModelActivations<P>,
  dlogits: Tensor<P>,
): ModelGradients<P> {
  return passBack(
    config,
    weights,
    a,
    dlogits,
    (layer) => layer,
    (gradients) => gradients,
  );
}

/** The same after forwardSaving: a block's other activations are computed again, and its gradients dropped but for the weights'. */
export function backwardRecomputing<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: ModelActivations<P, Saved<Tensor<P>>>,
  dlogits: Tensor<P>,
  again?: (i: number) => Again<Tensor<P>>,
): ModelGradients<P, Pick<block.BlockGradients<P>, "weights">> {
  return passBack(
    config,
    weights,
    a,
    dlogits,
    (saved, i) => recompute(config, layerWeights(weights, i), a.table, saved, again?.(i)),
    (gradients) => ({ weights: gradients.weights }),
  );
}

function passBack<P extends Floats, Layer, Gradients extends Pick<block.BlockGradients<P>, "weights">>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: ModelActivations<P, Layer>,
  dlogits: Tensor<P>,
  restore: (layer: Layer, i: number) => block.BlockActivations<P>,
  keep: (gradients: block.BlockGradients<P>) => Gradients,
): ModelGradients<P, Gradients> {
  const head = linear.backward(dlogits, a.norm.y, headWeight(weights));
  const norm = rmsnorm.backward(head.dx, a.last, weights.get("norm.weight")!, a.norm.rstd);
  let dx = norm.dx;
  const layers: Gradients[] = [];
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const layer = block.backward(config, layerWeights(weights, i), a.table, restore(a.layers[i], i), dx);
    layers.unshift(keep(layer));
    dx = layer.x;
  }
  const [B, T] = a.tokens.shape;
  const table = embedding.backward(dx, view(a.tokens, [B * T]), config.vocabSize);

  const gradients = new Map<string, Tensor<P>>();
  const tied = config.tiedEmbeddings;
  gradients.set("tok_embeddings.weight", tied ? add.forward(table.dw, head.dw).y : table.dw);
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
