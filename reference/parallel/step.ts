// One step of training on a grid of ranks:  tokens → loss → gradients → their sum → their norm → clipped → AdamW.
//
// It is the step of training/step.ts for the whole batch: the loss is the mean over the tokens of all ranks.
import type { LlamaConfig } from "../config.ts";
import { type Floats, type Tensor, view, zeros } from "../tensor.ts";
import type { Hyperparameters } from "../training/hyperparameters.ts";
import { type Batch, type TrainingState, update } from "../training/step.ts";
import type { Weights } from "../weights.ts";
import * as crossEntropy from "./cross-entropy.ts";
import { cut } from "./cut.ts";
import * as gradientNorm from "./gradient-norm.ts";
import { checkLayout, type Layout, placeOf } from "./layout.ts";
import { type Program, type Rank, ranksOf, runInLockstep, type Traffic } from "./lockstep.ts";
import * as model from "./model.ts";
import { checkShards } from "./shards.ts";
import { heldWeights, ownWeights } from "./zero.ts";

/** What a rank computed in both passes. */
export interface RankPasses<P extends Floats = Floats> {
  readonly activations: model.ModelActivations<P>;
  readonly loss: Tensor<P>;
  /** Of the logits: [R]. */
  readonly lse: Tensor<P>;
  readonly dloss: Tensor<P>;
  readonly gradients: model.ModelGradients<P>;
  readonly norm: Tensor<P>;
}

/** What a rank computed in a step. */
export interface RankStep<P extends Floats = Floats> {
  readonly passes: RankPasses<P>;
  /** This rank's part of the clipped gradients. */
  readonly clipped: Weights<P>;
  /** What it holds for the next step. */
  readonly shard: TrainingState<P>;
}

export interface ParallelStep<P extends Floats = Floats> {
  /** By rank: every rank knows the loss of the whole batch, and the norm of all gradients. */
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** The next state, by rank. */
  readonly shards: readonly TrainingState<P>[];
  /** What each rank computed and kept on the way: for those who record it, or count its bytes. */
  readonly ranks: readonly RankStep<P>[];
  /** What each rank sent. */
  readonly ledger: readonly Traffic[];
}

/**
 * Step t ≥ 1 of a run whose state lies in shards, by rank; batch: tokens and targets of all data ranks, [B, T]; through:
 * what a rank's program sees of the others in place of the rank as it is, where a test plants its faults. Throws RangeError
 * for an illegal layout, for shards that are not of it, and where the dense step does.
 */
export function parallelStep<P extends Floats>(
  config: LlamaConfig,
  h: Hyperparameters,
  t: number,
  layout: Layout,
  shards: readonly TrainingState<P>[],
  batch: Batch,
  through: (rank: Rank) => Rank = (rank) => rank,
): ParallelStep<P> {
  const [B, T] = batch.tokens.shape;
  checkShards(config, layout, shards);
  checkLayout(config, layout, { B, T });
  if (batch.targets.shape.join() !== batch.tokens.shape.join()) {
    throw new RangeError(
      `targets has shape [${batch.targets.shape}], expected [${batch.tokens.shape}], that of tokens`,
    );
  }
  if (!(T <= config.maxSeqLen)) {
    throw new RangeError(`tokens has shape [${B},${T}], expected [B,T] with T at most maxSeqLen=${config.maxSeqLen}`);
  }
  const programs = ranksOf(layout).map((rank, index) =>
    rankStep(through(rank), config, h, t, shards[index], batchOf(layout, index, batch)),
  );
  const { results, ledger } = runInLockstep(programs);
  return {
    losses: results.map(({ passes }) => passes.loss.data[0]),
    gradientNorms: results.map(({ passes }) => passes.norm.data[0]),
    shards: results.map(({ shard }) => shard),
    ranks: results,
    ledger,
  };
}

/** The sequences of a rank's model; its first tensor rank reads them. */
function batchOf(layout: Layout, rank: number, { tokens, targets }: Batch): Batch | undefined {
  const { dataIndex, tensorIndex } = placeOf(layout, rank);
  if (tensorIndex > 0) return undefined;
  return { tokens: cut(tokens, 0, layout.data, dataIndex), targets: cut(targets, 0, layout.data, dataIndex) };
}

/** The program of one rank. */
function* rankStep<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  h: Hyperparameters,
  t: number,
  shard: TrainingState<P>,
  batch: Batch | undefined,
): Program<RankStep<P>> {
  const tokens = yield* rank.tensor.broadcast("tokens", batch?.tokens);
  const targets = yield* rank.tensor.broadcast("targets", batch?.targets);
  const passes = yield* differentiate(rank, config, shard.weights, { tokens, targets });
  const own = { ...shard, weights: ownWeights(rank, shard.weights) };
  const { clipped, state } = update(h, t, own, passes.gradients.weights, passes.norm);
  const weights = yield* heldWeights(rank, state.weights);
  return { passes, clipped, shard: { ...state, weights } };
}

/** The loss of all ranks' sequences, the gradients of it, summed, and their global norm. */
function* differentiate<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  batch: Batch,
): Program<RankPasses<P>> {
  const V = config.vocabSize;
  const targets = view(batch.targets, [batch.targets.data.length]);
  const n = yield* crossEntropy.countAll(rank, targets, V);
  const activations = yield* model.forward(rank, config, weights, batch.tokens);
  const { logits } = activations;
  const { loss, lse } = yield* crossEntropy.forward(rank, logits, targets, V, n);
  const dloss = zeros(loss);
  dloss.data[0] = 1;
  const { dlogits } = crossEntropy.backward(rank, dloss, logits, targets, lse, V, n);
  const gradients = yield* model.backward(rank, config, weights, activations, dlogits);
  const { norm } = yield* gradientNorm.forward(rank, gradients.weights);
  return { activations, loss, lse, dloss, gradients, norm };
}
