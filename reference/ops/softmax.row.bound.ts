// The softmax of one row of logits, and how far a correct kernel's may lie off: cross-entropy and softmax need it.
//
// An exponential is judged in its exponent: a computed one is e^x · e^θ with |θ| at most its spread. That is no approximation
// to first order, and spreads of factors add up.
//
// In base 2, 2^((x − m) · log2 e) rounds the difference, log2 e and the product: three roundings of x − m. In 2^(x · log2 e − m · log2 e)
// both products are rounded, or m's alone where a fused multiply-add takes the other (FlashAttention's way): an error of u · (|x| + |m|),
// which does not shrink with the difference.
//
// A sum is rescaled when the maximum rises, or at the end of every block and where lanes are merged, whether it rises or not.
// e⁰ is 1, but a target's table lets it err like any other exponential. So besides the rises of the maximum each term passes
// through up to log2 1,024 merges of a tree of lanes and V / 16 blocks. Not covered: a sum that is rescaled after every single
// logit, or many lanes that are merged one after another, on a device whose e⁰ is not 1. It would make every bound two to five times as wide. Nor is one that is rescaled by
// 2^fma(m, log2 e, −m' · log2 e): it errs by u · |m'| at every block, even where m' = m, so that 250 blocks of logits near 1,000 lose up to 1 % of
// the oldest terms. As a difference of maxima, or of two products that are both rounded, the same factor loses nothing or cancels.
//
// Where the target promises e⁰ = 1 (`expOfZero`), a rescaling without a rise is a product with 1, and neither blocks nor merges count, however short
// and many they are (softmax.rises.bound.ts). The promise holds for an argument that is exactly 0: a difference of two equal maxima, in base 2 times
// log2 e as well. It says nothing of the largest logit's own term, since 2^fma(m, log2 e, −m · log2 e) has the argument that the rounding of
// m · log2 e leaves, and a quotient p does not have to reuse a term. So each term has one exponential that errs besides its rises.
//
// A logit of −∞ masks its class. On a target that promises IEEE 754's infinities its term is exactly 0: −∞ less any finite
// maximum is −∞, in base 2 as well, and e^−∞ = 2^−∞ = +0 (IEEE 754-2019, 9.2.1). Adding 0 and rescaling 0 round nothing, and a
// running maximum does not rise at −∞. So all other elements err as if the class were absent, except that its place is part of a
// block, at whose end sums are rescaled; and its own p is 0 ÷ Σ or e^−∞: exactly 0. A tile that is masked as a whole has the maximum −∞; (−∞) − (−∞) is NaN, which no correct kernel adds or merges.
// Elsewhere an infinity has no bound, and so no element of its row.
import { exp, log } from "../elementary.ts";
import { type Approx, Arithmetic, gamma } from "../rounding.ts";
import type { Target } from "../targets.ts";
import type { Tensor } from "../tensor.ts";
import { risesAfter } from "./softmax.rises.bound.ts";
import { type ExponentialAccuracy, exponentialAccuracy, floorOf, growth, spreadOf } from "./softmax.spread.bound.ts";

const { LN2, LOG2E } = Math;

/** Rescalings of a sum other than by a rise of the maximum: merges of lanes in a tree, and one for each block of that many logits. */
const MERGES = 10;
const BLOCK = 16;

/** Below this the two ends of a spread are as good as equally far. */
const SMALL = 1 / 8;

/** From value · e^−spread to value · e^spread. */
function within(value: number, spread: number): Approx {
  if (spread < SMALL || !(spread < Infinity)) return { value, error: value * growth(spread) };
  const [low, high] = [value * exp(-spread), value * exp(spread)];
  return { value: (high + low) / 2, error: (high - low) / 2 };
}

/** A way of rescaling that no bound covers, attention's neither. */
export const uncoveredFactor = {
  "a factor 2^fma(m, log2 e, −m' · log2 e) that rescales":
    "it errs by u · |m'| at every block, even where m' = m: 250 blocks of logits near 1,000 lose up to 1 % of the oldest terms",
};

/** Ways of rescaling that no row's bound covers. */
export const uncoveredRows = {
  ...uncoveredFactor,
  "a sum rescaled after every single logit, or more than ten lanes and one for each 16 logits merged one after another, where e⁰ is not promised to be 1":
    "each factor may err though the maximum stays: 1,024 lanes of 1,100 equal logits, merged in turn, up to 3.5 times the bound, which would be two to five times as wide for all",
};

