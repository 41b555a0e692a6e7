// What is said to be missed, by the bounds and as improbable, against faults that are planted.
import { expect, test } from "vitest";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { hundredth } from "../../judge/missed.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { operations } from "../../reference/ops/index.ts";
import { bits } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { ieeeTerms } from "../terms.ts";

const linear = operations.get("linear.forward")!;
const row = judgeRows.get("linear.forward")!;

test("what would have been missed is said of either verdict, and holds", () => {
  const [R, O, n] = [12, 16, 2048];
  const c = { op: "linear.forward", sizes: { R, O, C: n }, profile: "unit", seed: 5 } as const;
  const problem = buildCase(row, c);
  const compare = comparing(row, c, true)(linear, problem, ieeeTerms);
  const y = linear.evaluate(problem.inputs, problem.scalars, Float32Array).y as Tensor<Float32Array>;
  const { places: from, missed, byEither } = compare("y", y).missed!.element.percent;
  const places = 24;
  let [within, plausible] = [0, 0];
  for (let k = 0; k < places; k++) {
    const data = y.data.slice();
    data[bits(1, 7, k) % (R * O)] *= 1.01;
    const { outside, improbable } = compare("y", { data, shape: y.shape });
    if (outside > 0) continue;
    within++;
    if (improbable!.beyond === 0) plausible++;
  }
  // Of `places` draws with probability p no more than 4 deviations, √(places · p) at most, from places · p, but for once in 10⁴ runs.
  const said = [missed / from, byEither! / from].map((p) => places * p);
  for (const [observed, expected] of [
    [within, said[0]],
    [plausible, said[1]],
  ])
    expect(Math.abs(observed - expected)).toBeLessThanOrEqual(4 * Math.sqrt(expected + 1));
  expect(byEither).toBeLessThan(missed / 2);
});

test("of 1 % of the elements as many count as a fault changes, and as are suspects at once", () => {
  const misses = { places: 100, missed: 75 };
  expect(hundredth(misses, 400, Infinity).missed).toBe(0.75 ** 4);
  expect(hundredth(misses, 1e6, 64).missed).toBe(0.75 ** 64);
  expect(hundredth(misses, 50, 64).missed).toBe(0.75); // one at least
  expect(hundredth({ places: 0, missed: 0 }, 0, 64)).toEqual({ places: 0, missed: 0 });
});
