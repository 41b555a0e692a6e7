import { describe, expect, test } from "vitest";
import type { Candidate } from "../../reference/candidate.ts";
import { exampleCases } from "../../judge/case.ts";
import { buildCase } from "../../judge/campaign.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import * as bound from "../../reference/ops/rmsnorm.bound.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("rmsnorm.forward");
testBound("rmsnorm.backward");
testErrors("rmsnorm.forward");
testErrors("rmsnorm.backward");
testShapes("rmsnorm.forward");
testShapes("rmsnorm.backward");

test("by hand: mean square (1 + 49) / 2 = 25, and eps 39 makes rstd 1/8", () => {
  const x = tensor(new Float32Array([1, 7]), [1, 2]);
  const w = tensor(new Float32Array([10, 20]), [2]);
  const { y, rstd } = rmsnorm.forward(x, w, 39);
  expect([...rstd.data, ...y.data]).toEqual([1 / 8, 10 / 8, 140 / 8]);
  // n = (1/8, 7/8), dn = (10, 20), mean(dn · n) = 75/8
  const dy = tensor(new Float32Array([1, 1]), [1, 2]);
  const { dx, dw } = rmsnorm.backward(dy, x, w, rstd, 39);
  expect([...dx.data, ...dw.data]).toEqual([(10 - 75 / 64) / 8, (20 - 525 / 64) / 8, 1 / 8, 7 / 8]);
});

