import { describe, expect, test } from "vitest";
import * as bound from "../../reference/ops/rmsnorm.bound.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";

testBound("rmsnorm.forward");
testBound("rmsnorm.backward");
testErrors("rmsnorm.forward");
testErrors("rmsnorm.backward");

test("by hand: mean square (1 + 49) / 2 = 25, and eps 39 makes rstd 1/8", () => {
  const x = tensor(new Float32Array([1, 7]), [1, 2]);
  const w = tensor(new Float32Array([10, 20]), [2]);
  const { y, rstd } = rmsnorm.forward(x, w, 39);
  expect([...rstd.data, ...y.data]).toEqual([1 / 8, 10 / 8, 140 / 8]);
  // n = (1/8, 7/8), dn = (10, 20), mean(dn · n) = 75/8
  const dy = tensor(new Float32Array([1, 1]), [1, 2]);
  const { dx, dw } = rmsnorm.backward(dy, x, w, rstd);
  expect([...dx.data, ...dw.data]).toEqual([(10 - 75 / 64) / 8, (20 - 525 / 64) / 8, 1 / 8, 7 / 8]);
});

describe("where nothing is promised there is no bound", () => {
  const one = tensor(new Float64Array([1]), [1]);
  const allowed = (x: number, eps: number, target: Target): number =>
    bound.forward.bound({ x: tensor(new Float64Array([x]), [1, 1]), w: one }, { eps }, target).rstd.data[0];
  test.each([
    ["the square overflows", 2 ** 64, 0],
    ["the square is subnormal", 2 ** -64, 0],
    ["the root of zero", 0, 0],
  ])("%s", (_, x, eps) => expect(allowed(x, eps, targets.wgsl)).toBe(Infinity));
  test("eps keeps the root in its domain", () => {
    expect(allowed(2 ** -64, 2 ** -100, targets.wgsl)).toBeLessThan(Infinity);
    expect(allowed(2 ** -64, 0, targets.ieee)).toBeLessThan(Infinity);
  });
});

test("a gradient along x cancels, and its bound does not", () => {
  const [C, x] = [64, tensor(new Float64Array(64).fill(3), [1, 64])];
  const w = tensor(new Float64Array(C).fill(2), [C]);
  const { rstd } = rmsnorm.forward(x, w, 0);
  const { dx } = bound.backward.bound({ dy: x, x, w, rstd }, {}, targets.wgsl);
  const parts = rstd.data[0] * 3 * 2; // rstd · dn, and all of it is taken out again
  expect(Math.abs(rmsnorm.backward(x, x, w, rstd).dx.data[0])).toBeLessThan(targets.wgsl.u * parts);
  expect(dx.data[0]).toBeGreaterThan(targets.wgsl.u * parts);
});
