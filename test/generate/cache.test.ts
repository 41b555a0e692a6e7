// The cache gives the logits of the whole forward to the bit, however the tokens are cut into reads.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LlamaConfig } from "../../reference/config.ts";
import { emptyCache, read } from "../../reference/model/cache.ts";
import { forward } from "../../reference/model/model.ts";
import { bits, normal, uniform } from "../../reference/random.ts";
import type { Floats } from "../../reference/tensor.ts";
import { initialWeights } from "../../reference/weights.ts";

type Storage = new (length: number) => Floats;

const sizes = {
  nLayers: 2,
  ffnDim: 12,
  vocabSize: 9,
  tiedEmbeddings: false,
  maxSeqLen: 5,
};

const problem = fc.record({
  groups: fc.constantFrom([1, 1], [2, 1], [2, 2], [6, 2], [6, 3]),
  half: fc.integer({ min: 1, max: 5 }),
  nLayers: fc.integer({ min: 1, max: 3 }),
  ffnDim: fc.integer({ min: 1, max: 40 }),
  vocabSize: fc.integer({ min: 1, max: 60 }),
  tiedEmbeddings: fc.boolean(),
  maxSeqLen: fc.integer({ min: 1, max: 24 }),
  Storage: fc.constantFrom<Storage>(Float32Array, Float64Array),
  seed: fc.nat(),
  chunks: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 24 }),
});

function configOf(p: { groups: readonly number[]; half: number } & typeof sizes): LlamaConfig {
  const { groups, half, nLayers, ffnDim, vocabSize, tiedEmbeddings, maxSeqLen } = p;
  const [nHeads, nKvHeads] = groups;
  const dim = nHeads * 2 * half;
  const rest = { nLayers, ffnDim, vocabSize, tiedEmbeddings, maxSeqLen };
  return { dim, nHeads, nKvHeads, normEps: 1e-5, ropeTheta: 10_000, ...rest };
}

/** Weights so large that positions differ, unlike fresh ones. */
function weightsOf(config: LlamaConfig, seed: number, Storage: Storage) {
  const weights = initialWeights(config, seed, Storage);
  let stream = 0;
  for (const { data, shape } of weights.values()) {
    stream++;
    for (let i = 0; i < data.length; i++) {
      data[i] = shape.length === 1 ? 0.5 + uniform(seed, stream, i) : 0.6 * normal(seed, stream, i);
    }
  }
  return weights;
}

const same = (a: Floats, b: Floats): boolean => a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

describe("the cache", () => {
  test("gives the bits of the whole forward, whatever is read at once, also after a cut", () => {
    let chunked = 0;
    fc.assert(
      fc.property(problem, ({ Storage, seed, chunks, ...p }) => {
        const config = configOf(p);
        const weights = weightsOf(config, seed, Storage);
        const ids = Int32Array.from({ length: config.maxSeqLen }, (_, i) => bits(seed, 99, i) % config.vocabSize);
        const cache = emptyCache(config, weights);
        const logits: number[] = [];
        for (const chunk of [...chunks, ...Array<number>(config.maxSeqLen).fill(1)]) {
          const tokens = ids.subarray(cache.length, cache.length + chunk);
          if (tokens.length === 0) break;
          logits.push(...read(config, weights, cache, tokens).data);
          chunked++;
        }
        const V = config.vocabSize;
        const { data: whole } = forward(config, weights, { data: ids, shape: [1, ids.length] }).logits;
        expect(same(Float64Array.from(logits), Float64Array.from(whole))).toBe(true);

        const kept = bits(seed, 98, 0) % ids.length;
        cache.cut(kept);
        const again = read(config, weights, cache, ids.subarray(kept));
        expect(again.shape).toEqual([ids.length - kept, V]);
        expect(same(again.data, whole.subarray(kept * V))).toBe(true);
      }),
      { numRuns: 150 },
    );
    expect(chunked).toBeGreaterThan(500);
  });

  test("a token that was read earlier matters", () => {
    const config = configOf({ ...sizes, groups: [2, 1], half: 2 });
    const weights = weightsOf(config, 3, Float32Array);
    const last = (ids: number[]): Floats => {
      const cache = emptyCache(config, weights);
      for (const id of ids.slice(0, -1)) read(config, weights, cache, Int32Array.of(id));
      return read(config, weights, cache, Int32Array.from(ids.slice(-1))).data;
    };
    expect(last([1, 2, 3])).not.toEqual(last([4, 2, 3]));
  });

  test("refuses what does not fit, and is as it was before", () => {
    const config = configOf({ ...sizes, groups: [2, 1], half: 2 });
    const weights = weightsOf(config, 3, Float32Array);
    const cache = emptyCache(config, weights);
    const ids = Int32Array.of(5, 6, 7, 8);
    const { data: whole } = forward(config, weights, { data: ids, shape: [1, 4] }).logits;
    read(config, weights, cache, ids.subarray(0, 3));
    expect(() => read(config, weights, cache, Int32Array.of(0, 9))).toThrow("tokens[1] is 9, expected an id in [0, 9)");
    expect(() => read(config, weights, cache, Int32Array.of(-1))).toThrow("tokens[0] is -1");
    expect(() => read(config, weights, cache, Int32Array.of(0, 0, 0))).toThrow(
      "tokens has shape [1,3] after 3 positions, expected [B,T] with T at most maxSeqLen=5",
    );
    for (const length of [4, -1, 0.5, NaN]) expect(() => cache.cut(length)).toThrow(`cannot keep ${length}`);
    expect(cache.length).toBe(3);
    expect(same(read(config, weights, cache, ids.subarray(3)).data, whole.subarray(27))).toBe(true);
  });
});
