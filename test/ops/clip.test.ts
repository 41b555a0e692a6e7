import { expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import * as bound from "../../reference/ops/clip.bound.ts";
import { CLIP_EPS, forward } from "../../reference/ops/clip.ts";
import { targets } from "../../reference/targets.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("clip.forward");
testErrors("clip.forward");
testShapes("clip.forward");

const g = { data: Float64Array.of(3, -4, 0), shape: [3] };
const scalar = (value: number) => ({ data: Float64Array.of(value), shape: [] });

test("below the limit g stays as it is; above it, its norm becomes the limit, apart from ε", () => {
  expect([...forward(g, scalar(5), 6).g.data]).toEqual([3, -4, 0]);
  const { data } = forward(g, scalar(5), 1).g;
  // Five roundings of numbers near 5.
  expect(Math.abs(Math.hypot(...data) * (5 + CLIP_EPS) - 5)).toBeLessThanOrEqual(5 * 5 * Number.EPSILON);
});

test("a zero norm divides by ε only", () => {
  expect([...forward({ data: Float64Array.of(0), shape: [1] }, scalar(0), 1).g.data]).toEqual([0]);
});

test("where the scale is surely 1, the allowance is one rounding of g; where it may be, more", () => {
  const { u } = targets.wgsl;
  const sure = bound.forward.bound({ g, norm: scalar(5) }, { maxNorm: 6 }, targets.wgsl).g.data;
  for (const [i, x] of g.data.entries()) expect(sure[i]).toBeLessThanOrEqual(Math.abs(x) * u * (1 + 2 * u));
  const near = bound.forward.bound({ g, norm: scalar(5) }, { maxNorm: 5 + CLIP_EPS }, targets.wgsl).g.data;
  expect(near[0]).toBeGreaterThan(3 * u);
  expect(near[2]).toBeLessThanOrEqual(dtypes.float32.minSubnormal);
});

test("an error of the norm counts only where it can clip", () => {
  const errors = { norm: scalar(0.5) };
  expect(bound.forward.bound({ g, norm: scalar(5) }, { maxNorm: 6 }, targets.wgsl, errors).g.data).toEqual(
    bound.forward.bound({ g, norm: scalar(5) }, { maxNorm: 6 }, targets.wgsl).g.data,
  );
  expect(bound.forward.bound({ g, norm: scalar(5) }, { maxNorm: 5 }, targets.wgsl, errors).g.data[0]).toBeGreaterThan(
    3 * (1 - 5 / 5.5),
  );
});

// The quotient errs to both sides by the larger of its two distances; the scale is cut at 1.
test.each([
  ["about 1", 5, 5 / 4.5 - 1],
  ["cut on one side", 5.1, 5 / 4.6 - 5 / 5.1],
  ["below 1", 10, 5 / 9.5 - 0.5],
])("a scale %s has the error that the norm's half gives it", (_, norm, share) => {
  const errors = { norm: scalar(0.5) };
  const { data } = bound.forward.bound({ g, norm: scalar(norm) }, { maxNorm: 5 }, targets.ieee, errors).g;
  const slack = 16 * dtypes.float32.u + CLIP_EPS; // a few roundings, and ε next to norms from 4.5 on
  expect(data[0]).toBeGreaterThanOrEqual(3 * share * (1 - slack / share));
  expect(data[0]).toBeLessThanOrEqual(3 * share * (1 + slack / share));
});

test("where the norm may be 0 or as small as ε, the scale has an error up to 1, and none where nothing is promised of the quotient", () => {
  const allowedAt = (norm: number, error: number) =>
    bound.forward.bound({ g, norm: scalar(norm) }, { maxNorm: 1 }, targets.wgsl, { norm: scalar(error) }).g.data[0];
  expect(allowedAt(0, 0)).toBeLessThanOrEqual(3 * 4 * targets.wgsl.u); // 1 / ε is far beyond 1
  expect(allowedAt(2, 2)).toBeGreaterThanOrEqual(3 / 2); // from 1 / 4 to 1
  expect(allowedAt(2, 4)).toBe(Infinity); // the divisor may be 0
});
