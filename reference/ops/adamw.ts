// AdamW (Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2):
//
//   m' = beta1 · m + oneMinusBeta1 · g,   v' = beta2 · v + oneMinusBeta2 · g²
//   w' = w − learningRate · ((m' / correction1) / (√(v' / correction2) + eps) + weightDecay · w)
//
// oneMinusBeta is 1 − beta, correction is 1 − beta^step: both follow from the betas as they are written. They are given too,
// because 1 − beta from a beta rounded to float32 is a different number (for 0.999 by 1.3·10⁻⁵ of itself).
import { type Floats, roundScalar, type Tensor, zeros } from "../tensor.ts";

/** The scalars of one AdamW step. All except the betas and the step are computed in double and rounded once to storage. */
export interface AdamWScalars {
  readonly learningRate: number;
  /** As it is written, such as 0.9: a kernel that computes in float32 rounds it. */
  readonly beta1: number;
  readonly beta2: number;
  /** Counted from 1: for kernels that compute the corrections themselves. */
  readonly step: number;
  readonly oneMinusBeta1: number;
  readonly oneMinusBeta2: number;
  /** 1 − beta1^step. */
  readonly correction1: number;
  /** 1 − beta2^step. */
  readonly correction2: number;
  readonly eps: number;
  /** 0 for the norms' gains, which do not decay. */
  readonly weightDecay: number;
}

/** w, g, m, v: [N] (any equal shape is taken as flat) → the next w, m, v. */
export function forward<P extends Floats>(
  w: Tensor<P>,
  g: Tensor<P>,
  m: Tensor<P>,
  v: Tensor<P>,
  scalars: AdamWScalars,
): { w: Tensor<P>; m: Tensor<P>; v: Tensor<P> } {
  for (const [name, t] of Object.entries({ g, m, v })) {
    if (t.shape.join() !== w.shape.join()) {
      throw new RangeError(`${name} has shape [${t.shape}], expected [${w.shape}], the shape of w`);
    }
  }
  const { learningRate, oneMinusBeta1, oneMinusBeta2, correction1, correction2, eps, weightDecay } = scalars;
  const [beta1, beta2] = [scalars.beta1, scalars.beta2].map((beta) => roundScalar(beta, w));
  const next = { w: zeros(w), m: zeros(m), v: zeros(v) };
  for (let i = 0; i < w.data.length; i++) {
    const first = beta1 * m.data[i] + oneMinusBeta1 * g.data[i];
    const second = beta2 * v.data[i] + oneMinusBeta2 * g.data[i] * g.data[i];
    const direction = first / correction1 / (Math.sqrt(second / correction2) + eps);
    next.w.data[i] = w.data[i] - learningRate * (direction + weightDecay * w.data[i]);
    next.m.data[i] = first;
    next.v.data[i] = second;
  }
  return next;
}
