// A step on any legal layout of ranks is the dense step.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Layout, rankCount } from "../../reference/parallel/layout.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { parallelStep } from "../../reference/parallel/step.ts";
import { zeroStages } from "../../reference/planning/layout.ts";
import { step } from "../../reference/training/step.ts";
import { PARALLEL_STEP } from "../thresholds.ts";
import { batchOf, difference, hyperparameters, type Problem, problems, stateOf, grouped } from "./problem.ts";

const RUNS = 150;

test("every legal layout gives the dense step in float64", () => {
  fc.assert(
    fc.property(problems, (p) => {
      const { worst, where } = difference(p);
      expect(worst <= PARALLEL_STEP, `${where}: ${worst}`).toBe(true);
    }),
    { numRuns: RUNS },
  );
});

/** Grouped heads, a vocabulary that two does not divide, and ragged cuts of every weight over three data ranks. */
const p: Problem = {
  config: { ...grouped, tiedEmbeddings: true },
  layout: { data: 3, tensor: 2, sequence: true, zero: 3 },
  B: 6,
  T: 4,
  seed: 5,
  h: hyperparameters(true),
  t: 2,
};

const run = (problem: Problem, Storage: Float32ArrayConstructor | Float64ArrayConstructor) => {
  const { config, layout, h, t, seed } = problem;
  const state = stateOf<Float32Array | Float64Array>(config, seed, Storage);
  return parallelStep(config, h, t, layout, shardState(config, layout, state), batchOf(problem));
};

test("one rank computes the dense step's bits, and sends nothing", () => {
  const layout: Layout = { data: 1, tensor: 1, sequence: true, zero: 3 };
  const got = run({ ...p, layout }, Float32Array);
  const wanted = step(p.config, p.h, p.t, stateOf(p.config, p.seed, Float32Array), batchOf(p));
  expect(got.shards[0]).toEqual(wanted.state);
  expect(got.losses).toEqual([wanted.loss]);
  expect(got.gradientNorms).toEqual([wanted.gradientNorm]);
  expect(got.traffic).toEqual([]);
});

test("more ranks than rows of a weight: some hold none of it", () => {
  const config = { ...p.config, dim: 4, nHeads: 2, nKvHeads: 2, ffnDim: 2, vocabSize: 3 };
  const ragged = { ...p, config, layout: { ...p.layout, data: 6 } };
  const shards = shardState(config, ragged.layout, stateOf(config, 1, Float64Array));
  expect(shards.some(({ weights }) => [...weights.values()].some(({ data }) => data.length === 0))).toBe(true);
  expect(difference(ragged).worst <= PARALLEL_STEP).toBe(true);
});

test("ZeRO's stages have the same bits as each other in float32, where nothing is clipped", () => {
  const weights = zeroStages.map((zero) => {
    const { shards } = run({ ...p, h: hyperparameters(false), layout: { ...p.layout, zero } }, Float32Array);
    // Of the second tensor rank: each stage's weights put together by rows.
    const ofRank = shards.filter((_, rank) => rank % p.layout.tensor === 1);
    return [...ofRank[0].weights.keys()].map((name) => {
      const parts = zero === 3 ? ofRank : ofRank.slice(0, 1);
      return parts.flatMap((shard) => Array.from(shard.weights.get(name)!.data));
    });
  });
  for (const other of weights.slice(1)) expect(other).toEqual(weights[0]);
});

test("what is wrong on one rank reaches every rank", () => {
  const state = stateOf(p.config, p.seed, Float32Array);
  const shards = shardState(p.config, p.layout, state);
  shards[1].weights.get("layers.1.feed_forward.w3.weight")!.data[0] = NaN;
  const { losses, gradientNorms } = parallelStep(p.config, p.h, p.t, p.layout, shards, batchOf(p));
  expect(losses).toEqual(Array.from({ length: rankCount(p.layout) }, () => NaN));
  expect(gradientNorms).toEqual(losses);
});

test("targets that are all ignored give loss 0, and a rank whose own are all ignored changes nothing", () => {
  const batch = batchOf(p);
  const shards = shardState(p.config, p.layout, stateOf(p.config, p.seed, Float64Array));
  const half = { ...batch.targets, data: batch.targets.data.map((target, i) => (i < (p.B * p.T) / 3 ? -100 : target)) };
  const some = parallelStep(p.config, p.h, p.t, p.layout, shards, { ...batch, targets: half });
  const wanted = step(p.config, p.h, p.t, stateOf(p.config, p.seed, Float64Array), { ...batch, targets: half });
  for (const loss of some.losses) expect(Math.abs(loss - wanted.loss) <= PARALLEL_STEP * wanted.loss).toBe(true);

  const none = { ...batch.targets, data: batch.targets.data.map(() => -100) };
  const { losses, gradientNorms } = parallelStep(p.config, p.h, p.t, p.layout, shards, { ...batch, targets: none });
  expect([...losses, ...gradientNorms].every((x) => x === 0)).toBe(true);
});

test("no rank writes into its shard or the batch", () => {
  const shards = shardState(p.config, p.layout, stateOf(p.config, p.seed, Float32Array));
  const batch = batchOf(p);
  const before = structuredClone({ shards, batch });
  parallelStep(p.config, p.h, p.t, p.layout, shards, batch);
  expect({ shards, batch }).toEqual(before);
});

describe("refused, as the dense step refuses it", () => {
  const shards = shardState(p.config, p.layout, stateOf(p.config, p.seed, Float32Array));
  const attempt = (change: (batch: ReturnType<typeof batchOf>) => void) => () => {
    const batch = batchOf(p);
    change(batch);
    parallelStep(p.config, p.h, p.t, p.layout, shards, batch);
  };
  test("a token beyond the vocabulary", () => {
    expect(attempt(({ tokens }) => void (tokens.data[3] = 11))).toThrow("tokens[3] is 11, expected an id in [0, 11)");
  });
  test("a target beyond the vocabulary", () => {
    expect(attempt(({ targets }) => void (targets.data[2] = -7))).toThrow(
      "targets[2] is -7, expected a class in [0, 11)",
    );
  });
  test("a sequence beyond maxSeqLen", () => {
    const long = batchOf({ ...p, T: 6 });
    expect(() => parallelStep(p.config, p.h, p.t, p.layout, shards, long)).toThrow("maxSeqLen=4");
  });
  test("shards of another layout", () => {
    const other = { ...p.layout, zero: 1 } as const;
    expect(() => parallelStep(p.config, p.h, p.t, other, shards, batchOf(p))).toThrow(
      "rank 0: weights tok_embeddings.weight has shape [1,16], expected [5,16]",
    );
    expect(() => parallelStep(p.config, p.h, p.t, p.layout, shards.slice(1), batchOf(p))).toThrow(
      "5 shards, expected 6: data 3 × tensor 2",
    );
  });
});
