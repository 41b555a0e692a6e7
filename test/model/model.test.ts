import { describe, expect, test } from "vitest";
import { type LlamaConfig, presets } from "../../reference/config.ts";
import { bits, normal, uniform } from "../../reference/random.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { type Batch, differentiate, lossOf } from "../../reference/training/step.ts";
import { countParameters, initialWeights, weightShapes } from "../../reference/weights.ts";
import * as model from "../../reference/model/model.ts";
import { CENTRAL_DIFFERENCE, CENTRAL_DIFFERENCE_FLOOR, CENTRAL_DIFFERENCE_STEP } from "../thresholds.ts";

/** Grouped queries, dim not a multiple of 4, a length of no special size. */
const small: LlamaConfig = {
  dim: 18,
  nLayers: 2,
  nHeads: 3,
  nKvHeads: 1,
  ffnDim: 10,
  vocabSize: 11,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 8,
};

/** Weights of every size that training meets, so that no term of the backward is too small to be seen. */
function lively<P extends Floats>(config: LlamaConfig, Storage: new (length: number) => P): Map<string, Tensor<P>> {
  const weights = initialWeights(config, 1, Storage);
  let stream = 0;
  for (const { data, shape } of weights.values()) {
    stream++;
    for (let i = 0; i < data.length; i++) {
      data[i] = shape.length === 1 ? 0.5 + uniform(7, stream, i) : 0.4 * normal(7, stream, i);
    }
  }
  return weights;
}

function batchOf(config: LlamaConfig, B: number, T: number): Batch {
  const ids = (stream: number): Tensor<Int32Array> => ({
    data: Int32Array.from({ length: B * T }, (_, i) => bits(3, stream, i) % config.vocabSize),
    shape: [B, T],
  });
  const targets = ids(2);
  targets.data[1] = -100; // one that does not count
  return { tokens: ids(1), targets };
}

describe.each([
  { name: "an untied head", config: small },
  { name: "a tied head", config: { ...small, tiedEmbeddings: true, nLayers: 1 } },
])("with $name", ({ config }) => {
  test("every gradient agrees with central differences", () => {
    const weights = lively(config, Float64Array);
    const batch = batchOf(config, 2, 5);
    const { gradients } = differentiate(config, weights, batch);
    expect([...gradients.weights.keys()]).toEqual([...weightShapes(config).keys()]);
    let worst = 0;
    let compared = 0;
    for (const [name, { data }] of weights) {
      const gradient = gradients.weights.get(name)!;
      for (let i = 0; i < data.length; i++) {
        const w = data[i];
        data[i] = w + CENTRAL_DIFFERENCE_STEP;
        const above = lossOf(config, weights, batch).data[0];
        data[i] = w - CENTRAL_DIFFERENCE_STEP;
        const below = lossOf(config, weights, batch).data[0];
        data[i] = w;
        const wanted = (above - below) / (2 * CENTRAL_DIFFERENCE_STEP);
        const got = gradient.data[i];
        const error = Math.abs(got - wanted) / (Math.abs(got) + CENTRAL_DIFFERENCE_FLOOR);
        compared++;
        if (!(error <= worst)) worst = error;
      }
    }
    expect(compared).toBe(countParameters(config));

    expect(worst < CENTRAL_DIFFERENCE, `worst ${worst}`).toBe(true);
  });

  test("neither pass writes into what it is given", () => {
    const weights = lively(config, Float32Array);
    const batch = batchOf(config, 2, 5);
    const before = structuredClone({ weights, batch });
    const first = differentiate(config, weights, batch);
    expect({ weights, batch }).toEqual(before);
    expect(differentiate(config, weights, batch)).toEqual(first);
  });

  test("a position sees nothing of the positions after it", () => {
    const weights = lively(config, Float32Array);
    const { tokens } = batchOf(config, 1, 6);
    const changed = { ...tokens, data: tokens.data.slice() };
    changed.data[4] = (changed.data[4] + 1) % config.vocabSize;
    const at = (t: typeof tokens): Floats => model.forward(config, weights, t).logits.data;
    const V = config.vocabSize;
    expect(at(changed).subarray(0, 4 * V)).toEqual(at(tokens).subarray(0, 4 * V));
    expect(at(changed).subarray(4 * V)).not.toEqual(at(tokens).subarray(4 * V));
  });
});

test("a tied head's gradient is the sum of its two terms, stored once more", () => {
  const config = { ...small, tiedEmbeddings: true };
  const { gradients } = differentiate(config, lively(config, Float32Array), batchOf(config, 2, 5));
  const { embedding, head } = gradients.terms!;
  const sum = embedding.data.map((x, i) => x + head.data[i]);
  expect(gradients.weights.get("tok_embeddings.weight")!.data).toEqual(sum);
  expect(head.data.some((x) => x !== 0) && embedding.data.some((x) => x !== 0)).toBe(true);
});

test("targets that are all ignored give loss 0 and zero gradients", () => {
  const batch = batchOf(small, 1, 4);
  batch.targets.data.fill(-100);
  const { loss, gradients, norm } = differentiate(small, lively(small, Float32Array), batch);
  expect(loss.data[0]).toBe(0);
  expect(norm.data[0]).toBe(0);
  for (const { data } of gradients.weights.values()) expect(data.every((x) => x === 0)).toBe(true);
});

test("NaN in one weight reaches the loss", () => {
  const weights = lively(small, Float32Array);
  weights.get("layers.1.feed_forward.w3.weight")!.data[5] = NaN;
  expect(lossOf(small, weights, batchOf(small, 1, 4)).data[0]).toBeNaN();
});

test("a sequence beyond maxSeqLen and a token beyond the vocabulary are refused", () => {
  const weights = lively(small, Float32Array);
  expect(() => model.forward(small, weights, batchOf(small, 1, 9).tokens)).toThrow("maxSeqLen=8");
  const { tokens } = batchOf(small, 1, 4);
  tokens.data[2] = 11;
  expect(() => model.forward(small, weights, tokens)).toThrow("tokens[2] is 11, expected an id in [0, 11)");
});

test.each([
  ["7B", 6_738_415_616],
  ["13B", 13_015_864_320],
  ["33B", 32_528_943_616],
  ["65B", 65_285_660_672],
] as const)("the preset %s has the paper's number of parameters", (name, count) => {
  expect(countParameters(presets[name])).toBe(count);
});
