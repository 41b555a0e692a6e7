import { expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import * as bound from "../../reference/ops/gradient-norm.bound.ts";
import { forward } from "../../reference/ops/gradient-norm.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";

const { max, minNormal, u } = dtypes.float32;

testBound("gradient-norm.forward");
testErrors("gradient-norm.forward");

const gradients = (...data: number[]): Tensor<Float64Array> => ({
  data: Float64Array.from(data),
  shape: [data.length],
});
const allowed = (...data: number[]): number =>
  bound.forward.bound({ g: gradients(...data) }, {}, targets.wgsl).norm.data[0];

test("over all tensors together: 2, 3 and 6 give 7", () => {
  const { norm } = forward(gradients(2, -3), { data: Float64Array.of(6), shape: [1, 1] });
  expect(norm.shape).toEqual([]);
  expect(norm.data[0]).toBe(7);
});

test("no elements, or only zeros, give 0, and the root of a sum that may be below √'s domain", () => {
  expect(forward(gradients()).norm.data[0]).toBe(0);
  for (const zeros of [[], [0], [0, 0, 0]]) {
    expect(allowed(...zeros)).toBeGreaterThanOrEqual(Math.sqrt(minNormal));
    // Each number may be lost three times at each of four levels of norms of parts, and once as it is added.
    expect(allowed(...zeros)).toBeLessThan(1.001 * Math.sqrt((1 + 13 * zeros.length) * minNormal));
  }
});

test("where Σ g² overflows, nobody has a bound", () => {
  const largest = Math.sqrt(max);
  expect(allowed(2 * largest)).toBe(Infinity);
  expect(allowed(0.9 * largest, 0.9 * largest)).toBe(Infinity);
  expect(allowed(0.9 * largest)).toBeLessThan(largest * 64 * u);
});

test("squares that are flushed may be missing", () => {
  const small = Math.sqrt(minNormal) / 2;
  expect(allowed(1, small)).toBeLessThan(64 * u);
  expect(allowed(small)).toBeGreaterThanOrEqual(small);
});
