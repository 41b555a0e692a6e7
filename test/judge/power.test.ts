// What a verdict says of its own worth: the power of its bounds, and how much of an output cancels.
import { describe, expect, test } from "vitest";
import { choose } from "../../judge/choose.ts";
import { compareOutput } from "../../judge/compare.ts";
import { conclude } from "../../judge/conclusion.ts";
import { conditioningOf } from "../../judge/conditioning.ts";
import { opsIn } from "../../judge/fused.ts";
import { NO_POWER, sharesOf } from "../../judge/power.ts";
import { allowancesOf, truth } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { ieeeTerms, wgslTerms } from "../terms.ts";

const row = (...numbers: number[]): Tensor<Float64Array> => ({
  data: Float64Array.from(numbers),
  shape: [numbers.length],
});

describe("power", () => {
  test("is that of normal numbers: zeros and subnormal numbers count for nothing", () => {
    const want = row(0, 2 ** -127, 1, 1);
    const bounds = row(2 ** -126, 2 ** -126, 2 ** -20, 1 / 50);
    const { power, judged } = compareOutput("y", want, { want, allowed: bounds }, wgslTerms);
    expect(judged).toBe(4);
    // 1 % of 1 is within 1/50 and beyond 2⁻²⁰; the neighbour of the third is equal to it, and that of the last is 0.
    expect(power).toEqual({ judged: 2, zero: 2, neighbour: 1, percent: 1 });
    expect(sharesOf(power)).toEqual({ zero: 1, neighbour: 0.5, percent: 0.5 });
  });

  test("of a lower dtype counts what is normal there", () => {
    const want = row(2 ** -15, 1);
    const terms = { ...wgslTerms, dtype: "float16" } as const;
    expect(compareOutput("y", want, { want, allowed: row(0, 0) }, terms).power.judged).toBe(1);
  });

  const weak = { ...NO_POWER, judged: 100, percent: 49 };
  const part = { name: "y", offered: 100, judged: 100, power: weak };

  test.each([
    [1, weak.percent, "pass"],
    [2, weak.percent, "pass"],
    [3, weak.percent, "inconclusive"],
    [3, weak.percent + 1, "pass"],
  ])("bounds of %i ops that see %i % of 1 %% errors: %s", (ops, percent, verdict) => {
    const parts = [{ ...part, ops, power: { ...weak, percent } }];
    expect(conclude({ hasFindings: false, parts }).verdict).toBe(verdict);
    expect(conclude({ hasFindings: true, parts }).verdict).toBe("FAIL");
  });

  test("the reason gives both shares", () => {
    const { reasons } = conclude({ hasFindings: false, parts: [{ ...part, ops: 3 }] });
    expect(reasons).toEqual([
      "y: its bounds are composed of 3 ops and would have shown an error of 1 % at 49 % of its elements, expected at least 50 %",
    ]);
  });

  test("a fused op knows of how many it is made", () => {
    const [{ operation }] = choose(["rmsnorm.forward+linear.forward+linear.forward"]);
    expect(opsIn(operation)).toBe(3);
  });
});

describe("ill-conditioned", () => {
  const of = (op: string, inputs: Record<string, Tensor>) => {
    const operation = operations.get(op)!;
    const problem = { inputs, scalars: {} };
    const { target } = ieeeTerms;
    return conditioningOf(operation, problem, truth(operation, problem), allowancesOf(operation, problem, target));
  };
  const matrix = (shape: readonly number[], ...numbers: number[]): Tensor => ({
    data: Float32Array.from(numbers),
    shape,
  });

  test("a product whose terms cancel is, one whose terms add up is not", () => {
    const x = matrix([1, 2], 1, 1);
    const w = matrix([3, 2], 1, -1, 1, 1, 1, 2 ** -30 - 1);
    expect(of("linear.forward", { x, w })).toEqual({ y: { elements: 3, ill: 2 } });
  });

  test("the gradient of a softmax over one class is 0 whatever its inputs are", () => {
    const [dy, y] = [matrix([2, 1], 3, -5), matrix([2, 1], 1, 1)];
    expect(of("softmax.backward", { dy, y })).toEqual({ dx: { elements: 2, ill: 2 } });
  });

  test("an element without a term is 0 and nothing else", () => {
    expect(of("linear.forward", { x: matrix([1, 2], 0, 0), w: matrix([1, 2], 1, 2) })).toEqual({
      y: { elements: 1, ill: 0 },
    });
  });

  test("elements without a bound are not looked at", () => {
    const x = matrix([1, 1], targets.ieee.u);
    const w = matrix([1, 1], Infinity);
    expect(of("linear.forward", { x, w }).y.elements).toBe(0);
  });
});
