// The limit for sums of drawn signs, derived a second time. Given the signs, Σ δ_v s_v has Hoeffding's tail with Σ s_v²; each s_v, a sum of signed terms that were chosen
// without looking at the signs, is at most λ′ √(Σ below v of t²) by Hoeffding again, but for a share of the probability that all n of them divide. So
//
//   |error|  ≤  λ u √(λ′² (n − 1) + 1) √Σt² / (1 − n u),   2 e^(−λ²/2) = p/2,   2 n e^(−λ′²/2) = p/2
//
// That uses a union over nodes where judge/improbable/tail.ts takes the moments of a quadratic form, and so it is an upper bound of what should be there.
import { expect, test } from "vitest";
import { limitOfSum } from "../../judge/improbable/sums.ts";
import { MOST_TESTS, ofFixed, ofSigned, RUN } from "../../judge/improbable/tail.ts";
import { targets } from "../../reference/targets.ts";
import { normal, uniform } from "../../reference/random.ts";

const { u } = targets.ieee;
const P = RUN / MOST_TESTS;
const hoeffding = (p: number): number => Math.sqrt(2 * Math.log(2 / p));

const termsOf = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.fround(normal(seed, 1, i)) * Math.fround(normal(seed, 2, i)));

test.each([64, 512, 4096, 32768])(
  "of %d products the limit is no more than Hoeffding's inequality gives, twice",
  (n) => {
    const terms = termsOf(n, 3);
    const length = Math.sqrt(terms.reduce((total, t) => total + t * t, 0));
    const [lambda, nodes] = [hoeffding(P / 2), hoeffding(P / (2 * n))];
    const mine = (lambda * u * Math.sqrt(nodes * nodes * (n - 1) + 1) * length) / (1 - n * u);
    expect(limitOfSum(terms)).toBeLessThanOrEqual(mine);
    // What it must be: errors of one chain, given the signs, are nearly normal, with the deviation u √Σ s_v² / √3 where δ are even from −u to u.
    let [partial, squares] = [0, 0];
    for (const t of terms) {
      partial += t;
      squares += partial * partial;
    }
    expect(limitOfSum(terms)).toBeGreaterThan(
      (Math.sqrt(-2 * Math.log(P)) * u * Math.sqrt(squares)) / Math.sqrt(3) / 2,
    );
  },
);

test("both tails hold where they can be tried: p of 1 to 20 %, errors of ±u, one after another", () => {
  const [n, trials] = [32, 4000];
  for (const p of [0.01, 0.05, 0.2]) {
    const [tau, lambda] = [ofSigned(p), ofFixed(p)];
    const beyond = { signed: 0, fixed: 0 };
    for (let trial = 0; trial < trials; trial++) {
      const bit = (stream: number, i: number): number => (uniform(trial, stream, i) < 0.5 ? -1 : 1);
      let [partial, error, squares, trace] = [0, 0, 0, 0];
      for (let i = 0; i < n; i++) {
        partial += bit(5, i);
        error += u * bit(6, i) * partial;
        squares += partial * partial;
        trace += i + 1;
      }
      if (!(Math.abs(error) <= tau * u * Math.sqrt(trace))) beyond.signed++;
      if (!(Math.abs(error) <= lambda * u * Math.sqrt(squares))) beyond.fixed++;
    }
    // A count with that probability has the deviation √(p (1 − p) trials), and five of them are one in 10⁶.
    const most = p * trials + 5 * Math.sqrt(p * (1 - p) * trials);
    expect(beyond.signed).toBeLessThanOrEqual(most);
    expect(beyond.fixed).toBeLessThanOrEqual(most);
  }
});
