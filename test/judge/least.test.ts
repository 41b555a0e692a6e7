// Allowances that are not above the whole ones, which suspects of dk and dv are held to first.
import { describe, expect, it } from "vitest";
import { INFLATION } from "../../judge/compare.ts";
import { exactAt } from "../../judge/exact.ts";
import { choose } from "../../judge/choose.ts";
import { allowancesOf, expectedAround, truth } from "../../judge/verdict.ts";
import { type Target, targets } from "../../reference/targets.ts";

const [{ operation, spec }] = choose(["attention.backward"]);
const around = spec.sampling!.around;
/** Long sums have the bound of a tree of additions. */
const sizes = [
  { B: 1, NKV: 1, groups: 1, T: 4, S: 5, HS: 128 },
  { B: 1, NKV: 1, groups: 3, T: 34, S: 34, HS: 2 },
];
const stored: Target = {
  ...targets.cuda,
  stores: { P: "bfloat16", P_dS: "bfloat16", S: "bfloat16", dS: "float16", dP: "bfloat16" },
};
/** A D of stored weights needs all keys. */
const fromWeights: Target = { ...targets.ieee, stores: { P_D: "float16" } };

describe.each(sizes)("attention.backward of T=$T S=$S HS=$HS", (shape) => {
  it("has least allowances of keys that are positive and not above the whole ones", () => {
    for (const profile of spec.profiles) {
      for (const target of [targets.wgsl, targets.ieee, stored, fromWeights]) {
        const problem = { ...spec.build(shape, profile, 5), profile };
        const [exact, allowed] = [truth(operation, problem), allowancesOf(operation, problem, target)];
        for (const output of ["dk", "dv"]) {
          const { want: got } = expectedAround(exact[output], allowed[output]);
          const { data } = got;
          const source = { around, operation, problem, terms: { target, dtype: "float32" }, output } as const;
          const [least, whole] = [exactAt(source, [...data.keys()], got), exactAt(source, [...data.keys()])];
          let smaller = 0;
          for (const [n, at] of least.at.entries()) {
            const bound = allowed[output].data[at];
            expect(
              least.allowed[n] <= bound,
              `${output}[${at}] ${profile}, ${target.name}: ${least.allowed[n]} of ${bound}`,
            ).toBe(true);
            if (least.allowed[n] < whole.allowed[n]) smaller++;
          }
          expect(least.want).toEqual(whole.want);
          if (profile === "unit") expect(smaller).toBe(target === fromWeights ? 0 : data.length);
        }
      }
    }
  });
});

it("holds a key whose error is larger to its whole bound", () => {
  const problem = { ...spec.build(sizes[0], "unit", 5) };
  const target = targets.wgsl;
  const [want, allowed] = [truth(operation, problem).dk, allowancesOf(operation, problem, target).dk];
  const wrong = 3 * 128 + 5; // of key 3
  const got = { data: want.data.map((x, i) => (i === wrong ? x + 0.9 * allowed.data[i] : x)), shape: want.shape };
  const source = { around, operation, problem, terms: { target, dtype: "float32" }, output: "dk" } as const;
  const exact = exactAt(source, [wrong, wrong + 128], got);
  expect(exact.at).toEqual([wrong, wrong + 128]);
  const [near, far] = exact.allowed.map((bound, n) => bound / allowed.data[exact.at[n]]);
  expect(Math.abs(near - 1)).toBeLessThan(2 * (INFLATION - 1));
  expect(far).toBeLessThan(0.5);
});