/** The softmax of one row after another: what it holds belongs to the row read last. */
export class RowSoftmax {
  readonly a: Arithmetic;
  /** The largest logit, as accurately as the logits are known. */
  max: Approx = { value: -Infinity, error: 0 };
  /** log Σ e^(logit − max). */
  logSum: Approx = { value: NaN, error: Infinity };
  /** log Σ e^logit. */
  lse: Approx = { value: NaN, error: Infinity };
  private readonly V: number;
  private readonly logits: Tensor;
  private readonly errors: Tensor | undefined;
  private sumSpread = Infinity;
  /** The spread of a quotient by the sum, or of a product with its inverse. */
  private quotientSpread = Infinity;
  /** What a quotient of a flushed exponential may be off by: WGSL's quotient of zero is some subnormal number, or zero. */
  private quotientOfZero = Infinity;
  /** |log(computed ÷ exact)| after one rounding. */
  private readonly rounding: number;
  private readonly accuracy: ExponentialAccuracy;
  private readonly isOneAtZero: boolean;

  constructor(target: Target, logits: Tensor, V: number, errors: Tensor | undefined) {
    this.a = new Arithmetic(target);
    this.V = V;
    this.logits = logits;
    this.errors = errors;
    this.rounding = spreadOf(this.a.u);
    this.isOneAtZero = target.expOfZero === true;
    // The argument of 2^(x · log2 e) is larger and is rounded twice.
    this.accuracy = exponentialAccuracy(target, LOG2E * (1 + 4 * this.a.u));
  }

  read(r: number): void {
    const { a, V, errors } = this;
    const row = this.logits.data.subarray(r * V, (r + 1) * V);
    const errorAt = (v: number): number => errors?.data[r * V + v] ?? 0;
    let [max, lowest, highest] = [-Infinity, -Infinity, -Infinity]; // the largest logit lies between the last two
    for (let v = 0; v < V; v++) {
      max = Math.max(max, row[v]);
      lowest = Math.max(lowest, row[v] - errorAt(v));
      highest = Math.max(highest, row[v] + errorAt(v));
    }
    this.max = { value: max, error: Math.max(max - lowest, highest - max) };
    const reach = Math.max(Math.abs(lowest), Math.abs(highest));

    // An error in the maximum does no harm: log Σ e^(logit − m) + m does not depend on m.
    const sum = a.sum(V, "exponentials");
    const rises = this.risesIn(row, errors?.data.subarray(r * V, (r + 1) * V));
    const others = this.isOneAtZero ? 0 : MERGES + Math.ceil(V / BLOCK);
    for (let v = 0; v < V; v++) {
      if (this.isMasked(row[v])) continue;
      const term = exp(row[v] - max);
      const rescalings = rises === undefined ? V - 1 : Math.min(V - 1, rises[v] + others);
      const distance = highest - row[v] + errorAt(v);
      // An earlier maximum m, which is multiplied by log2 e as well, lies between the logit and the last one: |m| ≤ max(|logit|, reach).
      const size = Math.max(reach, Math.abs(row[v])) + Math.abs(row[v]) + errorAt(v);
      const isOne = this.isOneAtZero && distance === 0 && size === 0; // e⁰ in every form
      const exponentials = isOne ? 0 : this.exponentialSpread(distance, size, rescalings + 1);
      const spread = errorAt(v) + exponentials + rescalings * this.rounding;
      const floor = floorOf(this.accuracy.absolute, rescalings + 1, spread);
      sum.add(term, term * growth(spread) + this.loss(term, spread, distance, rescalings) + floor);
    }
    const { value, error } = sum.total();
    const share = error / value;
    this.sumSpread = share < SMALL || !(share < 1) ? spreadOf(share) : -log(1 - share); // the farther of the two ends
    this.quotientSpread = spreadOf(a.accuracy("divide", { value, error }, 1) * (1 + a.format.u)) + this.rounding;
    this.quotientOfZero = a.target.flushes ? a.accuracy("divide", { value, error }, 0) : 0;

    // The computed sum, relative to any maximum that the kernel may have found.
    const computed = within(value, this.sumSpread + this.max.error);
    const logSum = log(value);
    const ends = [computed.value + computed.error, Math.max(0, computed.value - computed.error)];
    const magnitude = Math.max(log(ends[0]), -log(ends[1]));
    const natural = a.accuracy("log", computed, magnitude);
    const binary = LN2 * a.accuracy("log2", computed, magnitude / LN2);
    const logError = this.sumSpread + Math.max(natural, binary + 3 * a.u * (magnitude + binary)); // ln 2, and its product
    this.logSum = a.rounded(logSum, logError, 0);
    const underflow = 2 * (a.target.flushes ? a.format.minNormal : a.format.minSubnormal); // in the maximum, and in the logarithm
    // As m + log Σ, or (m · log2 e + log2 Σ) · ln 2, where m · log2 e and log2 e are rounded, the sum, ln 2 and the product.
    this.lse = a.rounded(max + logSum, logError + underflow + gamma(2, a.u) * reach, 3);
  }

