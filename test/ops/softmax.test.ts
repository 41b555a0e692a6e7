import { describe, expect, test } from "vitest";
import { dtypes } from "../../reference/dtype.ts";
import { log, powerOfTwo } from "../../reference/elementary.ts";
import { normal, streamOf } from "../../reference/random.ts";
import * as bound from "../../reference/ops/softmax.bound.ts";
import { backward, forward } from "../../reference/ops/softmax.ts";
import { gamma } from "../../reference/rounding.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("softmax.forward");
testBound("softmax.backward");
testErrors("softmax.forward");
testErrors("softmax.backward");
testShapes("softmax.forward");
testShapes("softmax.backward");

// Either side takes less than 30 operations on numbers up to `largest`, each within 1 ulp, 2u.
function expectNear(got: ArrayLike<number>, want: readonly number[], largest: number): void {
  expect(got.length).toBe(want.length);
  const far = want.filter((x, i) => !(Math.abs(got[i] - x) <= 2 * gamma(60, dtypes.float64.u) * largest));
  expect(far).toEqual([]);
}

describe("softmax: the reference", () => {
  test("by hand: e^x is 1, 3 and 4, so the shares are 1/8, 3/8 and 1/2", () => {
    const x = tensor(Float64Array.of(0, log(3), log(4)), [1, 3]);
    const { y } = forward(x);
    expectNear(y.data, [1 / 8, 3 / 8, 1 / 2], 2);
    // Σ dy · y = 8/8 + 6/8 + 2 = 3.75
    const dy = tensor(Float64Array.of(8, 2, 4), [1, 3]);
    expectNear(backward(dy, y).dx.data, [4.25 / 8, (3 * -1.75) / 8, 0.25 / 2], 8);
  });

  test("numbers beyond the range of the exponential", () => {
    const x = tensor(Float64Array.of(1000, 1000, -1000, -1000 + log(3)), [2, 2]);
    expectNear(forward(x).y.data, [1 / 2, 1 / 2, 1 / 4, 3 / 4], 1000);
  });

  test("the largest number is found at every place of every row", () => {
    // e^−2000 is 0: where a larger maximum is taken, or a smaller one, nothing or infinity is left.
    for (const place of [0, 1, 2]) {
      const row = [0, 1, 2].map((c) => (c === place ? 1000 : -1000));
      const other = row.map((x) => -x);
      const { y } = forward(tensor(Float64Array.of(...other, ...row), [2, 3]));
      expect([...y.data]).toEqual([...other.map((x) => (x > 0 ? 1 / 2 : 0)), ...row.map((x) => (x > 0 ? 1 : 0))]);
    }
  });

  test("the gradient is that of central differences", () => {
    const [R, C, seed] = [3, 7, 1];
    const x = Float64Array.from({ length: R * C }, (_, i) => normal(seed, streamOf("x"), i));
    const dy = tensor(
      Float64Array.from({ length: R * C }, (_, i) => normal(seed, streamOf("dy"), i)),
      [R, C],
    );
    const loss = (numbers: Float64Array): number =>
      forward(tensor(numbers, [R, C])).y.data.reduce((sum, y, i) => sum + y * dy.data[i], 0);
    const { dx } = backward(dy, forward(tensor(x, [R, C])).y);
    // The quotient errs by h² / 6 times a third derivative, of at most 6 · max |dy| for each weight, and by roundings of a
    // loss of at most Σ |dy|, in less than 100 operations, divided by h.
    const h = powerOfTwo(-17);
    const sum = dy.data.reduce((total, value) => total + Math.abs(value), 0);
    const allowed = h * h * sum + (gamma(100, dtypes.float64.u) * sum) / h;
    for (let i = 0; i < x.length; i++) {
      const at = (step: number): number => loss(x.with(i, x[i] + step));
      expect(Math.abs((at(h) - at(-h)) / (2 * h) - dx.data[i])).toBeLessThanOrEqual(allowed);
    }
    expect(allowed).toBeLessThan(1e-6 * sum); // what is off by a term or a sign is farther off
  });
});

test("a share below the normal range: WGSL reads the exponential as zero, and a quotient of zero errs by 2.5 ulp", () => {
  const x = tensor(Float32Array.of(0, -90), [1, 2]);
  const share = forward(tensor(Float64Array.from(x.data), [1, 2])).y.data[1];
  expect(share).toBeLessThan(dtypes.float32.minNormal);
  const { y } = bound.forward.bound({ x }, {}, targets.wgsl);
  expect(y.data[1]).toBeGreaterThanOrEqual(share + 2.5 * dtypes.float32.minSubnormal);
});
