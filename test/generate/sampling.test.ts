import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { exp } from "../../reference/elementary.ts";
import { chooseToken, continuation, generate, greedy } from "../../reference/model/generate.ts";
import { referenceReader } from "../../reference/model/reader.ts";
import { initialWeights } from "../../reference/weights.ts";

describe("choose", () => {
  const logits = fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 1, maxLength: 12 });
  const places = Array.from({ length: 64 }, (_, i) => i / 64);

  test("with top-p takes exactly the fewest likeliest tokens whose share reaches it", () => {
    fc.assert(
      fc.property(logits, fc.integer({ min: 1, max: 63 }), (z, p) => {
        const topP = p / 64;
        const weights = z.map((x) => exp(x - Math.max(...z)));
        const total = weights.reduce((a, b) => a + b, 0);
        const chosen = new Set(places.map((at) => chooseToken(z, 1, at, topP)));
        for (const v of chosen) {
          // What stands before v in the order of likelihood has not reached the share yet.
          const before = weights.filter((w, u) => w > weights[v] || (w === weights[v] && u < v));
          expect(before.reduce((a, b) => a + b, 0)).toBeLessThan(topP * total);
        }
        expect(chosen.has(chooseToken(z, 0, 0))).toBe(true);
      }),
    );
  });

  test("with top-p 1 takes what it takes without, and with a tiny one the likeliest", () => {
    fc.assert(
      fc.property(logits, fc.constantFrom(...places), fc.constantFrom(0.1, 1, 7), (z, at, temperature) => {
        expect(chooseToken(z, temperature, at, 1)).toBe(chooseToken(z, temperature, at));
        expect(chooseToken(z, temperature, at, 1e-300)).toBe(z.indexOf(Math.max(...z)));
        expect(z[chooseToken(z, 1e-300, at)]).toBe(Math.max(...z));
      }),
    );
  });

  test("takes each token by its share of the nucleus", () => {
    const z = [Math.log(1), Math.log(5), Math.log(4)]; // shares 0.1, 0.5, 0.4
    expect(places.map((at) => chooseToken(z, 1, at, 0.85)).filter((v) => v === 1)).toHaveLength(
      Math.ceil((64 * 5) / 9),
    );
    expect(new Set(places.map((at) => chooseToken(z, 1, at, 0.85)))).toEqual(new Set([1, 2]));
    expect(new Set(places.map((at) => chooseToken(z, 1, at, 0.45)))).toEqual(new Set([1]));
  });

  test("refuses logits that are no numbers", () => {
    expect(() => chooseToken([0, NaN], 0, 0)).toThrow("logits[1] is NaN");
    expect(() => chooseToken([0, Infinity], 1, 0)).toThrow("logits[1] is Infinity");
    expect(() => chooseToken([-Infinity, -Infinity], 1, 0)).toThrow("logits[0] is -Infinity");
    expect(chooseToken([-Infinity, 0], 1, 0, 0.5)).toBe(1);
  });
});

describe("a continuation", () => {
  const config = { ...presets.tiny, dim: 8, ffnDim: 8, nLayers: 1, maxSeqLen: 9 };
  const weights = initialWeights(config, 1, Float32Array);
  const sampled = { temperature: 2, topP: 1, seed: 7 };

  async function all(prompt: number[], sampling: typeof sampled): Promise<number[]> {
    const ids: number[] = [];
    for await (const id of continuation(referenceReader(config, weights), Int32Array.from(prompt), sampling))
      ids.push(id);
    return ids;
  }

  test.each([1, 4, 9])(
    "of %i tokens ends with the context, and is what is generated without a cache",
    async (length) => {
      const prompt = Array.from({ length }, (_, i) => 3 + i);
      const ids = await all(prompt, sampled);
      expect(ids).toHaveLength(config.maxSeqLen - length + 1);
      expect(ids).toEqual(generate(config, weights, prompt, ids.length, sampled.temperature, sampled.seed));
      expect(await all(prompt, sampled)).toEqual(ids);
      expect(new Set((await all(prompt, greedy)).slice(0, 1))).not.toContain(-1);
    },
  );

  test("of another seed is another", async () => {
    expect(await all([1], { ...sampled, seed: 8 })).not.toEqual(await all([1], sampled));
  });

  test("needs a prompt that fits, of known ids", async () => {
    await expect(all([], sampled)).rejects.toThrow("the prompt is empty");
    await expect(all(Array<number>(10).fill(3), sampled)).rejects.toThrow("at most maxSeqLen=9");
    await expect(all([259], sampled)).rejects.toThrow("tokens[0] is 259, expected an id in [0, 259)");
  });
});
