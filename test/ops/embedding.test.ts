import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { soundness } from "../../judge/soundness.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import * as bound from "../../reference/ops/embedding.bound.ts";
import * as embedding from "../../reference/ops/embedding.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("embedding.backward");
testErrors("embedding.forward");
testErrors("embedding.backward");
testShapes("embedding.forward");
testShapes("embedding.backward");

const tokens = tensor(new Int32Array([2, 0, 2]), [3]);

// A copy has no error, so no evaluation can come near its bound: that it is zero is all there is to say.
describe("embedding.forward: the bound", () => {
  test("accuses no copy", () => {
    const plan = { elements: 20_000, seed: 20_230_227 };
    const op = "embedding.forward";
    const { alarms, compared, unjudged } = soundness(
      { operation: operations.get(op)!, spec: judgeRows.get(op)! },
      evaluationsOf(op),
      targets.wgsl,
      plan,
    );
    expect(alarms).toEqual([]);
    expect(compared).toBeGreaterThanOrEqual(plan.elements);
    expect(unjudged).toBe(0);
  });

  test("is zero, except for a subnormal number that may become zero", () => {
    const w = tensor(new Float64Array([1, -(2 ** -126), 5, 5, 2 ** -127, 0]), [3, 2]);
    expect(Array.from(bound.forward.bound({ tokens, w }, {}, targets.wgsl).y.data)).toEqual([
      2 ** -127,
      0,
      0,
      0,
      2 ** -127,
      0,
    ]);
    expect(Array.from(bound.forward.bound({ tokens, w }, {}, targets.ieee).y.data)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

test("a token that occurs twice collects both gradients, one that never occurs gets zero", () => {
  const dy = tensor(new Float32Array([1, 2, 3, 4, 5, 6]), [3, 2]);
  expect(Array.from(embedding.backward(dy, tokens, 4).dw.data)).toEqual([3, 4, 0, 0, 6, 8, 0, 0]);
  // One addition errs by u; a single occurrence is a copy.
  const { u } = targets.ieee;
  const allowed = Array.from(bound.backward.bound({ dy, tokens }, { V: 4 }, targets.ieee).dw.data);
  expect(allowed.map((error) => error > 0)).toEqual([false, false, false, false, true, true, false, false]);
  expect(Math.round(allowed[5] / u)).toBe(8);
});

test.each([-1, 4, 5])("token %d of a vocabulary of 4 is refused, by both directions", (token) => {
  const wrong = tensor(Int32Array.of(0, token), [2]);
  const message = `tokens[1] is ${token}, expected an id in [0, 4)`;
  expect(() => embedding.forward(wrong, tensor(new Float64Array(8), [4, 2]))).toThrow(message);
  expect(() => embedding.backward(tensor(new Float64Array(4), [2, 2]), wrong, 4)).toThrow(message);
});
