import { expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import * as bound from "../../reference/ops/adamw.bound.ts";
import { type AdamWScalars, forward } from "../../reference/ops/adamw.ts";
import { targets } from "../../reference/targets.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";

testBound("adamw.forward");
testErrors("adamw.forward");

const one = (value: number) => ({ data: Float64Array.of(value), shape: [1] });
const first: AdamWScalars = {
  learningRate: 0.25,
  beta1: 0.5,
  beta2: 0.75,
  step: 1,
  oneMinusBeta1: 0.5,
  oneMinusBeta2: 0.25,
  correction1: 0.5,
  correction2: 0.25,
  eps: 1,
  weightDecay: 0.5,
};

test("the first step, by hand", () => {
  const { w, m, v } = forward(one(2), one(3), one(0), one(0), first);
  expect(m.data[0]).toBe(1.5); // 0.5 · 3
  expect(v.data[0]).toBe(2.25); // 0.25 · 9
  expect(w.data[0]).toBe(2 - 0.25 * (3 / (3 + 1) + 0.5 * 2)); // m and v corrected to 3 and 9
});

test("a second step, by hand", () => {
  const second = { ...first, step: 2, correction1: 0.75, correction2: 0.4375 };
  const { w, m, v } = forward(one(1), one(1), one(1.5), one(2.25), { ...second, eps: 0, weightDecay: 0 });
  expect(m.data[0]).toBe(1.25);
  expect(v.data[0]).toBe(1.9375);
  const byHand = 1 - (0.25 * (1.25 / 0.75)) / Math.sqrt(1.9375 / 0.4375);
  expect(Math.abs(w.data[0] - byHand)).toBeLessThanOrEqual(8 * Number.EPSILON); // eight roundings below 1
});

test("zero moments and no gradient: only the decay, and it is judged", () => {
  expect(forward(one(2), one(0), one(0), one(0), first).w.data[0]).toBe(2 - 0.25 * 0.5 * 2);
  const { w, m, v } = bound.forward.bound({ w: one(2), g: one(0), m: one(0), v: one(0) }, first, targets.wgsl);
  expect(w.data[0]).toBeLessThan(16 * targets.wgsl.u);
  expect(m.data[0]).toBeLessThan(4 * dtypes.float32.minNormal);
  expect(v.data[0]).toBeLessThan(4 * dtypes.float32.minNormal);
});

test("without eps a direction over nothing has no bound", () => {
  const { w } = bound.forward.bound({ w: one(2), g: one(0), m: one(1), v: one(0) }, { ...first, eps: 0 }, targets.wgsl);
  expect(w.data[0]).toBe(Infinity);
});

test("another shape is refused", () => {
  const pair = { data: new Float64Array(2), shape: [2] };
  expect(() => forward(one(2), pair, one(0), one(0), first)).toThrow("g has shape [2], expected [1], the shape of w");
});
