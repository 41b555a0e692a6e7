import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { checkHyperparameters, type Hyperparameters } from "../../reference/training/hyperparameters.ts";
import { adamwScalars, learningRateAt } from "../../reference/training/schedule.ts";
import { initialState, step } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";

const h: Hyperparameters = {
  learningRate: 0.5,
  warmupSteps: 4,
  totalSteps: 20,
  minLearningRateRatio: 0.25,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  adamEps: 1e-8,
  maxGradientNorm: 1,
};

describe("the learning rate", () => {
  test("rises in a line to the peak at the end of the warm-up", () => {
    expect([1, 2, 3, 4].map((t) => learningRateAt(h, t))).toEqual([0.125, 0.25, 0.375, 0.5]);
  });

  test("is half-way between peak and floor in the middle, the floor at the end, and stays there", () => {
    expect(learningRateAt(h, 12)).toBe((0.5 + 0.125) / 2);
    expect([20, 21, 1000].map((t) => learningRateAt(h, t))).toEqual([0.125, 0.125, 0.125]);
  });

  test("falls with every step after the warm-up", () => {
    for (let t = 5; t <= 20; t++) expect(learningRateAt(h, t)).toBeLessThan(learningRateAt(h, t - 1));
  });

  test("does without a warm-up, and with one as long as the run", () => {
    expect(learningRateAt({ ...h, warmupSteps: 0 }, 20)).toBe(0.125);
    expect(learningRateAt({ ...h, warmupSteps: 20 }, 20)).toBe(0.5);
    expect(learningRateAt({ ...h, warmupSteps: 0, totalSteps: 1 }, 1)).toBe(0.125);
  });
});

describe("AdamW's scalars", () => {
  const matrix = { data: new Float32Array(1), shape: [1, 1] };
  const gain = { data: new Float32Array(1), shape: [1] };

  test("are computed in double and rounded once", () => {
    const scalars = adamwScalars(h, 1, matrix);
    expect(scalars.oneMinusBeta1).toBe(Math.fround(1 - 0.9));
    expect(scalars.correction2).toBe(Math.fround(1 - 0.95));
    const { beta1: _, beta2: __, ...others } = scalars;
    for (const value of Object.values(others)) expect(Math.fround(value)).toBe(value);
    expect(adamwScalars(h, 1, { data: new Float64Array(1), shape: [1, 1] }).oneMinusBeta1).toBe(1 - 0.9);
    expect([scalars.beta1, scalars.beta2, scalars.step]).toEqual([0.9, 0.95, 1]); // as they are written
  });

  test("decay matrices, not gains", () => {
    expect(adamwScalars(h, 1, matrix).weightDecay).toBe(Math.fround(0.1));
    expect(adamwScalars(h, 1, gain).weightDecay).toBe(0);
  });

  test("are those of a plain running mean with beta 0", () => {
    const scalars = adamwScalars({ ...h, beta1: 0, beta2: 0 }, 3, matrix);
    expect([scalars.correction1, scalars.oneMinusBeta2]).toEqual([1, 1]);
  });
});

test.each(Object.keys(h) as (keyof Hyperparameters)[])("an impossible %s is named", (name) => {
  for (const value of [NaN, -1, Infinity, "0.5" as never, null as never]) {
    expect(() => checkHyperparameters({ ...h, [name]: value })).toThrow(
      new RegExp(`^hyperparameters: ${name} is .*expected`),
    );
  }
  expect(() => checkHyperparameters(h)).not.toThrow();
});

test("a step with learning rate 0 moves the moments and leaves the weights", () => {
  const config = {
    ...presets.tiny,
    dim: 4,
    nHeads: 2,
    nKvHeads: 1,
    ffnDim: 6,
    vocabSize: 5,
  };
  const state = initialState(initialWeights(config, 5, Float32Array));
  const batch = {
    tokens: { data: Int32Array.of(1, 2, 3), shape: [1, 3] },
    targets: { data: Int32Array.of(2, 3, 4), shape: [1, 3] },
  };
  const next = step(config, { ...h, learningRate: 0 }, 1, state, batch);
  expect(next.state.weights).toEqual(state.weights);
  expect(next.state.firstMoment).not.toEqual(state.firstMoment);
  expect(next.loss).toBeGreaterThan(0);
});
