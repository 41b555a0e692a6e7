// A fused kernel is judged by the composed bound: a correct one inside, one that loses precision between its parts outside.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryCase, exampleCases } from "../../golden/cases/case.ts";
import { cases } from "../../golden/cases/index.ts";
import { fuse, fuseCases } from "../../golden/judge/fused.ts";
import { judgeOutputs, roundScalars } from "../../golden/judge/verdict.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";

const op = (name: string) => operations.get(name)!;
const fused = (a: string, b: string) => ({
  operation: fuse(op(a), op(b)),
  spec: fuseCases(op(a), op(b), cases.get(a)!, cases.get(b)!),
});

/** Both ops in float32, with something done to what passes between them. */
function twoSteps(inputs: Inputs, scalars: Scalars, between: (x: number) => number): Outputs {
  const { x, "rmsnorm.w": gain, "linear.w": w } = inputs;
  const { y } = op("rmsnorm.forward").evaluate({ x, w: gain }, scalars, Float32Array);
  const passed: Tensor = { data: y.data.map((one) => between(one)) as Floats, shape: y.shape };
  return op("linear.forward").evaluate({ x: passed, w }, {}, Float32Array);
}

describe("rmsnorm.forward+linear.forward", () => {
  const { operation, spec } = fused("rmsnorm.forward", "linear.forward");
  const drawn = [
    ...exampleCases(spec, 1).slice(0, 40),
    ...fc.sample(arbitraryCase(spec, false), { numRuns: 40, seed: 1 }),
  ];
  const findings = (between: (x: number) => number): string[] =>
    drawn.flatMap((c) => {
      const { inputs, scalars } = spec.build(c.sizes, c.profile as "unit", c.seed);
      const problem = { inputs, scalars: roundScalars(operation, scalars) };
      const outputs = twoSteps(inputs, problem.scalars, between);
      return judgeOutputs(operation, outputs, problem, targets.ieee, c.profile).findings;
    });

  test("names that both use are told apart, and axes that mean one length are one", () => {
    expect(operation.inputs).toEqual({ x: "R,C", "rmsnorm.w": "C", "linear.w": "O,C" });
    expect(operation.outputs).toEqual({ y: "R,O" });
    expect(operation.scalars).toEqual({ eps: "real" });
  });

  test("accepts two correct float32 kernels one after another", () => {
    expect(findings((x) => x)).toEqual([]);
  });

  test("rejects bfloat16 between them", () => {
    expect(findings((x) => round(x, dtypes.bfloat16)).length).toBeGreaterThan(0);
  });
});

test("three ops fuse as two do, and a second matrix gets an axis of its own", () => {
  const first = fuse(op("rmsnorm.forward"), op("linear.forward"));
  const { inputs, outputs } = fuse(first, op("linear.forward"));
  expect(Object.values(inputs).at(-1)).toBe("O2,O");
  expect(outputs).toEqual({ y: "R,O2" });
});

test("what does not fit is said", () => {
  expect(() => fused("linear.forward", "attention.forward")).toThrow(/does not fit/);
  expect(() => fused("rmsnorm.backward", "linear.forward")).toThrow(/only forward ops are fused/);
});
