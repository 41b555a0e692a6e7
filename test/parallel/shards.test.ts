// What was cut can be put together again, and cut otherwise.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { type Layout, rankCount } from "../../reference/parallel/layout.ts";
import { gatherState, reshard, shardShapes, shardState } from "../../reference/parallel/shards.ts";
import { parallelStep } from "../../reference/parallel/step.ts";
import { zeroStages } from "../../reference/planning/layout.ts";
import { step, type TrainingState } from "../../reference/training/step.ts";
import { countParameters, weightShapes } from "../../reference/weights.ts";
import { PARALLEL_STEP } from "../thresholds.ts";
import { batchOf, problems, relative, stateOf } from "./problem.ts";

const RUNS = 60;
const zero = fc.constantFrom(...zeroStages);

test("gathering what was cut gives it back, bit by bit, whatever the vocabulary", () => {
  fc.assert(
    fc.property(problems, ({ config, layout, seed }) => {
      const state = stateOf(config, seed, Float32Array);
      expect(gatherState(config, layout, shardState(config, layout, state))).toEqual(state);
    }),
    { numRuns: RUNS },
  );
});

test("a run goes on under another layout: three steps, each under its own, are three dense steps", () => {
  fc.assert(
    fc.property(problems, zero, zero, fc.boolean(), (p, second, third, sequence) => {
      const { config, h, seed } = p;
      const layouts: Layout[] = [
        p.layout,
        { data: p.B, tensor: 1, sequence, zero: second },
        { data: 1, tensor: p.layout.tensor, sequence: false, zero: third },
      ];
      let wanted: TrainingState<Float64Array> = stateOf(config, seed, Float64Array);
      let shards: readonly TrainingState<Float64Array>[] = shardState(config, layouts[0], wanted);
      for (const [i, layout] of layouts.entries()) {
        const batch = batchOf({ ...p, seed: seed + i });
        if (i > 0) shards = reshard(config, layouts[i - 1], layout, shards);
        shards = parallelStep(config, h, p.t + i, layout, shards, batch).shards;
        wanted = step(config, h, p.t + i, wanted, batch).state;
      }
      const got = gatherState(config, layouts[2], shards);
      for (const [name, w] of wanted.weights) {
        const off = relative(got.weights.get(name)!.data, w.data);
        expect(off <= PARALLEL_STEP, `${name}: ${off}`).toBe(true);
      }
    }),
    { numRuns: RUNS },
  );
});

test("the shapes that are told are those that are cut", () => {
  fc.assert(
    fc.property(problems, ({ config, layout, seed }) => {
      for (const [rank, shard] of shardState(config, layout, stateOf(config, seed, Float32Array)).entries()) {
        for (const table of ["weights", "firstMoment", "secondMoment"] as const) {
          const cut = [...shard[table]].map(([name, { shape }]) => [name, shape]);
          expect([...shardShapes(config, layout, table, rank)]).toEqual(cut);
        }
      }
    }),
    { numRuns: RUNS },
  );
});

test("each number of 65B is held once with ZeRO stage 3, but for the gains of the norms", () => {
  const config = presets["65B"];
  const layout: Layout = { data: 7, tensor: 8, sequence: true, zero: 3 }; // 7 divides nothing
  let held = 0;
  for (let rank = 0; rank < rankCount(layout); rank++) {
    for (const shape of shardShapes(config, layout, "weights", rank).values()) held += shape.reduce((n, d) => n * d, 1);
  }
  let gains = 0;
  for (const shape of weightShapes(config).values()) if (shape.length === 1) gains += shape[0];
  expect(held).toBe(countParameters(config) + (layout.tensor - 1) * gains);
});

describe("refused", () => {
  const [p] = fc.sample(problems, { numRuns: 1, seed: 1 });
  const layout: Layout = { data: 2, tensor: p.layout.tensor, sequence: false, zero: 0 };
  const shards = () => shardState(p.config, layout, stateOf(p.config, p.seed, Float32Array));

  test("replicas that differ", () => {
    const broken = shards();
    broken[layout.tensor].weights.get("norm.weight")!.data[1] = NaN;
    expect(() => gatherState(p.config, layout, broken.with(0, shards()[0]))).toThrow(
      /^weights norm\.weight\[1\] is \S+ on one rank and NaN on another that replicates it$/,
    );
  });

  test("a shard without a weight, or with one too many", () => {
    const [first, ...others] = shards();
    const without = { ...first, firstMoment: new Map([...first.firstMoment].slice(1)) };
    expect(() => gatherState(p.config, layout, [without, ...others])).toThrow(
      "rank 0: firstMoment tok_embeddings.weight is missing, expected [",
    );
    const more = { ...first, weights: new Map([...first.weights, ["bias", first.weights.get("norm.weight")!]]) };
    expect(() => gatherState(p.config, layout, [more, ...others])).toThrow(
      "rank 0: weights bias is not a weight of this configuration",
    );
  });

  test("weights of another configuration", () => {
    const other = { ...p.config, vocabSize: p.config.vocabSize + 1 };
    expect(() => shardState(other, layout, stateOf(p.config, 1, Float32Array))).toThrow(
      "tok_embeddings.weight has shape",
    );
  });
});
