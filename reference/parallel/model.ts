// The model on one rank: the code of model/model.ts on this rank's part of the vocabulary, heads, columns and rows.
//
//   x₀ = Σ over ranks of embedding(tokens),   xᵢ₊₁ = blockᵢ(xᵢ),   own logits = own head · rmsnorm(x_L)
import { headSize, type LlamaConfig } from "../config.ts";
import type { RopeTable } from "../model/block.ts";
import type { Saved } from "../model/lazily.ts";
import { save } from "../model/recompute.ts";
import * as add from "../ops/add.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as ropeTable from "../ops/rope-table.ts";
import type { Policy } from "../model/policies.ts";
import { type Floats, type Ints, roundScalar, type Tensor, view } from "../tensor.ts";
import { layerWeightName, type LayerWeights, type Weights } from "../weights.ts";
import * as block from "./block.ts";
import * as embedding from "./embedding.ts";
import type { RankProgram, Rank } from "./lockstep.ts";
import { restoredOf } from "./recompute.ts";
import { enter, leave } from "./regions.ts";
import { afterBackward, whenMade, wholeLayer, wholeWeight } from "./zero.ts";

/** The activations that a rank computes in the forward. Rows are [R, …], or [R / tensor, …] with sequence parallelism. */
export interface RankActivations<P extends Floats = Floats> {
  /** [B, T], the sequences of this data rank. */
  readonly tokens: Tensor<Ints>;
  readonly table: RopeTable<P>;
  readonly embedding: Tensor<P>;
  readonly layers: readonly block.RankBlockActivations<P>[];
  /** The tensors that are kept of each block: its backward sees no others. */
  readonly saved: readonly Saved<Tensor<P>>[];
  /** The last block's result. */
  readonly last: Tensor<P>;
  readonly norm: { readonly y: Tensor<P>; readonly rstd: Tensor<P> };
  /** [R, own v]. */
  readonly logits: Tensor<P>;
}

/** The gradients of the layer's weights are not kept here: they are summed over the ranks. */
export interface LayerGradients<P extends Floats = Floats> extends Omit<block.RankBlockGradients<P>, "weights"> {
  /** The tensors that the backward computed again. */
  readonly again: Saved<Tensor<P>>;
}

/** The gradient at each activation, cut like it. */
export interface RankGradients<P extends Floats = Floats> {
  readonly embedding: Tensor<P>;
  readonly layers: readonly LayerGradients<P>[];
  readonly norm: Tensor<P>;
  readonly logits: Tensor<P>;
  /** Gradients of the weights, summed as far as ZeRO's stage sums them by now; the two uses of a tied matrix separately. */
  readonly made: Weights<P>;
}

/** Gradients of the weights, this rank's part of each, summed over all rows. */
export interface WeightGradients<P extends Floats = Floats> {
  /** With a tied head, the two terms of its gradient. */
  readonly terms?: { readonly embedding: Tensor<P>; readonly head: Tensor<P> };
  /** By the weights' names, in the order of the table. */
  readonly weights: Weights<P>;
}

const TABLE = "tok_embeddings.weight";
/** The uses of a tied matrix, as a trace names their terms. */
const TABLE_USE = `${TABLE}.embedding`;
const HEAD_USE = `${TABLE}.head`;

/** weights: as the rank holds them; tokens: [B, T] ids below V → the rank's activations, as far as the policy keeps them. */
export function* forward<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Ints>,
  policy: Policy,
): RankProgram<RankActivations<P>> {
  const [B, T] = tokens.shape;
  const w = yield* wholeWeight(rank, weights, TABLE);
  const Storage = w.data.constructor as new (length: number) => P;
  const table = ropeTable.forward(roundScalar(config.ropeTheta, w), headSize(config), 0, T, Storage);

  const embeddingTerm = embedding.forward(rank, view(tokens, [B * T]), w, config.vocabSize).y;
  const embedded = yield* leave(rank, "activations.embedding", embeddingTerm, T);
  let x = embedded;
  const layers: block.RankBlockActivations<P>[] = [];
  for (let i = 0; i < config.nLayers; i++) {
    const ofLayer = yield* wholeLayer(rank, weights, i);
    const layer = yield* block.forward(rank, config, `layers.${i}`, ofLayer, table, x);
    layers.push(layer);
    x = layer.ffnResidual;
  }
  const gain = yield* wholeWeight(rank, weights, "norm.weight");
  const norm = rmsnorm.forward(x, gain, roundScalar(config.normEps, w));
  const n = yield* enter(rank, "activations.norm", norm.y, T);
  const logits = linear.forward(n, yield* wholeWeight(rank, weights, headName(config))).y;
  const saved = layers.map((layer) => save(policy, layer));
  return { tokens, table, embedding: embedded, layers, saved, last: x, norm, logits };
}

/** dlogits: [R, own v]; a: the forward's result, with the saved tensors of its blocks → every gradient. */
export function* backward<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  a: Omit<RankActivations<P>, "layers">,
  dlogits: Tensor<P>,
): RankProgram<RankGradients<P>> {
  const [B, T] = a.tokens.shape;
  const made = new Map<string, Tensor<P>>();
  function* make(name: string, dw: Tensor<P>): RankProgram<void> {
    made.set(name, yield* whenMade(rank, name, dw));
  }

  const n = yield* enter(rank, "activations.norm", a.norm.y, T);
  const head = linear.backward(dlogits, n, yield* wholeWeight(rank, weights, headName(config)));
  yield* make(config.tiedEmbeddings ? HEAD_USE : "output.weight", head.dw);
  const dnorm = yield* leave(rank, "activationGradients.norm", head.dx, T);
  const gain = yield* wholeWeight(rank, weights, "norm.weight");
  const norm = rmsnorm.backward(dnorm, a.last, gain, a.norm.rstd, roundScalar(config.normEps, dnorm));
  yield* make("norm.weight", norm.dw);
  let dx = norm.dx;
  const layers: LayerGradients<P>[] = [];
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const ofLayer = yield* wholeLayer(rank, weights, i);
    const at = `layers.${i}`;
    const restored = restoredOf(rank, config, at, ofLayer, a.table, a.saved[i]);
    const { weights: dws, ...layer } = yield* block.backward(rank, config, at, ofLayer, a.table, restored, dx);
    for (const [weight, dw] of Object.entries(dws)) {
      yield* make(layerWeightName(i, weight as keyof LayerWeights), dw);
    }
    layers.unshift({ ...layer, again: restored.again });
    dx = layer.x;
  }
  const dembedding = yield* enter(rank, "activationGradients.embedding", dx, T);
  const { dw } = embedding.backward(rank, dembedding, view(a.tokens, [B * T]), config.vocabSize);
  yield* make(config.tiedEmbeddings ? TABLE_USE : TABLE, dw);

  return { embedding: dx, layers, norm: dnorm, logits: dlogits, made };
}

/** made: the backward's gradients, over all micro-batches → their sums over the ranks; a tied head's two uses separately. */
export function* sumGradients<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  made: Weights<P>,
): RankProgram<WeightGradients<P>> {
  const sums = yield* afterBackward(rank, made);
  if (!config.tiedEmbeddings) return { weights: new Map([...weights.keys()].map((name) => [name, sums.get(name)!])) };
  const terms = { embedding: sums.get(TABLE_USE)!, head: sums.get(HEAD_USE)! };
  sums.set(TABLE, add.forward(terms.embedding, terms.head).y);
  return { terms, weights: new Map([...weights.keys()].map((name) => [name, sums.get(name)!])) };
}

function headName(config: LlamaConfig): string {
  return config.tiedEmbeddings ? TABLE : "output.weight";
}
