// How improbable an error must be to be a finding, and how far an error of that probability lies out.
//
// A run makes up to 2³⁰ tests, one for each element that it holds to such a limit, and may accuse a correct kernel with a probability of
// 10⁻⁹ in all. So one test has p = 10⁻⁹ ÷ 2³⁰ (Bonferroni), whatever the elements have to do with each other. A further trial on fresh numbers
// makes it smaller still, and is not counted.
//
// Two tails are needed, for rounding errors δ that are independent, of mean 0 and at most u (Higham and Mary 2019, section 2):
//
//   Σ δᵥ aᵥ with fixed aᵥ:   P(|Σ δᵥ aᵥ| > λ u √Σ aᵥ²) ≤ 2 exp(−λ²/2)  (Hoeffding; the same for a martingale)
//
//   Σ δᵥ sᵥ with sᵥ = Σ over some k of ±tₖ, signs independent and even, and D = Σᵥ Σₖ tₖ²: given the signs, E exp(θ Σ δᵥ sᵥ) ≤ exp(θ²u² Σ sᵥ² / 2);
//   Σ sᵥ² is a quadratic form in the signs with trace D, so E exp(θ²u² Σ sᵥ² / 2) ≤ (1 − θ²u²D)^(−1/2), as for normal numbers in place of signs. With
//   θ u √D = a and Markov's inequality, P(|Σ δᵥ sᵥ| > τ u √D) ≤ 2 e^(−aτ) / √(1 − a²), and a² = 1 − 1/τ gives at most 2 √(eτ) e^(1/(2τ)) e^(−τ) .
import { log } from "../../reference/elementary.ts";

/** With which probability a run may accuse a correct kernel. */
export const RUN = 1e-9;
/** The most tests of a run. */
export const MOST_TESTS = 1 << 30;

const P = RUN / MOST_TESTS;

/** λ of a probability. */
export function ofFixed(p: number): number {
  return Math.sqrt(2 * log(2 / p));
}

/** τ of a probability: the fixed point of τ = log(2/p) + (1 + log τ)/2 + 1/(2τ), to which each step comes closer by 1/(2τ). */
export function ofSigned(p: number): number {
  let tau = log(2 / p);
  for (let i = 0; i < 20; i++) tau = log(2 / p) + (1 + log(tau)) / 2 + 1 / (2 * tau);
  return tau;
}

/** The two of one test; each of them of half of its probability, where it has both. */
export const LAMBDA = ofFixed(P / 2);
export const TAU = ofSigned(P / 2);
/** λ where two sums with fixed numbers share that half. */
export const LAMBDA_OF_TWO = ofFixed(P / 4);
