// Where bounds grew most when further forms were covered, an evaluation reaches more than half of them that takes documents by their letter: the same operation twice
// has two results, a quotient of 0 is a subnormal number, constants are either neighbour, and an exponential stops at the largest number.
import { expect, test } from "vitest";
import { oracle } from "../../judge/api/oracle.ts";
import { targets } from "../../reference/targets.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";
import { worstAt } from "../growth-peaks.ts";
import type { Problem } from "./problems.ts";

const row = (...xs: number[]): Tensor<Float32Array> => tensor(Float32Array.from(xs), [1, xs.length]);

const peaks: Readonly<Record<string, readonly [output: string, problem: Problem]>> = {
  "two logits of −57,000": ["y", { op: "softmax.forward", inputs: { x: row(-57_000, -57_000.25) }, scalars: {} }],
  "the lse of logits around 500": [
    "lse",
    {
      op: "cross-entropy.forward",
      inputs: { logits: row(535, 534.5), targets: tensor(Int32Array.of(1), [1]) },
      scalars: { ignoreIndex: -100 },
    },
  ],
  "an exponential that overflows": [
    "dgate",
    { op: "swiglu.backward", inputs: { dy: row(200), gate: row(-91), up: row(300) }, scalars: {} },
  ],
  "x = 0 with a large gain": [
    "y",
    {
      op: "rmsnorm.forward",
      inputs: { x: row(0, 3), w: tensor(Float32Array.of(10, 1), [2]) },
      scalars: { eps: Math.fround(1e-5) },
    },
  ],
};

test.each(Object.keys(peaks))("%s", (name) => {
  const [output, problem] = peaks[name];
  const target = targets.wgsl;
  const expected = oracle(problem as Parameters<typeof oracle>[0], { target });
  const { truth, bound } = (expected as Record<string, { truth: Tensor; bound: Tensor }>)[output];
  const reached = worstAt({ problem, index: 0 }, output, truth.data[0], target) / bound.data[0];
  expect(reached).toBeLessThanOrEqual(1);
  expect(reached).toBeGreaterThan(1 / 2);
});
