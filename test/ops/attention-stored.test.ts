// attention.backward with weights and slopes stored in 16 bits: what is declared is not accused, and hides nothing that is not.
import { describe, expect, test } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import type { Case } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { sharesOf, sumOfPowers, NO_POWER, type PowerShares } from "../../judge/power.ts";
import { judgeOutputs, truth, type Verdict } from "../../judge/verdict.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { Float32Arithmetic, type Habits, orders } from "../../zoo/arithmetic.ts";

const [{ operation, spec }] = choose(["attention.backward"]);
const sizes = [
  { B: 1, NKV: 1, groups: 2, T: 5, S: 9, HS: 6 },
  { B: 1, NKV: 1, groups: 1, T: 16, S: 16, HS: 8 },
];
const cases = sizes.map((one, i): Case => ({ op: spec.op, sizes: one, profile: "unit", seed: i + 1 }));
const problems = cases.map((c) => buildCase(spec, c, "float32"));

/** Uses of stored numbers that kernels have together. */
const forms = {
  "FlashAttention, Triton: P in dv": ["P"],
  "the same, with dS": ["P", "dS"],
  "CUTLASS: P in dv and dS": ["P", "P_dS"],
  "written out: P throughout": ["P", "P_dS", "P_D"],
  "written out, all tensors": ["P", "P_dS", "P_D", "dP", "dS"],
  "dS with the scale": ["dS_scaled"],
} as const;
const formats = ["bfloat16", "float16"] as const;
type Format = (typeof formats)[number];

function storing(target: Target, names: readonly string[], format: Format): Target {
  return { ...target, stores: Object.fromEntries(names.map((name) => [name, format])) };
}

function habitsOf(names: readonly string[], format: Format, n: number): Habits {
  const functions = (["exact", "random", "low", "high"] as const)[n % 4];
  const order = orders[n % orders.length];
  return {
    rounding: "nearest",
    order,
    fused: n % 2 === 0,
    flushes: false,
    functions,
    seed: n + 2,
    stores: { names, format },
  };
}

/** The verdicts on every evaluation that has these numbers, which it stores, under those declared. */
function* verdicts(
  target: Target,
  stored: readonly string[],
  declared: readonly string[],
  format: Format,
): Generator<Verdict> {
  for (const problem of problems) {
    for (const [n, evaluation] of evaluationsOf(spec.op).entries()) {
      const f = new Float32Arithmetic(target, habitsOf(stored, format, n));
      const outputs = evaluation.evaluate(f, problem.inputs, problem.scalars);
      if (!stored.every((name) => f.names.has(name))) continue;
      const terms = { target: storing(target, declared, format), dtype: "float32" } as const;
      yield judgeOutputs(operation, outputs, problem, terms);
    }
  }
}

function powerOf(target: Target): Record<string, PowerShares> {
  const sums: Record<string, typeof NO_POWER> = {};
  for (const problem of problems) {
    const { comparisons } = judgeOutputs(operation, truth(operation, problem), problem, { target, dtype: "float32" });
    for (const { output, power } of comparisons) sums[output] = sumOfPowers(sums[output] ?? NO_POWER, power);
  }
  return Object.fromEntries(Object.entries(sums).map(([output, power]) => [output, sharesOf(power)]));
}

describe.each(formats)("%s", (format) => {
  describe.each(Object.entries(forms))("%s", (_, names) => {
    test.each([targets.ieee, targets.wgsl])("accuses no evaluation on $name", (target) => {
      const found = [...verdicts(target, names, names, format)];
      expect(found.length).toBeGreaterThanOrEqual(2 * problems.length);
      expect(found.flatMap(({ findings }) => findings)).toEqual([]);
    });

    test.each([targets.ieee, targets.cuda])(
      "shows errors of 1 %% as often as if nothing were stored, on $name",
      (target) => {
        const [usual, stored] = [powerOf(target), powerOf(storing(target, names, format))];
        for (const output of ["dq", "dk", "dv"]) {
          expect(usual[output].percent, output).toBeGreaterThan(0.5);
          expect(stored[output].percent / usual[output].percent, output).toBeGreaterThan(0.9);
        }
      },
    );

    test("accepts outputs in which nothing is stored", () => {
      const found = [...verdicts(targets.ieee, [], names, format)];
      expect(found.flatMap(({ findings }) => findings)).toEqual([]);
    });

    test.each(["dS", "D", "P_dS"].filter((name) => !names.some((one) => one === name)))(
      "rejects %s that is stored so as well",
      (low) => {
        const found = [...verdicts(targets.ieee, [...names, low], names, format)];
        expect(found.length).toBeGreaterThan(0);
        for (const { comparisons } of found) {
          expect(comparisons.find(({ output }) => output === "dq")!.outside).toBeGreaterThan(0);
        }
      },
    );
  });

  test("a low P says nothing of dq and dk on a target whose rounding is open", () => {
    const [usual, stored] = [powerOf(targets.wgsl), powerOf(storing(targets.wgsl, ["P"], format))];
    for (const output of ["dq", "dk"]) expect(stored[output]).toEqual(usual[output]);
  });
});
