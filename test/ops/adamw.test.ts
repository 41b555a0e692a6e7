import { describe, expect, test } from "vitest";
import { judge } from "../../judge/api/judge.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { power } from "../../reference/elementary.ts";
import * as bound from "../../reference/ops/adamw.bound.ts";
import { type AdamWScalars, forward } from "../../reference/ops/adamw.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("adamw.forward");
testErrors("adamw.forward");
testShapes("adamw.forward");

const one = (value: number) => ({ data: Float64Array.of(value), shape: [1] });
const first: AdamWScalars = {
  learningRate: 0.25,
  beta1: 0.5,
  beta2: 0.75,
  step: 1,
  oneMinusBeta1: 0.5,
  oneMinusBeta2: 0.25,
  correction1: 0.5,
  correction2: 0.25,
  eps: 1,
  weightDecay: 0.5,
};

test("the first step, by hand", () => {
  const { w, m, v } = forward(one(2), one(3), one(0), one(0), first);
  expect(m.data[0]).toBe(1.5); // 0.5 · 3
  expect(v.data[0]).toBe(2.25); // 0.25 · 9
  expect(w.data[0]).toBe(2 - 0.25 * (3 / (3 + 1) + 0.5 * 2)); // m and v corrected to 3 and 9
});

test("a second step, by hand", () => {
  const second = { ...first, step: 2, correction1: 0.75, correction2: 0.4375 };
  const { w, m, v } = forward(one(1), one(1), one(1.5), one(2.25), { ...second, eps: 0, weightDecay: 0 });
  expect(m.data[0]).toBe(1.25);
  expect(v.data[0]).toBe(1.9375);
  const byHand = 1 - (0.25 * (1.25 / 0.75)) / Math.sqrt(1.9375 / 0.4375);
  expect(Math.abs(w.data[0] - byHand)).toBeLessThanOrEqual(8 * Number.EPSILON); // eight roundings below 1
});

test("zero moments and no gradient: only the decay, and it is judged", () => {
  expect(forward(one(2), one(0), one(0), one(0), first).w.data[0]).toBe(2 - 0.25 * 0.5 * 2);
  const { w, m, v } = bound.forward.bound({ w: one(2), g: one(0), m: one(0), v: one(0) }, first, targets.wgsl);
  expect(w.data[0]).toBeLessThan(16 * targets.wgsl.u);
  expect(m.data[0]).toBeLessThan(4 * dtypes.float32.minNormal);
  expect(v.data[0]).toBeLessThan(4 * dtypes.float32.minNormal);
});

test("without eps a direction over nothing has no bound", () => {
  const { w } = bound.forward.bound({ w: one(2), g: one(0), m: one(1), v: one(0) }, { ...first, eps: 0 }, targets.wgsl);
  expect(w.data[0]).toBe(Infinity);
});

test("a correction that is left out while it still counts is rejected", async () => {
  // 0.999^3000 is 0.05. The scalars stay consistent otherwise, so only the drawn steps show it.
  const { passed, findings } = await judge("adamw.forward", ({ w, g, m, v }, scalars) =>
    forward(w, g, m, v, {
      ...scalars,
      correction2: scalars.step < 3000 || scalars.beta2 > 0.999 ? scalars.correction2 : 1,
    }),
  );
  expect(passed).toBe(false);
  expect(findings[0]).toMatch(/step=[3-9]\d{3} /);
});

test("another shape is refused", () => {
  const pair = { data: new Float64Array(2), shape: [2] };
  expect(() => forward(one(2), pair, one(0), one(0), first)).toThrow("g has shape [2], expected [1], the shape of w");
});

