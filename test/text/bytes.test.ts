import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { chooseToken, generate } from "../../reference/model/generate.ts";
import { batchAt, consecutive } from "../../reference/text/batches.ts";
import { bigramEntropy } from "../../reference/text/bigram.ts";
import { BEGIN, BYTE_VOCABULARY, decode, encode, END } from "../../reference/text/bytes.ts";
import { initialWeights } from "../../reference/weights.ts";
import { readTrainingText } from "../../training/text.ts";

describe("the byte vocabulary", () => {
  test("gives back every text", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decode(encode(bytes))).toEqual(bytes);
      }),
    );
  });

  test("keeps its first ids for the specials, which stand for no byte", () => {
    expect([...encode(Uint8Array.of(0, 255))]).toEqual([3, BYTE_VOCABULARY - 1]);
    expect(decode([BEGIN, 3 + 65, END, 0])).toEqual(Uint8Array.of(65));
    for (const id of [-1, BYTE_VOCABULARY, 3.5, NaN]) expect(() => decode([id])).toThrow("not an id");
  });

  test("fits the presets that are trained on it", () => {
    expect([presets.tiny.vocabSize, presets.small.vocabSize]).toEqual([BYTE_VOCABULARY, BYTE_VOCABULARY]);
  });
});

describe("batches", () => {
  const tokens = Int32Array.from({ length: 50 }, (_, i) => i);

  test("are windows with the tokens that follow as targets, the same for the same step", () => {
    const seen = new Set<number>();
    for (let n = 0; n < 200; n++) {
      const batch = batchAt(tokens, 3, 5, 1, n);
      expect(batch).toEqual(batchAt(tokens, 3, 5, 1, n));
      expect(batch.tokens.shape).toEqual([3, 5]);
      expect([...batch.targets.data]).toEqual([...batch.tokens.data].map((id) => id + 1));
      for (let b = 0; b < 3; b++) seen.add(batch.tokens.data[5 * b]);
    }
    // Every place that leaves room for the last target.
    expect([...seen].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 45 }, (_, i) => i));
  });

  test("depend on the seed and the step", () => {
    const at = (seed: number, n: number) => batchAt(tokens, 3, 5, seed, n).tokens.data;
    expect(at(1, 0)).not.toEqual(at(2, 0));
    expect(at(1, 0)).not.toEqual(at(1, 1));
  });

  test("need a window and the token after it", () => {
    expect(batchAt(tokens, 1, 49, 1, 0).tokens.data[0]).toBe(0);
    expect(() => batchAt(tokens, 1, 50, 1, 0)).toThrow("50 tokens hold no window of 50");
  });

  test("one after another make every token but the first a target once", () => {
    for (const T of [1, 7, 49, 50, 64]) {
      const targets = consecutive(tokens, T).flatMap((batch) => Array.from(batch.targets.data));
      expect(targets).toEqual([...tokens.subarray(1)]);
    }
    expect(consecutive(tokens.subarray(0, 1), 4)).toEqual([]);
  });
});

test("the bigram entropy by hand", () => {
  // After a (2 times a b, 1 time a a): p(b|a) = 3/259, p(a|b) = (1 + 1)/(1 + 256).
  const training = new TextEncoder().encode("aabab");
  const heldOut = new TextEncoder().encode("aba");
  const wanted = -(Math.log(3 / 259) + Math.log(2 / 257)) / 2;
  expect(Math.abs(bigramEntropy(training, heldOut) - wanted)).toBeLessThanOrEqual(8 * Number.EPSILON * wanted);
  expect(() => bigramEntropy(training, heldOut.subarray(0, 1))).toThrow("no pair");
});

describe("sampling", () => {
  test("takes the likeliest at temperature 0, and each by its share otherwise", () => {
    expect(chooseToken([1, 3, 2], 0, 0.99)).toBe(1);
    const logits = [0, Math.log(3)]; // shares 1/4 and 3/4
    expect([0, 0.2, 0.3, 0.999].map((at) => chooseToken(logits, 1, at))).toEqual([0, 0, 1, 1]);
    expect(chooseToken([0, -Infinity], 1, 0.999)).toBe(0);
    expect(() => chooseToken([0, NaN], 1, 0)).toThrow("logits[1] is NaN");
  });

  test("gives the same ids for the same seed, and goes on beyond the longest sequence", () => {
    const config = { ...presets.tiny, dim: 8, ffnDim: 8, nLayers: 1, maxSeqLen: 4 };
    const weights = initialWeights(config, 1, Float32Array);
    const ids = generate(config, weights, [BEGIN], 12, 1, 7);
    expect(ids).toHaveLength(12);
    expect(generate(config, weights, [BEGIN], 12, 1, 7)).toEqual(ids);
    expect(generate(config, weights, [BEGIN], 12, 1, 8)).not.toEqual(ids);
    expect(() => generate(config, weights, [], 1, 1, 7)).toThrow("the prompt is empty");
  });
});

test("the default text is UTF-8 of at most 64 kB, a tenth of it held out", () => {
  const { training, heldOut } = readTrainingText([]);
  const bytes = Buffer.concat([training, heldOut]);
  expect(bytes.length).toBeLessThanOrEqual(64_000);
  expect(bytes.length).toBeGreaterThan(50_000);
  expect(heldOut.length).toBe(bytes.length - Math.floor(bytes.length * 0.9));
  expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).not.toThrow();
});
