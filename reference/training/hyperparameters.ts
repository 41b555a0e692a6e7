// The choices for a training run (Touvron et al. 2023, section 2.3), under the names of the recorded traces.
import { shown } from "../shown.ts";

/**
 * The choices for a training run: the schedule, AdamW and the clipping. `checkHyperparameters` reports impossible ones.
 *
 * @example
 * ```ts
 * import type { reference } from "touchstone-llama";
 *
 * const h: reference.Hyperparameters = {
 *   learningRate: 3e-4,
 *   warmupSteps: 10,
 *   totalSteps: 100,
 *   minLearningRateRatio: 0.1,
 *   weightDecay: 0.1,
 *   beta1: 0.9,
 *   beta2: 0.95,
 *   adamEps: 1e-8,
 *   maxGradientNorm: 1,
 * };
 * ```
 */
export interface Hyperparameters {
  /** The peak, reached at the end of the warm-up. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
  /** The last learning rate as a share of the peak. */
  readonly minLearningRateRatio: number;
  /** Applies only to matrices. */
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly adamEps: number;
  readonly maxGradientNorm: number;
}

/** What LLaMA was trained with (Touvron et al. 2023, section 2.2), at any size; adamEps is that of Kingma & Ba 2015. */
export const paperHyperparameters = {
  minLearningRateRatio: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  adamEps: 1e-8,
  maxGradientNorm: 1,
} as const satisfies Partial<Hyperparameters>;

export const hyperparameterNames = [
  ...(["learningRate", "warmupSteps", "totalSteps", "minLearningRateRatio", "weightDecay"] as const),
  ...(["beta1", "beta2", "adamEps", "maxGradientNorm"] as const),
] as const satisfies readonly (keyof Hyperparameters)[];

/** Throws RangeError, in one line that names the field and what was expected, unless a run can be made of it. */
export function checkHyperparameters(h: Hyperparameters): void {
  // A kernel gets reals as float32, where 1e-60 is 0 and 1e300 is infinite.
  const wanted: Record<keyof Hyperparameters, [(x: number) => boolean, string]> = {
    learningRate: [(x) => x >= 0 && Math.fround(x) < Infinity, "a float32 number of at least 0"],
    warmupSteps: [(x) => Number.isSafeInteger(x) && x >= 0, "an integer of at least 0"],
    totalSteps: [(x) => Number.isSafeInteger(x) && x >= 1, "a positive integer"],
    minLearningRateRatio: [(x) => x >= 0 && x <= 1, "a number from 0 to 1"],
    weightDecay: [(x) => x >= 0 && Math.fround(x) < Infinity, "a float32 number of at least 0"],
    beta1: [(x) => x >= 0 && x < 1, "a number from 0 to below 1"],
    beta2: [(x) => x >= 0 && x < 1, "a number from 0 to below 1"],
    adamEps: [isPositive, "a positive float32 number"],
    maxGradientNorm: [isPositive, "a positive float32 number"],
  };
  for (const name of hyperparameterNames) {
    const [fits, what] = wanted[name];
    if (!(typeof h[name] === "number" && fits(h[name]))) {
      throw new RangeError(`hyperparameters: ${name} is ${shown(h[name])}, expected ${what}`);
    }
  }
}

function isPositive(x: number): boolean {
  return Math.fround(x) > 0 && Math.fround(x) < Infinity;
}
