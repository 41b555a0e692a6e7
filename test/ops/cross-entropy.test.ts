import { describe, expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import { log } from "../../reference/elementary.ts";
import * as bound from "../../reference/ops/cross-entropy.bound.ts";
import { backward, forward } from "../../reference/ops/cross-entropy.ts";
import { gamma } from "../../reference/rounding.ts";
import { targets as specifications } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("cross-entropy.forward");
testBound("cross-entropy.backward");
testErrors("cross-entropy.forward");
testErrors("cross-entropy.backward");
testShapes("cross-entropy.forward");
testShapes("cross-entropy.backward");

// Either side takes less than 30 operations on numbers up to `largest`, each within 1 ulp, 2u.
function expectNear(got: ArrayLike<number>, want: readonly number[], largest: number): void {
  expect(got.length).toBe(want.length);
  const far = want.filter((x, i) => !(Math.abs(got[i] - x) <= 2 * gamma(60, dtypes.float64.u) * largest));
  expect(far).toEqual([]);
}

test("the largest logit is found at every place of every row", () => {
  for (const place of [0, 1, 2]) {
    const row = [0, 1, 2].map((v) => (v === place ? 1000 : -1000));
    const two = tensor(Float64Array.of(...row.map((x) => x - 500), ...row), [2, 3]);
    const { lse, loss } = forward(two, tensor(Int32Array.of(place, place), [2]));
    expect([...lse.data, loss.data[0]]).toEqual([500, 1000, 0]); // e^−2000 is 0
  }
});

describe("cross-entropy: the reference", () => {
  // Σ e^logit is 4 in the first row and 10 in the third; the second row is ignored.
  const logits = tensor(Float64Array.of(0, log(3), log(7), log(3), log(2), log(8)), [3, 2]);
  const targets = tensor(Int32Array.of(1, -100, 0), [3]);
  const dloss = tensor(Float64Array.of(6), []);
  const { loss, lse } = forward(logits, targets);
  test("a hand-computed example", () => {
    expectNear(lse.data, [log(4), log(10), log(10)], 3);
    expectNear(loss.data, [(log(4 / 3) + log(5)) / 2], 3);
    const { dlogits } = backward(dloss, logits, targets, lse);
    expectNear(dlogits.data, [3 / 4, -3 / 4, 0, 0, (6 / 2) * (2 / 10 - 1), (6 / 2) * (8 / 10)], 3);
  });

  test("every target ignored: loss 0 and no gradient", () => {
    const ignored = tensor(Int32Array.of(7, 7, 7), [3]);
    expect(forward(logits, ignored, 7).loss.data[0]).toBe(0);
    expect(backward(dloss, logits, ignored, lse, 7).dlogits.data.every((gradient) => gradient === 0)).toBe(true);
  });

  test("logits beyond the range of the exponential", () => {
    const large = tensor(Float64Array.of(1000, 1000, -1000, -1000 + log(3)), [2, 2]);
    const both = tensor(Int32Array.of(0, 1), [2]);
    expectNear(forward(large, both).loss.data, [(log(2) + log(4 / 3)) / 2], 1000);
  });

  test.each([2, -1, -99])("target %d is refused", (target) => {
    const wrong = tensor(Int32Array.of(1, -100, target), [3]);
    const message = `targets[2] is ${target}, expected a class in [0, 2) or -100`;
    expect(() => forward(logits, wrong)).toThrow(new RangeError(message));
    expect(() => backward(dloss, logits, wrong, lse)).toThrow(new RangeError(message));
  });
});

test.each(["wgsl", "cuda-fast-math", "triton", "metal"] as const)(
  "%s: p · dloss, flushed, takes p out of p · dloss − dloss",
  (name) => {
    const logits = tensor(Float64Array.of(-1, 1), [1, 2]);
    const targets = tensor(Int32Array.of(0), [1]);
    const dloss = tensor(Float64Array.of(4 * dtypes.float32.minNormal), []);
    const { lse } = forward(logits, targets);
    const truth = backward(dloss, logits, targets, lse).dlogits.data[0];
    const allowed = bound.backward.bound({ dloss, logits, targets, lse }, { ignoreIndex: -100 }, specifications[name]);
    const flushed = 0 - dloss.data[0]; // p is 0.12, so that p · dloss is subnormal
    expect(Math.abs(flushed - truth)).toBeLessThanOrEqual(allowed.dlogits.data[0]);
    // Nothing larger can be lost, and 2⁻¹⁶ of dloss is more than the roundings of p.
    expect(allowed.dlogits.data[0]).toBeLessThan(Math.abs(flushed - truth) + 2 ** -16 * dloss.data[0]);
  },
);