  /** How often the maximum may rise after each logit; not counted for logits with errors where every rescaling may err anyway. */
  private risesIn(row: Tensor["data"], errors: Tensor["data"] | undefined): Uint32Array | undefined {
    return errors === undefined || this.isOneAtZero ? risesAfter(row, errors) : undefined;
  }

  /** logit − max. An error of the maximum is also in log Σ e^(logit − max), and cancels: only the rounding is left. */
  fromMax(logit: Approx): Approx {
    const { a, max } = this;
    const { value, error } = a.subtract(logit, a.exact(max.value));
    return a.rounded(value, error + a.u * max.error + (max.error > 0 && a.target.flushes ? a.format.minNormal : 0), 0);
  }

  /** p of element i of the row that was read: the exact one is e^(logit − saved). */
  probability(i: number, saved: Approx): Approx {
    const { a } = this;
    const logit = this.logits.data[i];
    if (this.isMasked(logit)) return { value: 0, error: this.quotientOfZero };
    const error = this.errors?.data[i] ?? 0;
    const gap = Math.abs(this.lse.value - saved.value);
    const lseError = Math.max(saved.error, this.lse.error + gap); // the saved one, or recomputed
    const distance = Math.abs(logit - saved.value) + error + lseError;
    const size = Math.abs(logit) + error;
    const byLse = lseError + this.exponentialSpread(distance, size + Math.abs(saved.value) + lseError, 1);
    const toMax = this.max.value + this.max.error - logit + error;
    const toReach = size + Math.abs(this.max.value) + this.max.error;
    const bySum = gap + this.exponentialSpread(toMax, toReach, 1) + this.sumSpread + this.quotientSpread;
    const value = exp(logit - saved.value);
    const spread = error + Math.max(byLse, bySum);
    const own = value * growth(spread) + this.units(distance, 1) * a.format.minSubnormal;
    const result = a.rounded(value, own + floorOf(this.accuracy.absolute, 1, spread), 0);
    const vanishes = value - result.error < a.format.minNormal;
    return vanishes ? { value, error: result.error + this.quotientOfZero } : result;
  }

  /** Whether a class contributes exactly nothing; an absolute error of e^x, as of a clamped one, may be one at −∞ as well. */
  private isMasked(logit: number): boolean {
    return logit === -Infinity && this.a.target.promisesNonFinite && this.accuracy.absolute === 0;
  }

  /**
   * The spread of a product of exponentials whose arguments, differences, add up to x. Three roundings of a difference; or two
   * and those of two products of size `size` together, which the first exponential may have in addition to the others' three.
   */
  private exponentialSpread(x: number, size: number, factors: number): number {
    const products = size * (1 + 4 * this.a.u);
    const argument = this.rounding * (factors > 1 ? 3 * x + products : 2 * x + Math.max(x, products));
    const { fixed, slope, reach } = this.accuracy;
    const one = fixed + slope * (x + argument);
    const isBounded = one < 1 && x + argument <= reach;
    return isBounded ? argument + (factors * fixed + slope * (x + argument)) / (1 - one) : Infinity;
  }

  /** The absolute error of a term of the sum, if it or a sum that contains it is rescaled to below the normal range. */
  private loss(term: number, spread: number, x: number, rescalings: number): number {
    const flushed = this.a.target.flushes ? this.flushed(term, spread, rescalings) : 0;
    return flushed + this.units(x, rescalings + 1) * this.a.format.minSubnormal;
  }

  /**
   * What is flushed of a term. An argument, or its product with log2 e, moves an exponential by minNormal of itself at most. A result takes no more
   * than what is left of the term, and none of it where that stays normal to the end: the terms are positive and rescaled by 1 or less, so no
   * sum that contains one is ever below what comes out of it.
   */
  private flushed(term: number, spread: number, rescalings: number): number {
    const { minNormal } = this.a.format;
    const most = (2 * rescalings + 1) * minNormal;
    const size = term * (1 + growth(spread));
    const byArguments = 4 * (rescalings + 1) * minNormal * size; // e^x − 1 ≤ 2x for two in each exponential
    const isNormal = term * exp(-spread) >= 2 * minNormal;
    return Math.min(most, isNormal ? byArguments : size + byArguments);
  }

  /** The accuracy of exponentials below the normal range, with one product each, in units of the smallest number. */
  private units(x: number, factors: number): number {
    const { u: nearest } = this.a.format;
    return factors * (1 + this.accuracy.fixed / nearest) + (this.accuracy.slope / nearest) * x;
  }
}
