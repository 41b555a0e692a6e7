// The planner's table of activations against the model that it describes: the same tensors, the same bytes, the same reads.
import { describe, expect, test } from "vitest";
import { headSize, type LlamaConfig, presets } from "../../reference/config.ts";
import * as block from "../../reference/model/block.ts";
import { type ModelTensorName, modelTensors } from "../../reference/model/model-table.ts";
import { activationMemory } from "../../reference/planning/activations.ts";
import {
  blockOps,
  blockTensors,
  blockWeights,
  type OpRow,
  opOf,
  type TensorName,
  type TensorRow,
  type WeightName,
} from "../../reference/model/block-table.ts";
import { kept, parsePolicy, policyNames } from "../../reference/model/policies.ts";
import { count, localCount, localSizes, sizesOf } from "../../reference/model/sizes.ts";
import { rankParameters, rankState, trainingState } from "../../reference/planning/state.ts";
import { differentiate } from "../../reference/training/step.ts";
import { type Tensor, tensor, zeros } from "../../reference/tensor.ts";
import {
  countParameters,
  initialWeights,
  layerWeights,
  weightShapes,
  layerWeightName,
} from "../../reference/weights.ts";

const config: LlamaConfig = { ...presets.tiny, nLayers: 3, vocabSize: 20, tiedEmbeddings: false };
const [B, T] = [2, 5];
const alone = { tensor: 1, sequence: false };
const tokens = tensor(
  Int32Array.from({ length: B * T }, (_, i) => (i * 7) % config.vocabSize),
  [B, T],
);
const weights = initialWeights(config, 1, Float32Array);
const passes = differentiate(config, weights, { tokens, targets: tokens });
const { activations } = passes;
const names = Object.keys(blockTensors) as TensorName[];

/** A tensor of a block by the table's name, such as "attention.lse". */
function at(a: block.BlockActivations, name: TensorName): Tensor {
  return name.split(".").reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], a) as Tensor;
}

/** The names of all tensors of an object of tensors. */
function namesOf(part: object, prefix = ""): string[] {
  return Object.entries(part).flatMap(([key, value]) =>
    "data" in (value as object) ? [prefix + key] : namesOf(value as object, `${prefix}${key}.`),
  );
}

/** Which tensors `use` reads of a block's activations. */
function readsOf(
  a: block.BlockActivations<Float32Array>,
  use: (a: block.BlockActivations<Float32Array>) => void,
): string[] {
  const read = new Set<string>();
  const watch = (part: object, prefix: string): object =>
    new Proxy(part, {
      get(target, key) {
        const value = (target as Record<string | symbol, unknown>)[key] as object;
        if ("data" in value) read.add(prefix + String(key));
        return "data" in value ? value : watch(value, `${prefix}${String(key)}.`);
      },
    });
  use(watch(a, "") as block.BlockActivations<Float32Array>);
  return [...read];
}

describe("the table of a block", () => {
  const layer = activations.layers[0];

  test("has the tensors of the forward, and no other", () => {
    expect([...names].toSorted()).toEqual(namesOf(layer).toSorted());
  });

  test("has their sizes", () => {
    const sizes = sizesOf(config, B, T);
    for (const name of names) {
      expect(localCount(blockTensors[name], sizes, alone), name).toBe(at(layer, name).data.length);
    }
  });

  test("has the weights of a layer", () => {
    const sizes = sizesOf(config, B, T);
    const shapes = weightShapes(config);
    for (const weight of Object.keys(blockWeights) as WeightName[]) {
      const shape = shapes.get(layerWeightName(0, weight))!;
      expect(count(blockWeights[weight], sizes), weight).toBe(shape.reduce((n, length) => n * length, 1));
    }
  });

  test("says what the backward reads", () => {
    const dy = zeros(layer.x);
    const reads = readsOf(layer, (a) => block.backward(config, layerWeights(weights, 0), activations.table, a, dy));
    expect(reads.toSorted()).toEqual([...kept("none").saved].toSorted());
  });

  test("gives each tensor but x by one op, after its inputs", () => {
    const given = new Set<TensorName>(["x"]);
    for (const op of blockOps) {
      for (const input of Object.values(op.inputs)) expect(given.has(input), input).toBe(true);
      for (const output of Object.values(op.outputs)) {
        expect(given.has(output), output).toBe(false);
        expect(opOf(output)).toBe(op);
        given.add(output);
      }
    }
    expect([...given].toSorted()).toEqual([...names].toSorted());
  });
});

describe("policies", () => {
  const listed = (...of: TensorName[]): TensorName[] => of;
  test.each([
    [
      "none",
      listed(
        "x",
        "attentionNorm.y",
        "attentionNorm.rstd",
        "v",
        "q",
        "k",
        "attention.y",
        "attention.lse",
        "attentionResidual",
        "ffnNorm.y",
        "ffnNorm.rstd",
        "gate",
        "up",
        "swiglu",
      ),
      [] as string[],
    ],
    [
      "selective",
      listed("x", "qProjection", "kProjection", "v", "attentionOutput", "gate", "up"),
      ["rmsnorm", "rope", "rope", "attention", "add", "rmsnorm", "swiglu"],
    ],
    [
      "full",
      listed("x"),
      [
        "rmsnorm",
        "linear",
        "linear",
        "linear",
        "rope",
        "rope",
        "attention",
        "linear",
        "add",
        "rmsnorm",
        "linear",
        "linear",
        "swiglu",
      ],
    ],
    [
      "q,k,v",
      listed("x", "v", "q", "k"),
      ["rmsnorm", "attention", "linear", "add", "rmsnorm", "linear", "linear", "swiglu"],
    ],
  ])("%s", (name, saved, ops) => {
    const { saved: held, recomputed } = kept(parsePolicy(name));
    expect([...held].toSorted()).toEqual([...saved].toSorted());
    expect(recomputed.map(({ op }: OpRow) => op)).toEqual(ops);
  });

  test("what is saved and recomputed is enough for the backward, whatever the list", () => {
    for (let bits = 0; bits < 1 << names.length; bits += 977) {
      const list = names.filter((_, i) => (bits >> i) & 1);
      const { saved, recomputed } = kept(list);
      const there = new Set<TensorName>(saved);
      for (const op of recomputed) {
        for (const input of Object.values(op.inputs)) expect(there.has(input), `${list}: ${input}`).toBe(true);
        for (const output of Object.values(op.outputs)) there.add(output);
      }
      for (const name of kept("none").saved) expect(there.has(name), `${list}: ${name}`).toBe(true);
    }
  });

  test("a name that is none is refused with those that are", () => {
    expect(() => parsePolicy("qProjection,z")).toThrow(
      /^"z" is not a policy of recomputation, expected none, selective, full, or outputs .*ffnOutput/,
    );
    expect(() => parsePolicy("")).toThrow(RangeError);
    expect(() => parsePolicy("constructor")).toThrow(RangeError);
  });
});

