// What attention's y may plausibly err by, with values of drawn signs: far above what correct kernels err, and below 1 % of most elements.
import { expect, test } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import { limitsOfAverages } from "../../judge/improbable/averages.ts";
import { LAMBDA_OF_TWO } from "../../judge/improbable/tail.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeOutputs } from "../../judge/verdict.ts";
import { numbers } from "../../reference/bounds.ts";
import { AttentionWeights } from "../../reference/ops/attention.weights.bound.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic, orders } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { ieeeTerms } from "../terms.ts";

const op = operations.get("attention.forward")!;
const sizes = { B: 1, NKV: 1, groups: 2, T: 2, S: 400, HS: 64 };
const problem = buildCase(judgeRows.get(op.name)!, { op: op.name, sizes, profile: "unit", seed: 5 });
const { y } = op.evaluate(problem.inputs, {}, Float64Array);
const limitAt = limitsOfAverages(problem.inputs, targets.ieee);
const limits = Float64Array.from(y.data, (_, i) => limitAt(i));

test("correct evaluations are far within the limits, each form in some order", () => {
  const habits = { rounding: "nearest", fused: false, flushes: false, functions: "exact", seed: 1 } as const;
  for (const [n, { evaluate }] of evaluationsOf(op.name).entries()) {
    const f = new Float32Arithmetic(targets.ieee, { ...habits, order: orders[n % orders.length] });
    const got = evaluate(f, problem.inputs, {}, ["y"]).y;
    for (const [i, want] of y.data.entries()) expect(Math.abs(got.data[i] - want)).toBeLessThan(limits[i] / 10);
  }
});

test("they are below the bounds, and elements that are 1 % off are beyond them", () => {
  const bounds = op.bound(problem.inputs, {}, targets.ieee).y.data;
  expect(limits.every((limit, i) => limit < bounds[i])).toBe(true);
  const seen = [...y.data.keys()].filter((i) => Math.abs(y.data[i]) / 100 > limits[i]);
  expect(seen.length).toBeGreaterThan(0.9 * y.data.length);
});

test("an element within its bound and beyond its limit is improbable", () => {
  const outputs = op.evaluate(problem.inputs, {}, Float32Array);
  const bounds = op.bound(problem.inputs, {}, targets.ieee).y.data;
  expect(judgeOutputs(op, outputs, problem, ieeeTerms).comparisons[0].improbable).toMatchObject({ beyond: 0 });
  outputs.y.data[9] += (limits[9] + bounds[9]) / 2;
  const { findings, comparisons } = judgeOutputs(op, outputs, problem, ieeeTerms);
  expect(findings).toEqual([]);
  expect(comparisons[0].improbable).toMatchObject({
    beyond: 1,
    worst: { output: "y", index: [0, 0, 0, 9] },
  });
});

test("weights that are as wrong as the proof allows are plausible for drawn signs of v, and signs that follow the errors would err by more than their share", () => {
  const { q, k, v } = problem.inputs as Record<"q" | "k" | "v", Tensor<Float32Array>>;
  const { S, HS } = sizes;
  const weights = new AttentionWeights(targets.ieee, numbers(q), numbers(k), S, HS);
  weights.read(0, 0, HS, S - 1); // query 0 of head 0 sees all keys but the last
  for (let i = 0; i < HS; i++) {
    let [drawn, squares, followed] = [0, 0, 0];
    for (let j = 0; j < S - 1; j++) {
      const error = weights.pError[j] * v.data[j * HS + i];
      drawn += j % 2 === 0 ? error : -error;
      squares += error * error;
      followed += Math.abs(error);
    }
    expect(Math.abs(drawn)).toBeLessThan(limits[i]);
    expect(followed).toBeGreaterThan(LAMBDA_OF_TWO * Math.sqrt(squares));
    expect(limits[i]).toBeGreaterThan(LAMBDA_OF_TWO * Math.sqrt(squares));
  }
});
