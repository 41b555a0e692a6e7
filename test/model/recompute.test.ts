// Recomputation: the same gradients, bit for bit, under every policy; what it holds and spends is what the ledger and the
// planner say; and the faults that would break it are seen.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blameInstances } from "../../judge/blame.ts";
import { instancesOf } from "../../trace/instances.ts";
import type { LlamaConfig } from "../../reference/config.ts";
import { ledgerOf, peakOf } from "../../reference/model/ledger.ts";
import { allOf, type Saved } from "../../reference/model/lazily.ts";
import * as model from "../../reference/model/model.ts";
import { backwardRecomputing, forwardSaving, recompute } from "../../reference/model/recompute.ts";
import { schedule } from "../../reference/model/schedule.ts";
import * as crossEntropy from "../../reference/ops/cross-entropy.ts";
import { operations } from "../../reference/ops/index.ts";
import { activationMemory } from "../../reference/planning/activations.ts";
import { tokenArithmetic } from "../../reference/planning/arithmetic.ts";
import { blockTensors, type TensorName } from "../../reference/model/block-table.ts";
import { kept, type Policy, policyNames } from "../../reference/model/policies.ts";
import { sizesOf } from "../../reference/model/sizes.ts";
import { targets } from "../../reference/targets.ts";
import { type Tensor, view } from "../../reference/tensor.ts";
import { recordPasses } from "../../reference/training/recorded.ts";
import { toTheEnd } from "../../reference/turns.ts";
import { differentiateInParts, passesOverParts } from "../../reference/training/in-parts.ts";
import { differentiate, initialState, update } from "../../reference/training/step.ts";
import { layerWeights, type Weights } from "../../reference/weights.ts";
import { anyConfig, anyPolicy, batchOf, lively } from "./problem.ts";

const config: LlamaConfig = {
  dim: 12,
  nLayers: 3,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 10,
  vocabSize: 11,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 16,
};
const [B, T] = [2, 5];
const oneRank = { tensor: 1, sequence: false };

test("gradients have the same bits under every policy", () => {
  fc.assert(
    fc.property(anyConfig, anyPolicy, fc.boolean(), (c, policy, isDouble) => {
      const weights = lively<Float32Array | Float64Array>(c, isDouble ? Float64Array : Float32Array);
      const batch = batchOf(c, 2, 4, 5);
      const want = differentiate(c, weights, batch);
      const got = differentiateInParts(c, weights, [batch], policy);
      expect(got).toEqual({ loss: want.loss.data[0], gradients: want.gradients.weights, norm: want.norm });
      const { parts, norm } = passesOverParts(c, weights, [batch], policy);
      expect({ ...parts[0], norm }).toEqual(want); // the trace, too
    }),
    { numRuns: 30, seed: 1 },
  );
});

/** What a forward under a policy really holds at its end, and what its backward really computes again. */
function measured(c: LlamaConfig, policy: Policy) {
  const weights = lively(c, Float32Array);
  const batch = batchOf(c, B, T);
  const a = toTheEnd(forwardSaving(c, weights, batch.tokens, policy));
  const flatTargets = view(batch.targets, [B * T]);
  const { lse } = crossEntropy.forward(a.logits, flatTargets);
  const again: { layer: number; line: string; bytes: [TensorName, number][] }[] = [];
  const { dlogits } = crossEntropy.backward({ data: Float32Array.of(1), shape: [] }, a.logits, flatTargets, lse);
  const turns = backwardRecomputing(c, weights, a, dlogits, (layer) => (line, outputs) => {
    const bytes = [...outputs].map(([name, t]): [TensorName, number] => [name, t.data.byteLength]);
    again.push({ layer, line, bytes });
  });
  toTheEnd(turns);
  const bytesOf = (...tensors: Tensor<never>[] | Tensor[]): number =>
    tensors.reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0);
  return {
    blocks: a.layers.map((saved) => new Map([...saved].map(([name, t]) => [name, bytesOf(t)]))),
    model: {
      tokens: batch.tokens.data.byteLength,
      targets: batch.targets.data.byteLength,
      table: bytesOf(a.table.cos, a.table.sin),
      last: bytesOf(a.last),
      "norm.y": bytesOf(a.norm.y),
      "norm.rstd": bytesOf(a.norm.rstd),
      logits: bytesOf(a.logits),
      "crossEntropy.lse": bytesOf(lse),
    },
    again,
  };
}

