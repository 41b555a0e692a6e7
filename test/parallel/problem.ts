// Small training steps and the layouts that they can be cut by: what the tests of reference/parallel draw.
import fc from "fast-check";
import type { LlamaConfig } from "../../reference/config.ts";
import { IGNORE_INDEX } from "../../reference/ops/cross-entropy.ts";
import type { Layout } from "../../reference/parallel/layout.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { type ParallelOptions, parallelStep } from "../../reference/parallel/step.ts";
import { bits, normal, streamOf, uniform } from "../../reference/random.ts";
import { type Floats, sizeOf, type Tensor } from "../../reference/tensor.ts";
import type { Hyperparameters } from "../../reference/training/hyperparameters.ts";
import { type Batch, step, type TrainingState } from "../../reference/training/step.ts";
import { weightShapes } from "../../reference/weights.ts";

/** Grouped heads, and a vocabulary that two does not divide. */
export const grouped: LlamaConfig = {
  dim: 16,
  nLayers: 2,
  nHeads: 8,
  nKvHeads: 4,
  ffnDim: 12,
  vocabSize: 11,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 4,
};

type StorageOf<P extends Floats> = new (length: number) => P;

/** One step to take: sizes, a seed, and a layout. */
export interface Problem {
  readonly config: LlamaConfig;
  readonly layout: Layout;
  readonly B: number;
  readonly T: number;
  readonly seed: number;
  readonly h: Hyperparameters;
  /** Counted from 1. */
  readonly t: number;
}

/** A state in the middle of a run: weights and moments of every size that training meets. */
export function stateOf<P extends Floats>(config: LlamaConfig, seed: number, Storage: StorageOf<P>): TrainingState<P> {
  const table = (of: string, value: (stream: number, i: number, isGain: boolean) => number): Map<string, Tensor<P>> =>
    new Map(
      [...weightShapes(config)].map(([name, shape]) => {
        const stream = streamOf(`${of} ${name}`);
        const data = new Storage(sizeOf(shape));
        for (let i = 0; i < data.length; i++) data[i] = value(stream, i, shape.length === 1);
        return [name, { data, shape }];
      }),
    );
  return {
    weights: table("w", (s, i, isGain) => (isGain ? 0.5 + uniform(seed, s, i) : 0.4 * normal(seed, s, i))),
    firstMoment: table("m", (s, i) => 0.1 * normal(seed, s, i)),
    secondMoment: table("v", (s, i) => 0.01 * uniform(seed, s, i)),
  };
}

/** Some targets do not count, by no rule that a rank could have to itself. */
export function batchOf({ config, B, T, seed }: Problem): Batch {
  const ids = (stream: number): Int32Array =>
    Int32Array.from({ length: B * T }, (_, i) => bits(seed, stream, i) % config.vocabSize);
  const targets = ids(2).map((target, i) => (uniform(seed, 3, i) < 0.25 + 0.5 * (i / (B * T)) ? IGNORE_INDEX : target));
  return { tokens: { data: ids(1), shape: [B, T] }, targets: { data: targets, shape: [B, T] } };
}

/** Legal problems: grouped heads, tied or not, with a vocabulary and widths that nothing has to divide. */
export const problems: fc.Arbitrary<Problem> = fc
  .record({
    data: fc.integer({ min: 1, max: 4 }),
    tensor: fc.integer({ min: 1, max: 4 }),
    sequence: fc.boolean(),
    zero: fc.constantFrom(0, 1, 2, 3),
    sequences: fc.integer({ min: 1, max: 2 }),
    length: fc.integer({ min: 1, max: 3 }),
    kvHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    halfHead: fc.integer({ min: 1, max: 2 }),
    columns: fc.integer({ min: 1, max: 3 }),
    nLayers: fc.integer({ min: 1, max: 2 }),
    vocabSize: fc.integer({ min: 2, max: 19 }),
    tiedEmbeddings: fc.boolean(),
    clipped: fc.boolean(),
    t: fc.integer({ min: 1, max: 12 }),
    seed: fc.nat({ max: 1_000_000 }),
  })
  .map((drawn): Problem => {
    const { data, tensor, sequence, zero, tiedEmbeddings, t, seed } = drawn;
    const nKvHeads = drawn.kvHeads * tensor;
    const nHeads = nKvHeads * drawn.group;
    const T = drawn.length * (sequence ? tensor : 1);
    const config: LlamaConfig = {
      dim: 2 * drawn.halfHead * nHeads,
      nLayers: drawn.nLayers,
      nHeads,
      nKvHeads,
      ffnDim: drawn.columns * tensor,
      vocabSize: drawn.vocabSize,
      normEps: 1e-5,
      ropeTheta: 10_000,
      tiedEmbeddings,
      maxSeqLen: T,
    };
    const layout: Layout = { data, tensor, sequence, zero };
    return { config, layout, B: drawn.sequences * data, T, seed, h: hyperparameters(drawn.clipped), t };
  });

export function hyperparameters(clipped: boolean): Hyperparameters {
  return {
    learningRate: 1e-2,
    warmupSteps: 3,
    totalSteps: 10,
    minLearningRateRatio: 0.1,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.95,
    adamEps: 1e-8,
    maxGradientNorm: clipped ? 0.05 : 1e6,
  };
}

/** The widest difference between the parallel step and the dense one, ‖a − b‖ / ‖b‖, and where it is. */
export interface Difference {
  readonly worst: number;
  readonly where: string;
}

/** Loss, gradient norm, weights and moments, as each rank holds them, against the dense step's. */
export function difference(p: Problem, options?: ParallelOptions): Difference {
  const { config, layout } = p;
  const state = stateOf(config, p.seed, Float64Array);
  const batch = batchOf(p);
  const dense = step(config, p.h, p.t, state, batch);
  const wanted = shardState(config, layout, dense.state);
  const got = parallelStep(config, p.h, p.t, layout, shardState(config, layout, state), batch, options);
  const found: [string, number][] = [];
  for (const [rank, shard] of got.shards.entries()) {
    const { losses, gradientNorms } = got;
    found.push([`loss of rank ${rank}`, relative([losses[rank]], [dense.loss])]);
    found.push([`gradient norm of rank ${rank}`, relative([gradientNorms[rank]], [dense.gradientNorm])]);
    for (const table of ["weights", "firstMoment", "secondMoment"] as const) {
      for (const [name, t] of wanted[rank][table]) {
        const whole = dense.state[table].get(name)!.data;
        found.push([`${table} ${name} of rank ${rank}`, relative(shard[table].get(name)!.data, t.data, whole)]);
      }
    }
  }
  // NaN is the worst of all.
  const [where, worst] = found.reduce((a, b) => (b[1] <= a[1] || Number.isNaN(a[1]) ? a : b));
  return { worst, where };
}

/** ‖got − expected‖ / ‖whole‖; 0 where nothing differs. */
export function relative(got: ArrayLike<number>, wanted: ArrayLike<number>, whole = wanted): number {
  if (got.length !== wanted.length) return NaN;
  let off = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) off += (got[i] - wanted[i]) * (got[i] - wanted[i]);
  for (let i = 0; i < whole.length; i++) size += whole[i] * whole[i];
  return off === 0 ? 0 : Math.sqrt(off / size);
}
