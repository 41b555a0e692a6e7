// Reals of a configuration are those that a kernel gets: float32, positive, finite.
import { expect, test } from "vitest";
import { checkConfig, presets } from "../../reference/config.ts";
import {
  checkHyperparameters,
  type Hyperparameters,
  paperHyperparameters,
} from "../../reference/training/hyperparameters.ts";

const bad = [0, -1, -1e-5, NaN, Infinity, -Infinity, 1e-60, 1e300];

test.each(bad)("normEps and ropeTheta of %d", (value) => {
  for (const name of ["normEps", "ropeTheta"]) {
    expect(() => checkConfig({ ...presets.tiny, [name]: value })).toThrow(
      new RegExp(`^configuration: ${name} is \\S+, expected a positive float32 number$`),
    );
  }
});

const good: Hyperparameters = {
  learningRate: 3e-4,
  warmupSteps: 1,
  totalSteps: 10,
  ...paperHyperparameters,
};

test.each([
  ["learningRate", [-1, NaN, Infinity, 1e39]],
  ["weightDecay", [-1, NaN, Infinity, 1e39]],
  ["adamEps", bad],
  ["maxGradientNorm", bad],
  ["beta1", [-0.1, 1, NaN]],
  ["beta2", [-0.1, 1, NaN]],
  ["minLearningRateRatio", [-0.1, 1.1, NaN]],
] as const)("hyperparameter %s", (name, values) => {
  expect(() => checkHyperparameters(good)).not.toThrow();
  for (const value of values) {
    expect(() => checkHyperparameters({ ...good, [name]: value })).toThrow(
      new RegExp(`^hyperparameters: ${name} is \\S+, expected .*number`),
    );
  }
});
