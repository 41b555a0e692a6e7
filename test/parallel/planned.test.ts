// What the planner's formulas say that a rank holds, and that each policy would keep of it, against what the ranks hold.
import { expect, test } from "vitest";
import type { LlamaConfig } from "../../reference/config.ts";
import type { Layout } from "../../reference/parallel/layout.ts";
import type { RankStep } from "../../reference/parallel/step.ts";
import { parallelStep } from "../../reference/parallel/step.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { activationMemory } from "../../reference/planning/activations.ts";
import { zeroStages } from "../../reference/planning/layout.ts";
import { type Policy, policyNames } from "../../reference/planning/policies.ts";
import { rankState } from "../../reference/planning/state.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
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

function ranksOf(layout: Layout): readonly RankStep[] {
  const state = stateOf(config, 1, Float32Array);
  const problem = { config, layout, B, T, seed: 1, h: hyperparameters(true), t: 1 };
  const shards = shardState(config, layout, state);
  return parallelStep(config, problem.h, 1, layout, shards, batchOf(problem)).ranks;
}

const bytes = (...tensors: readonly Tensor<Floats | Ints>[]): number =>
  tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
const bytesOf = (table: Weights): number => bytes(...table.values());

/** A tensor by the planner's name, such as "attention.lse". */
const at = (part: object, name: string): Tensor =>
  name.split(".").reduce<unknown>((of, key) => (of as Record<string, unknown>)[key], part) as Tensor;

test.each(layouts)("what a rank holds under %j", (layout) => {
  const group = { tensor: layout.tensor, sequenceParallel: layout.sequence };
  const state = rankState(config, { ...layout, ...group }, "float32");
  for (const { passes, shard } of ranksOf(layout)) {
    const { activations: a, lse } = passes;
    for (const policy of policies) {
      const { block, model } = activationMemory(config, group, { B: B / layout.data, T }, policy, "float32");
      for (const layer of a.layers) {
        expect(new Map([...block.keys()].map((name) => [name, bytes(at(layer, name))]))).toEqual(block);
      }
      expect(Object.fromEntries(model)).toEqual({
        tokens: bytes(a.tokens),
        targets: bytes(a.tokens), // as many as tokens
        table: bytes(a.table.cos, a.table.sin),
        last: bytes(a.layers.at(-1)!.ffnResidual),
        "norm.y": bytes(a.norm.y),
        "norm.rstd": bytes(a.norm.rstd),
        logits: bytes(a.logits),
        "crossEntropy.lse": bytes(lse),
      });
    }
    expect(bytesOf(shard.weights)).toBe(state.weights);
    expect(bytesOf(shard.firstMoment) + bytesOf(shard.secondMoment)).toBe(state.optimizer);
  }
});