describe("the ledger", () => {
  test("what is held between the passes is what the planner says, tensor by tensor", () => {
    fc.assert(
      fc.property(anyConfig, anyPolicy, (c, policy) => {
        const found = measured(c, policy);
        const planned = activationMemory(c, oneRank, { B, T }, policy, "float32");
        const { block } = ledgerOf(c, { B, T }, policy);
        for (const held of found.blocks) expect([held, block.saved]).toEqual([planned.block, planned.block]);
        expect(new Map(Object.entries(found.model))).toEqual(planned.model);
        const all = [...found.blocks.flatMap((held) => [...held.values()]), ...Object.values(found.model)];
        expect(all.reduce((sum, bytes) => sum + bytes, 0)).toBe(planned.saved);
        // The planner counts what is recomputed and gradients in flight from above.
        const { peak } = ledgerOf(c, { B, T }, policy);
        expect(peak.bytes).toBeLessThanOrEqual(planned.saved + planned.recomputed + planned.gradients);
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  test("what is computed again, and in which order, is what the schedule says; its products are the planner's", () => {
    fc.assert(
      fc.property(anyConfig, anyPolicy, (c, policy) => {
        const { again } = measured(c, policy);
        const rows = schedule(c.nLayers, policy).filter(({ op }) => op.startsWith("again "));
        expect(again.map(({ layer, bytes }) => [layer, bytes.map(([name]) => name)])).toEqual(
          rows.map(({ layer, gives }) => [layer, gives.map(({ like }) => like)]),
        );
        const planned = activationMemory(c, oneRank, { B, T }, policy, "float32");
        const saved = new Set(kept(policy).saved);
        const anew = again.flatMap(({ bytes }) => bytes.filter(([name]) => !saved.has(name)));
        expect(anew.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(c.nLayers * planned.recomputed);
        // The planner counts the scores that the attention's backward computes again, under every policy.
        const spent = tokenArithmetic(c, T, policy).again - tokenArithmetic(c, T, "none").again;
        expect(ledgerOf(c, { B, T }, policy).again).toBe(B * Math.round(T * spent)); // per token there, so a fraction
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  test("at the peak, all of what is held for later blocks' backwards is held", () => {
    for (const policy of policyNames) {
      const { peak, block } = ledgerOf(config, { B, T }, policy);
      const held = new Map(peak.held.map(({ name, bytes }) => [name, bytes]));
      for (let i = 0; i < config.nLayers - 1; i++) {
        for (const [name, bytes] of block.saved) expect(held.get(name === "x" ? `x${i}` : `${i}.${name}`)).toBe(bytes);
      }
      expect(peak.bytes).toBe(peak.held.reduce((sum, { bytes }) => sum + bytes, 0));
    }
    const [none, selective, full] = policyNames.map((policy) => ledgerOf(config, { B, T }, policy).peak.bytes);
    expect(none).toBeGreaterThan(selective);
    expect(selective).toBeGreaterThan(full);
  });
});

describe("planted faults", () => {
  const weights = lively(config, Float32Array);
  const batch = batchOf(config, B, T);
  const want = differentiate(config, weights, batch);

  /** The trace of a step whose backward reads the activations of `restored`. */
  function firstFault(restored: (saved: Saved<Tensor<Float32Array>>, i: number) => unknown): string | undefined {
    const { activations } = want;
    const layers = activations.layers.map((layer, i) => {
      const names = kept("full").saved;
      return restored(new Map(names.map((name) => [name, layer[name as "x"]])), i);
    });
    const { logits, lse, dloss } = { ...want, logits: activations.logits };
    const { dlogits } = crossEntropy.backward(dloss, logits, view(batch.targets, [B * T]), lse);
    const gradients = model.backward(config, weights, { ...activations, layers } as typeof activations, dlogits);
    const recorded = new Map<string, Tensor>();
    recordPasses({ ...want, gradients }, (name, t) => recorded.set(name, t));
    recorded.set("tokens", batch.tokens as never).set("targets", batch.targets as never);
    for (const [name, w] of weights) recorded.set(`weights.${name}`, w);
    const instances = instancesOf({ config, B, T, like: { data: new Float32Array(0), shape: [0] } }, 0);
    const read = (name: string) => {
      const tensor = recorded.get(name);
      return tensor === undefined ? undefined : { tensor, dtype: "float32" as const };
    };
    const recording = { path: "", metadata: {}, dtype: undefined, read, close: () => {} };
    const found = blameInstances(instances, operations, recording, targets.ieee);
    expect(found.judged.length).toBeGreaterThan(100);
    return found.faults[0] && `${found.faults[0].op} ${found.faults[0].tensor}`;
  }
  const restore = (from: Weights<Float32Array>) => (saved: Saved<Tensor<Float32Array>>, i: number) =>
    recompute(config, layerWeights(from, i), want.activations.table, saved);

  test("without a fault, none is found", () => {
    expect(firstFault(restore(weights))).toBeUndefined();
  });

  test("recomputation that reads updated weights is blamed where its first result is read", () => {
    const h = { learningRate: 0.01, warmupSteps: 0, totalSteps: 10, minLearningRateRatio: 0.1, weightDecay: 0.1 };
    const hyperparameters = { ...h, beta1: 0.9, beta2: 0.95, adamEps: 1e-8, maxGradientNorm: 1 };
    const { state } = update(hyperparameters, 1, initialState(weights), want.gradients.weights, want.norm);
    expect(firstFault(restore(state.weights))).toBe("linear.backward gradients.layers.2.feed_forward.w2.weight");
  });

  test("a policy that forgets a tensor: read as zeros, it is blamed", () => {
    const forgotten = firstFault((saved, i) => {
      const a = restore(weights)(saved, i);
      const { y, lse } = a.attention;
      const lost = { y, lse: { data: new Float32Array(lse.data.length), shape: lse.shape } };
      return Object.create(a, { attention: { value: lost } }) as typeof a;
    });
    expect(forgotten).toMatch(/^attention\.backward activationGradients\.layers\.2\./);
  });

  test("a policy that forgets the block's input cannot be recomputed from", () => {
    expect(() => restore(weights)(new Map(), 0).gate).toThrow();
    const rows = schedule(1, "full").filter(({ op }) => op !== "embedding");
    expect(() => peakOf(rows, sizesOf(config, B, T), "float32")).toThrow("reads x0, which no earlier op gave");
  });

  test("a policy that saves one tensor less than it says holds less than is planned", () => {
    const all = Object.keys(blockTensors) as TensorName[];
    const planned = activationMemory(config, oneRank, { B, T }, "none", "float32");
    for (const lost of kept("none").saved.filter((name) => name !== "x")) {
      const { blocks } = measured(
        config,
        all.filter((name) => name !== lost),
      );
      expect(blocks[0], lost).not.toEqual(planned.block);
    }
  });
});

test("the lines that recompute are the block's forward", () => {
  const weights = lively(config, Float64Array);
  const { activations } = differentiate(config, weights, batchOf(config, B, T));
  const [layer] = activations.layers;
  const lines = recompute(config, layerWeights(weights, 0), activations.table, new Map([["x", layer.x]]));
  for (const name of Object.keys(layer) as (keyof typeof layer)[]) expect(lines[name], name).toEqual(layer[name]);
  expect(allOf(new Map([["x", 1]]), {})).toEqual({ x: 1 });
});
