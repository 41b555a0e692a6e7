// One step of training on a grid of ranks:  tokens → loss → gradients → their sum → their norm → clipped → AdamW.
//
// It is the step of training/step.ts for the whole batch: the loss is the mean over the tokens of all ranks.
import type { LlamaConfig } from "../config.ts";
import type { Policy } from "../model/policies.ts";
import { type Floats, type Ints, type Tensor, view, zeros } from "../tensor.ts";
import type { Hyperparameters } from "../training/hyperparameters.ts";
import { splitBatch } from "../training/micro-batches.ts";
import { addGradients } from "../training/in-parts.ts";
import { type Batch, type TrainingState, update } from "../training/step.ts";
import type { Weights } from "../weights.ts";
import * as crossEntropy from "./cross-entropy.ts";
import { cut, join } from "./cut.ts";
import * as gradientNorm from "./gradient-norm.ts";
import { checkLayout, type Layout, placeInGrid } from "./layout.ts";
import { type RankProgram, type Rank, ranksOf, runInLockstep, type Traffic } from "./lockstep.ts";
import * as model from "./model.ts";
import { checkShards } from "./shards.ts";
import { heldWeights, ownWeights } from "./zero.ts";

/** A rank's results of both passes over its sequences of one micro-batch. */
export interface RankPass<P extends Floats = Floats> {
  readonly activations: model.RankActivations<P>;
  readonly targets: Tensor<Ints>;
  /** The micro-batch's part of the mean over all targets. */
  readonly loss: Tensor<P>;
  /** Of the logits: [R]. */
  readonly lse: Tensor<P>;
  readonly dloss: Tensor<P>;
  readonly gradients: model.RankGradients<P>;
}

/** A rank's results of all passes. */
export interface RankPasses<P extends Floats = Floats> extends model.WeightGradients<P> {
  readonly parts: readonly RankPass<P>[];
  readonly loss: Tensor<P>;
  readonly norm: Tensor<P>;
}

/** A rank's results of a step. */
export interface RankStep<P extends Floats = Floats> {
  readonly passes: RankPasses<P>;
  /** This rank's part of the clipped gradients. */
  readonly clipped: Weights<P>;
  /** Its part of the state for the next step. */
  readonly shard: TrainingState<P>;
}

export interface ParallelStep<P extends Floats = Floats> {
  /** By rank: every rank knows the loss of the whole batch, and the norm of all gradients. */
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** The next state, by rank. */
  readonly shards: readonly TrainingState<P>[];
  /** Each rank's intermediate results, for a record, or to count their bytes. */
  readonly ranks: readonly RankStep<P>[];
  /** The bytes that each rank sent. */
  readonly traffic: readonly Traffic[];
}

/** Options that change how a step is computed. */
export interface ParallelOptions {
  /** Which tensors a rank saves of each block for its backward; the gradients have the same bits under every policy. */
  readonly recompute?: Policy;
  /** Parts of the batch, one after another, each cut over the data ranks; 1 by default. */
  readonly microBatches?: number;
  /** Replaces a rank's view of the others. Tests use it to inject faults. */
  readonly through?: (rank: Rank) => Rank;
}

/**
 * Step t ≥ 1 of a run whose state lies in shards, by rank; batch: tokens and targets of all data ranks, [B, T]. Throws
 * RangeError for an illegal layout, for shards that are not of it, and where the dense step does.
 */
