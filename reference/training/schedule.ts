// The scalars of step t, counted from 1, computed in double.
//
//   learningRate(t) = peak · t / warmupSteps                                            while t ≤ warmupSteps
//                   = peak · (ratio + (1 − ratio) · (1 + cos(π · progress)) / 2)         then, held at the end
//   progress = (t − warmupSteps) / (totalSteps − warmupSteps)                  (Loshchilov & Hutter 2017, equation 5)
import { cos, power } from "../elementary.ts";
import type { AdamWScalars } from "../ops/adamw.ts";
import { roundScalar, type Tensor } from "../tensor.ts";
import { decays } from "../weights.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** The learning rate of step t ≥ 1. */
export function learningRateAt(h: Hyperparameters, t: number): number {
  if (t <= h.warmupSteps) return (h.learningRate * t) / h.warmupSteps;
  const length = h.totalSteps - h.warmupSteps;
  const progress = t < h.totalSteps ? (t - h.warmupSteps) / length : 1;
  const share = (1 + cos(Math.PI * progress)) / 2;
  return h.learningRate * (h.minLearningRateRatio + (1 - h.minLearningRateRatio) * share);
}

/** AdamW's scalars of step t ≥ 1 for the weight w, all except the betas rounded once to its storage; gains do not decay. */
export function adamwScalars(h: Hyperparameters, t: number, w: Tensor): AdamWScalars {
  const round = (value: number): number => roundScalar(value, w);
  return {
    learningRate: round(learningRateAt(h, t)),
    beta1: h.beta1,
    beta2: h.beta2,
    step: t,
    oneMinusBeta1: round(1 - h.beta1),
    oneMinusBeta2: round(1 - h.beta2),
    correction1: round(1 - powerOf(h.beta1, t)),
    correction2: round(1 - powerOf(h.beta2, t)),
    eps: round(h.adamEps),
    weightDecay: decays(w) ? round(h.weightDecay) : 0,
  };
}

function powerOf(beta: number, t: number): number {
  return beta === 0 ? 0 : power(beta, t);
}
