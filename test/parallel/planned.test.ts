// What the planner's formulas say that a rank holds, and that each policy would keep of it, against what the ranks hold.
import { expect, test } from "vitest";
import type { LlamaConfig } from "../../reference/config.ts";
import type { Layout } from "../../reference/parallel/layout.ts";
import { rankLedgerOf } from "../../reference/parallel/ledger.ts";
import { type ParallelOptions, parallelStep, type RankStep } from "../../reference/parallel/step.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { activationMemory } from "../../reference/planning/activations.ts";
import { zeroStages } from "../../reference/planning/layout.ts";
import { type Policy, policyNames } from "../../reference/model/policies.ts";
import { rankState } from "../../reference/planning/state.ts";
import type { Weights } from "../../reference/weights.ts";
import { batchOf, hyperparameters, stateOf } from "./problem.ts";

/** The planner counts whole parts, so everything divides. */
const config: LlamaConfig = {
  dim: 32,
  nLayers: 2,
  nHeads: 8,
  nKvHeads: 4,
  ffnDim: 32,
  vocabSize: 32,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 8,
};
const [B, T] = [4, 8];

const policies: readonly Policy[] = [...policyNames, ["q", "ffnNorm.y"]];
const layouts: Layout[] = [1, 2, 4].flatMap((data) =>
  [1, 2, 4].flatMap((tensor) =>
    [false, true].flatMap((sequence) => zeroStages.map((zero) => ({ data, tensor, sequence, zero }))),
  ),
);

function ranksOf(layout: Layout, options?: ParallelOptions): readonly RankStep[] {
  const state = stateOf(config, 1, Float32Array);
  const problem = { config, layout, B, T, seed: 1, h: hyperparameters(true), t: 1 };
  const shards = shardState(config, layout, state);
  return parallelStep(config, problem.h, 1, layout, shards, batchOf(problem), options).ranks;
}

const bytesOf = (table: Weights): number => [...table.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
const sum = (bytes: ReadonlyMap<string, number>): number => [...bytes.values()].reduce((total, n) => total + n, 0);

test.each(layouts)("what a rank holds under %j", (layout) => {
  const state = rankState(config, layout, "float32");
  for (const recompute of policies) {
    const planned = activationMemory(config, layout, { B: B / layout.data, T }, recompute, "float32");
    for (const { passes, shard } of ranksOf(layout, { recompute })) {
      const { blocks, model, saved, again } = rankLedgerOf(passes.parts[0]);
      expect(blocks).toEqual(blocks.map(() => planned.block));
      expect(blocks).toHaveLength(config.nLayers);
      expect(model).toEqual(planned.model);
      expect(saved).toBe(planned.saved);
      expect(again.map(sum)).toEqual(again.map(() => planned.recomputed));
      expect(bytesOf(shard.weights)).toBe(state.weights);
      expect(bytesOf(shard.firstMoment) + bytesOf(shard.secondMoment)).toBe(state.optimizer);
    }
  }
});

test("of a micro-batch it holds as much as of a batch of that size", () => {
  const layout: Layout = { data: 2, tensor: 4, sequence: true, zero: 2 };
  const planned = activationMemory(config, layout, { B: 1, T }, "selective", "float32");
  for (const { passes } of ranksOf(layout, { recompute: "selective", microBatches: 2 })) {
    expect(passes.parts.map((part) => rankLedgerOf(part).saved)).toEqual([planned.saved, planned.saved]);
  }
});

test("a rank that saved a tensor less, or kept one whole that it shares, would be seen", () => {
  const layout: Layout = { data: 1, tensor: 2, sequence: true, zero: 0 };
  const [{ passes }] = ranksOf(layout, { recompute: "none" });
  const planned = (sequence: boolean) =>
    activationMemory(config, { ...layout, sequence }, { B, T }, "none", "float32").block;
  const [{ activations }] = passes.parts;
  const kept = new Map(activations.saved[0]);
  kept.delete("attention.lse");
  const ledger = rankLedgerOf({ ...passes.parts[0], activations: { ...activations, saved: [kept] } });
  expect(ledger.blocks[0]).not.toEqual(planned(true));
  expect(rankLedgerOf(passes.parts[0]).blocks[0]).not.toEqual(planned(false));
});