describe("scalars that follow from the betas", () => {
  const scalarsOf = (beta2: number, step: number): AdamWScalars => ({
    learningRate: 1,
    beta1: 0.9,
    beta2,
    step,
    oneMinusBeta1: Math.fround(1 - 0.9),
    oneMinusBeta2: Math.fround(1 - beta2),
    correction1: Math.fround(1 - power(0.9, step)),
    correction2: Math.fround(1 - power(beta2, step)),
    eps: Math.fround(1e-8),
    weightDecay: 0,
  });
  const state = { w: one(0), g: one(1), m: one(0.5), v: one(0.25) };
  const begin = { w: one(0), g: one(1), m: one(0), v: one(0) };
  const allowed = (given: typeof state, scalars: AdamWScalars, target: Target) =>
    bound.forward.bound(given, scalars, target);

  // The figures that adamw.bound.ts states. v of a first step is (1 − beta2) · g², and w is the direction, 1.
  test.each<[keyof typeof targets, number, number]>([
    ["wgsl", 0.999, 5e-4],
    ["ieee", 0.999, 6e-5],
    ["wgsl", 0.95, 1e-5],
    ["ieee", 0.95, 1e-6],
  ])("%o, beta2 = %d: a first step may be off by some share of half its correction's error", (name, beta2, figure) => {
    const { w, v } = allowed(begin, scalarsOf(beta2, 1), targets[name]);
    const share = v.data[0] / (1 - beta2); // |1 − float32(beta2) − (1 − beta2)| and some roundings
    const cancelled = Math.abs(Math.fround(beta2) - beta2) / (1 - beta2);
    expect(share).toBeGreaterThan(cancelled);
    expect(share).toBeLessThan(cancelled + 16 * dtypes.float32.u);
    expect(w.data[0]).toBeGreaterThan(figure / 2 / 2);
    expect(w.data[0]).toBeLessThan(figure + share + 64 * dtypes.float32.u);
  });

  const moved = (scalars: AdamWScalars, changed: Partial<AdamWScalars>, given = state) => {
    const [want, got] = [scalars, { ...scalars, ...changed }].map((s) =>
      forward(given.w, given.g, given.m, given.v, s),
    );
    const bounds = allowed(given, scalars, targets.ieee);
    return (["w", "m", "v"] as const).filter(
      (name) => !(Math.abs(got[name].data[0] - want[name].data[0]) <= bounds[name].data[0]),
    );
  };

  test.each([1, 2, 10, 1000])("in step %d: betas, 1 − beta and corrections from another road are within", (step) => {
    for (const beta2 of [0.95, 0.999]) {
      const scalars = scalarsOf(beta2, step);
      const [b1, b2] = [0.9, beta2].map(Math.fround);
      expect(moved(scalars, { beta1: b1, beta2: b2 })).toEqual([]);
      expect(moved(scalars, { oneMinusBeta1: 1 - b1, oneMinusBeta2: 1 - b2 })).toEqual([]);
      expect(moved(scalars, { oneMinusBeta1: 1 - 0.9, oneMinusBeta2: 1 - beta2 })).toEqual([]);
      const ofFloat32 = { correction1: 1 - power(b1, step), correction2: 1 - power(b2, step) };
      expect(moved(scalars, ofFloat32)).toEqual([]);
      const inDouble = { correction1: 1 - power(0.9, step), correction2: 1 - power(beta2, step) };
      expect(moved(scalars, inDouble)).toEqual([]);
    }
  });

  test("betas in fewer bits, corrections of another step, and no corrections at all are outside", () => {
    const scalars = scalarsOf(0.999, 10);
    const low = (x: number): number => round(x, dtypes.bfloat16);
    expect(moved(scalars, { beta2: low(0.999) })).toContain("v");
    expect(moved(scalars, { oneMinusBeta2: 1 - round(0.999, dtypes.float16) })).toContain("v");
    expect(moved(scalars, { oneMinusBeta1: low(0.1) })).toContain("m");
    for (const t of [9, 11]) {
      expect(moved(scalars, { correction1: 1 - power(0.9, t) })).toContain("w");
      expect(moved(scalars, { correction2: 1 - power(0.999, t) })).toContain("w");
    }
    expect(moved(scalars, { correction1: 1 })).toContain("w");
    expect(moved(scalars, { correction2: 1 })).toContain("w");
  });

  test("the other scalars must follow from the betas", () => {
    const scalars = scalarsOf(0.999, 10);
    for (const changed of [{ step: 11 }, { beta1: 0.8 }, { oneMinusBeta2: 0.002 }, { correction1: 1 }]) {
      expect(() => allowed(state, { ...scalars, ...changed }, targets.ieee)).toThrow(
        /^adamw: (oneMinusBeta|correction)[12] is \S+, expected 1 − beta[12](\^step)? = /,
      );
    }
  });
});