describe("bytes", () => {
  test.each(policyNames)("%s: those of the tensors that a step in float32 holds", (policy) => {
    const memory = activationMemory(config, alone, { B, T }, policy, "float32");
    let held = 0;
    for (const layer of activations.layers) {
      for (const name of kept(policy).saved) held += at(layer, name).data.byteLength;
    }
    const outside: Record<ModelTensorName, number> = {
      tokens: activations.tokens.data.byteLength,
      targets: tokens.data.byteLength,
      table: activations.table.cos.data.byteLength + activations.table.sin.data.byteLength,
      last: activations.layers.at(-1)!.ffnResidual.data.byteLength,
      "norm.y": activations.norm.y.data.byteLength,
      "norm.rstd": activations.norm.rstd.data.byteLength,
      logits: activations.logits.data.byteLength,
      "crossEntropy.lse": passes.lse.data.byteLength,
    };
    expect(Object.fromEntries(memory.model)).toEqual(outside);
    for (const bytes of Object.values(outside)) held += bytes;
    expect(memory.saved).toBe(held);
  });

  test("statistics stay in float32 where activations have 16 bits", () => {
    const low = activationMemory(config, alone, { B, T }, "none", "bfloat16");
    const high = activationMemory(config, alone, { B, T }, "none", "float32");
    for (const [name, bytes] of high.block) {
      const row: TensorRow = blockTensors[name];
      expect(low.block.get(name)! * (row.stored === "statistic" ? 1 : 2), name).toBe(bytes);
    }
    expect(low.model.get("tokens")).toBe(high.model.get("tokens"));
  });

  test.each([1, 2])(
    "of a group of %i ranks: shares of what is divided add up to the whole, the rest is on each",
    (t) => {
      for (const sequence of [false, true]) {
        const group = { tensor: t, sequence };
        const [B2, T2] = [2, 6];
        const whole = sizesOf(config, B2, T2);
        const local = localSizes(whole, group);
        for (const row of [...Object.values(blockTensors), ...Object.values(modelTensors)] as TensorRow[]) {
          const divided = row.region === "tensor" || (row.region === "sequence" && sequence);
          expect(localCount(row, local, group) * (divided ? t : 1)).toBe(localCount(row, whole, alone));
        }
      }
    },
  );

  test("per token and layer, by hand for 7B in bfloat16", () => {
    const { dim: C, ffnDim: F, nHeads: NH } = presets["7B"];
    const { block: layer } = activationMemory(presets["7B"], alone, { B: 1, T: 1 }, "none", "bfloat16");
    // Eight rows of C (x, two norms, q, k, v, the attention, the residual) and three of F; two rstd and NH lse in float32.
    expect([...layer.values()].reduce((a, b) => a + b)).toBe(2 * (8 * C + 3 * F) + 4 * (2 + NH));
  });
});

describe("training state", () => {
  test.each(Object.keys(presets) as (keyof typeof presets)[])("%s: one rank holds every parameter", (name) => {
    expect(rankParameters(presets[name], alone).total).toBe(countParameters(presets[name]));
    for (const dtype of ["bfloat16", "float16", "float32"] as const) {
      expect(trainingState(presets[name], dtype).total).toBe(16 * countParameters(presets[name]));
    }
  });

  test("a group of t holds the matrices once and the gains t times", () => {
    const t = 8;
    const gains = (2 * presets["65B"].nLayers + 1) * presets["65B"].dim;
    const { total } = rankParameters(presets["65B"], { tensor: t, sequence: true });
    expect(t * (total - gains) + gains).toBe(countParameters(presets["65B"]));
  });

  test("each ZeRO stage shards one more part over the data ranks, rounded up", () => {
    const P = countParameters(config);
    const data = 11;
    const shard = Math.ceil(P / data);
    expect(P % data).not.toBe(0);
    const under = (zero: 0 | 1 | 2 | 3): number => rankState(config, { ...alone, data, zero }, "bfloat16").total;
    expect([under(0), under(1), under(2), under(3)]).toEqual([
      16 * P,
      4 * P + 12 * shard,
      2 * P + 14 * shard,
      16 * shard,
    ]);
  });
});

test("the head's size is a whole number in every preset", () => {
  for (const preset of Object.values(presets)) expect(Number.isInteger(headSize(preset))).toBe(true);
});

test("the embedding is the first block's x, and a block's result the next one's: none is held twice", () => {
  const { embedding, layers } = activations;
  expect(embedding).toBe(layers[0].x);
  for (let i = 1; i < layers.length; i++) expect(layers[i].x).toBe(layers[i - 1].ffnResidual);
});