export function parallelStep<P extends Floats>(
  config: LlamaConfig,
  h: Hyperparameters,
  t: number,
  layout: Layout,
  shards: readonly TrainingState<P>[],
  batch: Batch,
  { recompute = "none", microBatches = 1, through = (rank) => rank }: ParallelOptions = {},
): ParallelStep<P> {
  const [B, T] = batch.tokens.shape;
  checkShards(config, layout, shards);
  if (batch.targets.shape.join() !== batch.tokens.shape.join()) {
    throw new RangeError(
      `targets has shape [${batch.targets.shape}], expected [${batch.tokens.shape}], that of tokens`,
    );
  }
  if (!(T <= config.maxSeqLen)) {
    throw new RangeError(`tokens has shape [${B},${T}], expected [B,T] with T at most maxSeqLen=${config.maxSeqLen}`);
  }
  const parts = splitBatch(batch, microBatches);
  checkLayout(config, layout, { B: B / microBatches, T });
  const programs = ranksOf(layout).map((rank, index) =>
    rankStep(through(rank), config, h, t, shards[index], batchesOf(layout, index, parts), recompute),
  );
  const { results, traffic } = runInLockstep(programs);
  return {
    losses: results.map(({ passes }) => passes.loss.data[0]),
    gradientNorms: results.map(({ passes }) => passes.norm.data[0]),
    shards: results.map(({ shard }) => shard),
    ranks: results,
    traffic,
  };
}

/** The sequences of a rank's model of each micro-batch; its first tensor rank reads them. */
function batchesOf(layout: Layout, rank: number, parts: readonly Batch[]): readonly (Batch | undefined)[] {
  const { dataIndex, tensorIndex } = placeInGrid(layout, rank);
  const own = (ids: Tensor<Ints>): Tensor<Ints> => cut(ids, 0, layout.data, dataIndex);
  return parts.map(({ tokens, targets }) =>
    tensorIndex > 0 ? undefined : { tokens: own(tokens), targets: own(targets) },
  );
}

/** The program of one rank. */
function* rankStep<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  h: Hyperparameters,
  t: number,
  shard: TrainingState<P>,
  batches: readonly (Batch | undefined)[],
  policy: Policy,
): RankProgram<RankStep<P>> {
  const parts: Batch[] = [];
  for (const batch of batches) {
    const tokens = yield* rank.tensor.broadcast("tokens", batch?.tokens);
    const targets = yield* rank.tensor.broadcast("targets", batch?.targets);
    parts.push({ tokens, targets });
  }
  const passes = yield* differentiate(rank, config, shard.weights, parts, policy);
  const own = { ...shard, weights: ownWeights(rank, shard.weights) };
  const { clipped, state } = update(h, t, own, passes.weights, passes.norm);
  const weights = yield* heldWeights(rank, state.weights);
  return { passes, clipped, shard: { ...state, weights } };
}

/** The loss of all ranks' sequences, the gradients of it, summed, and their global norm. */
function* differentiate<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  batches: readonly Batch[],
  policy: Policy,
): RankProgram<RankPasses<P>> {
  const V = config.vocabSize;
  const all = join(
    batches.map(({ targets }) => targets),
    0,
  );
  const n = yield* crossEntropy.countAll(rank, view(all, [all.data.length]), V);
  const parts: RankPass<P>[] = [];
  let made: Weights<P> | undefined;
  for (const batch of batches) {
    const part = yield* passOver(rank, config, weights, batch, n, policy);
    made = made === undefined ? part.gradients.made : addGradients(made, part.gradients.made);
    parts.push(part);
  }
  const gradients = yield* model.sumGradients(rank, config, weights, made!);
  const { norm } = yield* gradientNorm.forward(rank, gradients.weights);
  const loss = zeros(norm);
  loss.data[0] = parts.reduce((sum, part) => sum + part.loss.data[0], 0);
  return { parts, loss, ...gradients, norm };
}

/** n: the targets of all ranks and micro-batches that count. */
function* passOver<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  weights: Weights<P>,
  batch: Batch,
  n: number,
  policy: Policy,
): RankProgram<RankPass<P>> {
  const V = config.vocabSize;
  const targets = view(batch.targets, [batch.targets.data.length]);
  const activations = yield* model.forward(rank, config, weights, batch.tokens, policy);
  const { logits } = activations;
  const { loss, lse } = yield* crossEntropy.forward(rank, logits, targets, V, n);
  const dloss = zeros(loss);
  dloss.data[0] = 1;
  const { dlogits } = crossEntropy.backward(rank, dloss, logits, targets, lse, V, n);
  const gradients = yield* model.backward(rank, config, weights, activations, dlogits);
  return { activations, targets, loss, lse, dloss, gradients };
}
