import { expect, test } from "vitest";
import { tensor } from "../../reference/tensor.ts";
import { dtypes, round, truncate } from "../../reference/dtype.ts";
import { forward } from "../../reference/ops/cast.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { soundness } from "../../judge/soundness.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import * as bound from "../../reference/ops/cast.bound.ts";
import { judgeOutputs } from "../../judge/verdict.ts";
import { testErrors } from "../errors.ts";

testErrors("cast.forward");

// A copy has no error, so no evaluation can come near its bound: that it is zero is all there is to say.
test("the bound accuses no copy, and is zero except for a subnormal number that may become zero", () => {
  const op = "cast.forward";
  const plan = { elements: 20_000, seed: 20_230_227 };
  const found = soundness(
    { operation: operations.get(op)!, spec: judgeRows.get(op)! },
    evaluationsOf(op),
    targets.wgsl,
    plan,
  );
  expect(found.alarms).toEqual([]);
  expect(found.compared).toBeGreaterThanOrEqual(plan.elements);
  expect(found.unjudged).toBeLessThan(found.compared / 100); // NaN and infinity, of which WGSL promises nothing
  const x = tensor(new Float64Array([1, -(2 ** -126), 2 ** -127, 0]), [4]);
  expect(Array.from(bound.forward.bound({ x }, {}, targets.wgsl).y.data)).toEqual([0, 0, 2 ** -127, 0]);
  expect(Array.from(bound.forward.bound({ x }, {}, targets.ieee).y.data)).toEqual([0, 0, 0, 0]);
});

test("a copy, and a fresh one", () => {
  const x = tensor(new Float32Array([1, -0, Infinity]), [3]);
  const { y } = forward(x);
  expect(y).toEqual(x);
  expect(y.data).not.toBe(x.data);
});

test("to bfloat16 it is rounded to nearest, ties to even, and in no other way", () => {
  const values = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 3.1, 2 ** -133];
  const x = tensor(Float32Array.from(values), [values.length]);
  const outside = (rounded: (x: number) => number): number => {
    const y = tensor(Float32Array.from(values, rounded), [values.length]);
    const operation = operations.get("cast.forward")!;
    const problem = { inputs: { x }, scalars: {} };
    const { comparisons } = judgeOutputs(operation, { y }, problem, { target: targets.ieee, dtype: "bfloat16" });
    return comparisons[0].outside;
  };
  const format = dtypes.bfloat16;
  expect(outside((one) => round(one, format))).toBe(0);
  expect(outside((one) => truncate(one, format))).toBe(2);
  const halfUp = (one: number): number => {
    const bits = new Uint32Array(Float32Array.of(one).buffer);
    bits[0] = (bits[0] + 0x8000) & 0xffff_0000;
    return new Float32Array(bits.buffer)[0];
  };
  expect(outside(halfUp)).toBe(2); // the ties
});

test("two axes are refused", () => {
  expect(() => forward(tensor(new Float32Array(4), [2, 2]))).toThrow("x has shape [2,2], expected [N]");
});