describe("there is no bound where nothing is promised", () => {
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

describe("backward: rstd computed again", () => {
  const op = "rmsnorm.backward";
  const operation = operations.get(op)!;
  const spec = judgeRows.get(op)!;
  const again = (statistic: (row: readonly number[], eps: number) => number): Candidate => ({
    name: "a backward that computes rstd again",
    run: async (inputs, scalars) => {
      const { x } = inputs as Record<string, Tensor<Float32Array>>;
      const [R, C] = x.shape;
      const rstd = Float32Array.from({ length: R }, (_, r) => {
        return statistic(Array.from(x.data.subarray(r * C, (r + 1) * C)), Number(scalars.eps));
      });
      const given = { ...inputs, rstd: tensor(rstd, [R]) };
      return { outputs: operation.evaluate(given, scalars, Float32Array), complaints: [] };
    },
  });
  const findings = async (candidate: Candidate): Promise<string[]> => {
    const list: string[] = [];
    for (const c of exampleCases(spec, 1)) {
      const problem = buildCase(spec, c);
      list.push(
        ...(await judgeProblem(operation, candidate, problem, { target: targets.ieee, dtype: "float32" })).findings,
      );
    }
    return list;
  };
  const squares = (row: readonly number[]): number => row.reduce((sum, x) => sum + x * x, 0);

  test("from the mean square and eps is covered", async () => {
    expect(await findings(again((row, eps) => 1 / Math.sqrt(squares(row) / row.length + eps)))).toEqual([]);
  });

  test.each<[string, (row: readonly number[], eps: number) => number]>([
    ["without eps", (row) => 1 / Math.sqrt(squares(row) / row.length)],
    ["with eps outside the root", (row, eps) => 1 / (Math.sqrt(squares(row) / row.length) + eps)],
    ["with a root of eps added outside", (row, eps) => 1 / (Math.sqrt(squares(row) / row.length) + Math.sqrt(eps))],
    ["with eps before the division by C", (row, eps) => 1 / Math.sqrt((squares(row) + eps) / row.length)],
    ["from a mean over C − 1", (row, eps) => 1 / Math.sqrt(squares(row) / Math.max(1, row.length - 1) + eps)],
    ["from all but the last column", (row, eps) => 1 / Math.sqrt(squares(row.slice(0, -1)) / row.length + eps)],
    ["from the variance", (row, eps) => 1 / Math.sqrt(variance(row) + eps)],
    ["with another eps", (row) => 1 / Math.sqrt(squares(row) / row.length + 1e-5)],
  ])("%s is rejected", async (_, statistic) => expect(await findings(again(statistic))).not.toEqual([]));

  function variance(row: readonly number[]): number {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    return squares(row.map((x) => x - mean)) / row.length;
  }

  test("if another implementation saved rstd, both ways are within the bound, which is no wider than their distance", () => {
    const C = 64;
    const x = tensor(
      Float64Array.from({ length: C }, (_, c) => Math.fround(Math.sin(c + 1))),
      [1, C],
    );
    const w = tensor(new Float64Array(C).fill(1), [C]);
    const dy = tensor(
      Float64Array.from({ length: C }, (_, c) => Math.fround(Math.cos(3 * c))),
      [1, C],
    );
    const exact = rmsnorm.forward(x, w, 1e-5).rstd.data[0];
    const widths = [0, 2 ** -20, 2 ** -12, 2 ** -4].map((off) => {
      const rstd = tensor(Float64Array.of(exact * (1 + off)), [1]);
      const truth = rmsnorm.backward(dy, x, w, rstd, 1e-5);
      const recomputed = rmsnorm.backward(dy, x, w, tensor(Float64Array.of(exact), [1]), 1e-5);
      const allowed = bound.backward.bound({ dy, x, w, rstd }, { eps: 1e-5 }, targets.ieee);
      for (const output of ["dx", "dw"] as const) {
        truth[output].data.forEach((value, i) => {
          expect(Math.abs(recomputed[output].data[i] - value)).toBeLessThanOrEqual(allowed[output].data[i]);
        });
      }
      return Math.max(...allowed.dw.data);
    });
    const distance = exact * 2 ** -4;
    expect(widths[0]).toBeLessThan(C * 2 ** -23); // two roundings of each of 64 squares, at most, of terms below 1 · √2 · 1
    expect(widths[3]).toBeLessThan(2 * distance);
    expect(widths.toSorted((a, b) => a - b)).toEqual(widths);
  });
});

test("a gradient along x cancels, and its bound does not", () => {
  const [C, x] = [64, tensor(new Float64Array(64).fill(3), [1, 64])];
  const w = tensor(new Float64Array(C).fill(2), [C]);
  const { rstd } = rmsnorm.forward(x, w, 0);
  const { dx } = bound.backward.bound({ dy: x, x, w, rstd }, { eps: 0 }, targets.wgsl);
  const parts = rstd.data[0] * 3 * 2; // rstd · dn, and all of it is taken out again
  expect(Math.abs(rmsnorm.backward(x, x, w, rstd, 0).dx.data[0])).toBeLessThan(targets.wgsl.u * parts);
  expect(dx.data[0]).toBeGreaterThan(targets.wgsl.u * parts);
});

test("where rstd³ fits but its product with Σ dn · x does not, dx has no bound", () => {
  // rstd is 2⁴² and rstd³ 2¹²⁶; with dn of 2⁴⁸ and x of 2⁻⁴² the projection is 2⁷ and more. dx, of about 2⁹⁰, is an ordinary number.
  const x = tensor(new Float32Array([2 ** -42, 2 ** -42]), [1, 2]);
  const w = tensor(new Float32Array([1, 1]), [2]);
  const rstd = tensor(new Float32Array([2 ** 42]), [1]);
  const dxOf = (dy: number) => {
    const up = tensor(new Float32Array([dy, dy / 2]), [1, 2]);
    const projection = Math.fround(Math.fround(-0.5 * 1.5 * dy * 2 ** -42) * 2 ** 126);
    return { projection, ...bound.backward.bound({ dy: up, x, w, rstd }, { eps: 0 }, targets.ieee) };
  };
  const [fits, overflows] = [dxOf(2 ** 30), dxOf(2 ** 48)];
  expect([fits.projection, overflows.projection]).toEqual([-0.75 * 2 ** 114, -Infinity]);
  expect(fits.dx.data.every((allowed) => allowed < Infinity)).toBe(true);
  expect([...overflows.dx.data]).toEqual([Infinity, Infinity]);
});
