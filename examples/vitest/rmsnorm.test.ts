// A test suite of your own, with Touchstone's matchers:  npx vitest run
import fc from "fast-check";
import { cases, replay, targets, tensor } from "touchstone-llama";
import { matchers } from "touchstone-llama/vitest";
import { expect, test } from "vitest";
import { rmsnorm } from "./rmsnorm.ts";

expect.extend(matchers);

test("a row by hand", () => {
  const x = tensor(new Float32Array([3, -1, 0.5, 2]), [1, 4]);
  const w = tensor(new Float32Array([1, 0.5, 2, 1.25]), [4]);
  const problem = { op: "rmsnorm.forward", inputs: { x, w }, scalars: { eps: 1e-5 } } as const;
  expect(rmsnorm(problem.inputs, problem.scalars)).toBeWithinBound(problem, { target: targets.ieee });
});

test("a case that failed once", () => {
  const problem = replay("rmsnorm.forward R=3 C=43 eps=1e-5 profile=unit seed=7", "rmsnorm.forward");
  expect(rmsnorm(problem.inputs, problem.scalars)).toBeWithinBound(problem);
});

test("cases that fast-check draws, in your own property", () => {
  const property = fc.property(cases("rmsnorm.forward"), (problem) => {
    expect(rmsnorm(problem.inputs, problem.scalars)).toBeWithinBound(problem);
  });
  fc.assert(property, { numRuns: 50, seed: 1 });
});

test("everything that the judge tries", async () => {
  await expect(rmsnorm).toPassTouchstone("rmsnorm.forward", { runs: 50 });
});
