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
import * as block from "./block.ts";

/** Everything that the forward computes; rows are [R, …] with R = B·T. */
export interface ModelActivations<P extends Floats = Floats> {
  /** [B, T]. */
  readonly tokens: Tensor<Ints>;
  readonly table: block.RopeTable<P>;
  readonly embedding: Tensor<P>;
  readonly layers: readonly block.BlockActivations<P>[];
  /** The last block's result: [R, C]. */
  readonly last: Tensor<P>;
  readonly norm: { readonly y: Tensor<P>; readonly rstd: Tensor<P> };
  /** [R, V]. */
  readonly logits: Tensor<P>;
}

/** The gradient at each activation, and those of the weights. */
export interface ModelGradients<P extends Floats = Floats> {
  readonly embedding: Tensor<P>;
  readonly layers: readonly block.BlockGradients<P>[];
  readonly norm: Tensor<P>;
  readonly logits: Tensor<P>;
  /** With a tied head, the two terms of its gradient: [V, C] each. */
  readonly terms?: { readonly embedding: Tensor<P>; readonly head: Tensor<P> };
  /** By the weights' names, in the order of the table. */
  readonly weights: Map<string, Tensor<P>>;
}

/** Earlier positions, of which a model needs only the keys and values. */
export interface Past<P extends Floats = Floats> {
  /** How many there are. */
  readonly length: number;
  /** The keys and values of layer i, followed by those of the positions that are computed now. */
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
  const { table, x0 } = embed(config, weights, tokens, past.length);
  let x = x0;
  const layers: block.BlockActivations<P>[] = [];
  for (let i = 0; i < config.nLayers; i++) {
    const layer = block.forward(config, layerWeights(weights, i), table, x, (fresh) => past.extend(i, fresh));
    layers.push(layer);
    x = layer.ffnResidual;
  }
  const { norm, logits } = unembed(config, weights, x);
  return { tokens, table, embedding: x0, layers, last: x, norm, logits };
}

/**
 * dlogits: [R, V]; a: the forward's result → every gradient. A tied head is one matrix used twice: each use's
 * gradient is stored, then their sum, so in float32 it is rounded once more, as by a kernel that adds two buffers.
 */
export function backward<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: ModelActivations<P>,
  dlogits: Tensor<P>,
): ModelGradients<P> {
  const { head, norm } = unembedBackward(config, weights, a, dlogits);
  let dx = norm.dx;
  const layers: block.BlockGradients<P>[] = [];
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const layer = block.backward(config, layerWeights(weights, i), a.table, a.layers[i], dx);
    layers.unshift(layer);
    dx = layer.x;
  }
  const table = embedBackward(config, a, dx);
  const ofWeights = gradientsByName(config, { embedding: table.dw, layers, norm: norm.dw, head: head.dw });
  const terms = config.tiedEmbeddings ? { terms: { embedding: table.dw, head: head.dw } } : {};
  return { embedding: dx, layers, norm: head.dx, logits: dlogits, ...terms, weights: ofWeights };
}

/** For the positions from `start`: RoPE's table, and x₀ = embedding(tokens): [R, C]. */
export function embed<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  start: number,
): { table: block.RopeTable<P>; x0: Tensor<P> } {
  const [B, T] = tokens.shape;
  if (!(start + T <= config.maxSeqLen)) {
    const after = start > 0 ? ` after ${start} positions` : "";
    throw new RangeError(
      `tokens has shape [${tokens.shape}]${after}, expected [B,T] with T at most maxSeqLen=${config.maxSeqLen}`,
    );
  }
  const w = weights.get("tok_embeddings.weight")!;
  const Storage = w.data.constructor as new (length: number) => P;
  const table = ropeTable.forward(roundScalar(config.ropeTheta, w), headSize(config), start, T, Storage);
  return { table, x0: embedding.forward(view(tokens, [B * T]), w).y };
}

/** The last block's result → the last norm, and logits: [R, V]. */
export function unembed<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  x: Tensor<P>,
): Pick<ModelActivations<P>, "norm" | "logits"> {
  const norm = rmsnorm.forward(x, weights.get("norm.weight")!, roundScalar(config.normEps, x));
  return { norm, logits: linear.forward(norm.y, headWeight(weights)).y };
}

/** dlogits: [R, V] → the gradients of the head and of the last norm; norm.dx is the gradient at the last block's result. */
export function unembedBackward<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: Pick<ModelActivations<P>, "norm" | "last">,
  dlogits: Tensor<P>,
): { head: { dx: Tensor<P>; dw: Tensor<P> }; norm: { dx: Tensor<P>; dw: Tensor<P> } } {
  const head = linear.backward(dlogits, a.norm.y, headWeight(weights));
  const [gain, eps] = [weights.get("norm.weight")!, roundScalar(config.normEps, head.dx)];
  return { head, norm: rmsnorm.backward(head.dx, a.last, gain, a.norm.rstd, eps) };
}

/** dx: [R, C], at x₀ → the gradient of the embedding's table. */
export function embedBackward<P extends Floats>(
  config: LlamaConfig,
  { tokens }: Pick<ModelActivations<P>, "tokens">,
  dx: Tensor<P>,
): { dw: Tensor<P> } {
  const [B, T] = tokens.shape;
  return embedding.backward(dx, view(tokens, [B * T]), config.vocabSize);
}

/** The gradients of the weights by the weights' names, in the order of the table; for a tied head the sum of its two. */
export function gradientsByName<P extends Floats>(
  config: LlamaConfig,
  d: {
    readonly embedding: Tensor<P>;
    readonly layers: readonly Pick<block.BlockGradients<P>, "weights">[];
    readonly norm: Tensor<P>;
    readonly head: Tensor<P>;
  },
): Map<string, Tensor<P>> {
  const gradients = new Map<string, Tensor<P>>();
  const tied = config.tiedEmbeddings;
  gradients.set("tok_embeddings.weight", tied ? add.forward(d.embedding, d.head).y : d.embedding);
  for (const [i, layer] of d.layers.entries()) {
    for (const [weight, dw] of Object.entries(layer.weights)) {
      gradients.set(layerWeightName(i, weight as keyof LayerWeights), dw);
    }
  }
  gradients.set("norm.weight", d.norm);
  if (!tied) gradients.set("output.weight", d.head);
  return gradients;
}

const nothingPast: Past<never> = { length: 0, extend: (_, fresh) => fresh };
