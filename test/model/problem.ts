// Small models and batches for tests of whole passes.
import fc from "fast-check";
import type { LlamaConfig } from "../../reference/config.ts";
import { blockTensors, type TensorName } from "../../reference/model/block-table.ts";
import { type Policy, policyNames } from "../../reference/model/policies.ts";
import { bits, normal, uniform } from "../../reference/random.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import type { Batch } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";

/** Configurations of every form: grouped queries or not, a tied head or not, one to three blocks. */
export const anyConfig: fc.Arbitrary<LlamaConfig> = fc
  .record({
    nLayers: fc.integer({ min: 1, max: 3 }),
    nKvHeads: fc.integer({ min: 1, max: 2 }),
    groups: fc.integer({ min: 1, max: 2 }),
    halfHead: fc.integer({ min: 1, max: 3 }),
    ffnDim: fc.integer({ min: 1, max: 12 }),
    vocabSize: fc.integer({ min: 2, max: 13 }),
    tiedEmbeddings: fc.boolean(),
  })
  .map(configOf);

function configOf(drawn: {
  nLayers: number;
  nKvHeads: number;
  groups: number;
  halfHead: number;
  ffnDim: number;
  vocabSize: number;
  tiedEmbeddings: boolean;
}): LlamaConfig {
  const { groups, halfHead, ...fields } = drawn;
  const nHeads = fields.nKvHeads * groups;
  return { ...fields, dim: 2 * halfHead * nHeads, nHeads, normEps: 1e-5, ropeTheta: 10_000, maxSeqLen: 16 };
}

/** The named policies, and lists of outputs of one's own. */
export const anyPolicy: fc.Arbitrary<Policy> = fc.oneof(
  fc.constantFrom(...policyNames),
  fc.subarray(Object.keys(blockTensors).slice(1) as TensorName[]),
);

/** Weights of every size that training meets, so that no term of the backward is too small to be seen. */
export function lively<P extends Floats>(
  config: LlamaConfig,
  Storage: new (length: number) => P,
): Map<string, Tensor<P>> {
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

/** B sequences of T tokens, of whose targets about one in `ignored` does not count. */
export function batchOf(config: LlamaConfig, B: number, T: number, ignored = Infinity): Batch {
  const ids = (stream: number): Tensor<Int32Array> => ({
    data: Int32Array.from({ length: B * T }, (_, i) => bits(3, stream, i) % config.vocabSize),
    shape: [B, T],
  });
  const targets = ids(2);
  for (let i = 0; i < B * T; i++) if (uniform(3, 4, i) * ignored < 1) targets.data[i] = -100;
  return { tokens: ids(1), targets };
}
