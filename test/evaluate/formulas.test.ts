import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  best,
  extractAnswer,
  isExactMatch,
  logLikelihoods,
  normalizeAnswer,
  passAtK,
  scoreOf,
} from "../../reference/text/evaluation.ts";

describe("pass@k", () => {
  /** The share of all k of n samples, the first c of which are correct, that hold a correct one. */
  function counted(n: number, c: number, k: number): number {
    let [all, passed] = [0, 0];
    for (let set = 0; set < 2 ** n; set++) {
      const members = Array.from({ length: n }, (_, i) => i).filter((i) => (set >> i) & 1);
      if (members.length !== k) continue;
      all++;
      if (members.some((i) => i < c)) passed++;
    }
    return passed / all;
  }

  test("is the share of all draws of k that hold a correct sample", () => {
    for (let n = 1; n <= 9; n++) {
      for (let c = 0; c <= n; c++) {
        for (let k = 1; k <= n; k++) {
          const off = Math.abs(passAtK(n, c, k) - counted(n, c, k));
          // c factors, each of two roundings, a product of c, and the difference from 1.
          expect(off <= (3 * c + 1) * Number.EPSILON, `${n} ${c} ${k}: ${off}`).toBe(true);
        }
      }
    }
  });

  test("is 0 without a correct sample, 1 where no draw can miss, and monotone in k", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1000 }), fc.nat(), fc.nat(), (n, a, b) => {
        const c = a % (n + 1);
        const k = 1 + (b % (n - 1));
        expect(passAtK(n, 0, k)).toBe(0);
        if (n - c < k) expect(passAtK(n, c, k)).toBe(1);
        expect(passAtK(n, c, k + 1)).toBeGreaterThanOrEqual(passAtK(n, c, k));
      }),
    );
  });

  test.each([
    [3, 4, 1],
    [3, -1, 1],
    [3, 1, 0],
    [3, 1, 4],
    [0, 0, 1],
    [3, 1, 1.5],
    [3, NaN, 1],
  ])("of %d samples, %d correct, at %d is refused", (n, c, k) => {
    expect(() => passAtK(n, c, k)).toThrow("expected 0 ≤ correct ≤ samples and 1 ≤ k ≤ samples");
  });
});

describe("log-likelihoods", () => {
  test("are those of a distribution, however large the logits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(0, 1000, -1000),
        (logits, shift) => {
          const V = logits.length;
          const data = Float64Array.from(logits, (z) => z + shift);
          const all = logits.map((_, v) => logLikelihoods({ data, shape: [1, V] }, [v])[0]);
          const sum = all.reduce((total, logP) => total + Math.exp(logP), 0);
          // An error of ln p is one of e^x: its roundings are of numbers below 2·40 + ln 20, and a sum of V terms.
          const bound = (V + 100) * 4 * Number.EPSILON;
          expect(Math.abs(sum - 1) <= bound, `${sum}`).toBe(true);
          expect(all[best([...data])]).toBe(Math.max(...all));
        },
      ),
    );
  });

  test("are of each row, −∞ where the logit is, and refuse what is no number", () => {
    const data = Float64Array.of(0, 0, 5, -Infinity, Math.log(3), 0);
    const found = logLikelihoods({ data, shape: [3, 2] }, [1, 1, 0]);
    expect(found[0]).toBe(-Math.log(2));
    expect(found[1]).toBe(-Infinity);
    expect(Math.abs(found[2] - Math.log(0.75))).toBeLessThanOrEqual(4 * Number.EPSILON);
    expect(() => logLikelihoods({ data: Float64Array.of(NaN, 0), shape: [1, 2] }, [1])).toThrow("are not numbers");
    expect(() => logLikelihoods({ data: Float64Array.of(Infinity, 0), shape: [1, 2] }, [1])).toThrow("are not numbers");
    expect(() => logLikelihoods({ data: Float64Array.of(0, 0), shape: [1, 2] }, [2])).toThrow("targets[0] is 2");
  });
});

test("a score is divided by characters, not code units, or less the likelihood after Answer:", () => {
  expect(scoreOf("characters", -6, "é🙂x")).toBe(-2);
  expect(scoreOf("answer", -6, "yes", -4)).toBe(-2);
  expect(scoreOf("none", -6, "yes", -4)).toBe(-6);
});

test("the best is the largest, of equals the first", () => {
  expect(best([1, 3, 3, 2])).toBe(1);
  expect(best([-Infinity, -Infinity])).toBe(0);
});

describe("answers", () => {
  test.each([
    [" Paris.\nQ: Next", "Paris"],
    ["Paris, France", "Paris"],
    ["the 3.5 litres.", "the 3.5 litres"],
    ["St. Louis", "St. Louis"],
    ["", ""],
  ])("%j holds %j", (generated, wanted) => {
    expect(extractAnswer(generated)).toBe(wanted);
  });

  test.each([
    ["The  Eiffel Tower!", "eiffel tower"],
    ["a.m. to p.m.", "am to pm"],
    ["An apple, a pear", "apple pear"],
    ["$5 + $3", "5 3"],
    ["“Éclair”", "éclair"],
    ["theatre", "theatre"],
  ])("%j is brought to %j", (answer, wanted) => {
    expect(normalizeAnswer(answer)).toBe(wanted);
    expect(normalizeAnswer(wanted)).toBe(wanted);
  });

  test("match after normalisation, one of several, and never by being empty", () => {
    expect(isExactMatch(" The Beatles.\n", ["beatles"])).toBe(true);
    expect(isExactMatch("Ringo", ["john", "RINGO!"])).toBe(true);
    expect(isExactMatch("Ringo Starr", ["ringo"])).toBe(false);
    expect(isExactMatch("", ["the"])).toBe(false);
    expect(isExactMatch("A", ["a"])).toBe(true);
    expect(isExactMatch("The", ["a"])).toBe(false);
  });
});
