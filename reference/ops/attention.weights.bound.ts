// The softmax of one query's scores, and how far a correct kernel's may lie off: both directions of attention need it.
//
// A weight is judged in its exponent: a computed one is p · e^θ with |θ| at most its spread. That is no approximation
// to first order, so it holds however large the scores are. θ collects the score's own error; the relative errors of
// the scale and of each operation on the exponential's argument; the exponential's accuracy, which grows with its
// argument; and the rescalings of a running maximum.
//
// Without more, each of up to S rescalings is an exponential that errs and a product that is rounded. Where the target promises e⁰ = 1 (`expOfZero`), those
// without a rise of the maximum are products with exactly 1, also for masked keys, for tiles and for merged parts: their argument is the difference of
// two equal maxima, whatever scale or log2 e it is multiplied by. So key j passes through one exponential of its own, and through one and a product for
// each key whose score may be greater: rises(j) ≤ #{i ≠ j: sᵢ + eᵢ > sⱼ − eⱼ}, which holds for scores without the scale as well, since the
// scale's error is common to all (softmax.rises.bound.ts). Keys that weigh much have few rises.
//
// Its own exponential errs even where it has the largest score, for 2^fma(s, L, −m · L) has not the argument 0. Nor has (m − m) / √HS, where a
// quotient of zero may be some subnormal number: there the promise says nothing of attention.
import type { Numbers } from "../bounds.ts";
import { shareOf } from "../domains.ts";
import { type DType, dtypes } from "../dtype.ts";
import { exp, log } from "../elementary.ts";
import { type Approx, Arithmetic, type Sum } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { risesAfter } from "./softmax.rises.bound.ts";
import { type ExponentialAccuracy, exponentialAccuracy, floorOf, growth, spreadOf } from "./softmax.spread.bound.ts";

const { minNormal, minSubnormal, max: MAX, u: NEAREST } = dtypes.float32;
const { LN2, LOG2E } = Math;

/** The weights of one query after another: what it holds belongs to the query read last. */
export class AttentionWeights {
  readonly a: Arithmetic;
  /** 1 / √HS; its error is common to all scores and is part of scaleSpread. */
  readonly scale: number;
  /** log Σ e^s, by a correct kernel. */
  lse: Approx = { value: NaN, error: Infinity };
  private readonly S: number;
  private readonly HS: number;
  private readonly q: Numbers;
  private readonly k: Numbers;
  private readonly scaledQ: Float64Array;
  private readonly scaledQError: Float64Array;

  // For each key that the query sees:
  private keys = 0;
  private readonly score: Float64Array;
  private readonly scoreError: Float64Array;
  /** |argument| of the exponential that gives its weight; the sum of the magnitudes if there are several exponentials. */
  private readonly argument: Float64Array;
  readonly p: Float64Array;
  /** The error of p, except for the part that all weights have in common. */
  readonly pError: Float64Array;
  /** By how many exponentials its term may be rescaled. */
  rescalings: ArrayLike<number>;

  // Spreads, |log(computed ÷ exact)|: of one rounding, of the scale, of a normalisation, of P stored low …
  private readonly rounding: number;
  private readonly scaleSpread: number;
  /** The relative error of a product with the scale, or of a quotient by √HS; and what a quotient of a flushed number may be. */
  private readonly division: number;
  private readonly quotientOfZero: number;
  readonly normalSpread: number;
  private readonly storeSpread: number;
  // … of the sum of weights, and of all weights together.
  private sumSpread = Infinity;
  commonSpread = Infinity;
  largestSpread = Infinity;
  private readonly accuracy: ExponentialAccuracy;
  /** The absolute error of P where it is stored low. */
  private readonly storeLoss: number;
  private readonly isOneAtZero: boolean;

  /** q: [B, T, NH, HS], k: [B, S, NKV, HS]; `format`: the one in which P is stored before its product with v. */
  constructor(target: Target, q: Numbers, k: Numbers, S: number, HS: number, format?: DType) {
    this.a = new Arithmetic(target);
    this.q = q;
    this.S = S;
    this.HS = HS;
    this.score = new Float64Array(S);
    this.scoreError = new Float64Array(S);
    this.argument = new Float64Array(S);
    this.p = new Float64Array(S);
    this.pError = new Float64Array(S);
    this.rescalings = new Uint32Array(S).fill(S);
    this.scaledQ = new Float64Array(HS);
    this.scaledQError = new Float64Array(HS);

    // 1 / √HS as a constant, by inverseSqrt or as a quotient: its error is common to all scores. A division by √HS has only the
    // root's error in common with others, and each quotient has one of its own, in units of its own last place.
    const scale = this.a.inverseSqrt(this.a.exact(HS));
    const root = this.a.sqrt(this.a.exact(HS));
    const division = shareOf(this.a, "divide", root) * (1 + NEAREST);
    this.scale = scale.value;
    this.division = Math.max(this.a.u, division);
    const quotientOfZero = this.a.accuracy("divide", root, 0);
    this.quotientOfZero = target.flushes ? quotientOfZero : 0;
    const isZeroExact = !target.flushes && (target.promisesNonFinite || quotientOfZero < minSubnormal);
    this.isOneAtZero = target.expOfZero === true && isZeroExact;
    this.scaleSpread = spreadOf(Math.max(scale.error / scale.value, root.error / root.value + division));
    this.k = this.factor(k);
    this.rounding = spreadOf(this.a.u);
    // A sum of weights lies between ½ and S + 1: the largest is e⁰.
    const sums = { value: (S + 1.5) / 2, error: (S + 0.5) / 2 };
    this.normalSpread = spreadOf(this.a.accuracy("divide", sums, 1)) + this.rounding;

    this.accuracy = exponentialAccuracy(target, LOG2E); // 2^(x · log2 e)

    // The number stored low is e^(s − m) for some maximum m, so it is not known at which size it is rounded: half a unit either way, relative
    // to the weight. A truth with rounded weights, as in the backward, would need the maxima through which the kernel passes.
    this.storeSpread = format === undefined ? 0 : spreadOf(format.u * (this.a.u > NEAREST ? 2 : 1));
    this.storeLoss = format === undefined ? 0 : target.flushes ? format.minNormal : format.minSubnormal;
  }

  /** The query at q.data[query], …, whose first key is at k.data[key], each next one `stride` further; keys > 0. */
  read(query: number, key: number, stride: number, keys: number): void {
    const { a, score, scoreError, p, pError, argument } = this;
    this.keys = keys;
    for (let i = 0; i < this.HS; i++) {
      const scaled = this.timesScale({ value: this.q.data[query + i], error: this.q.error[query + i] });
      this.scaledQ[i] = scaled.value;
      this.scaledQError[i] = scaled.error;
    }
    let max = -Infinity;
    let lowest = -Infinity; // the maximum that a kernel finds lies between these
    let highest = -Infinity;
    let worst = 0;
    for (let j = 0; j < keys; j++) {
      const s = this.scoreOf(key + j * stride);
      score[j] = s.value;
      scoreError[j] = s.error;
      max = Math.max(max, s.value);
      lowest = Math.max(lowest, s.value - s.error);
      highest = Math.max(highest, s.value + s.error);
      worst = Math.max(worst, s.error);
    }

    let l = 0;
    for (let j = 0; j < keys; j++) {
      p[j] = exp(score[j] - max);
      l += p[j];
    }
    const sum = a.sum(0, "weights");
    this.largestSpread = 0;
    if (this.isOneAtZero) this.rescalings = risesAfter(score.subarray(0, keys), scoreError);
    for (let j = 0; j < keys; j++) {
      p[j] /= l;
      // The arguments of a chain of rescalings add up to the distance from the last maximum; lse is log l further.
      argument[j] = highest - score[j] + scoreError[j] + log(keys);
      const products = this.isOneAtZero ? this.rescalings[j] * this.rounding : 0; // otherwise counted in the sum
      const spread = this.weightSpread(j, this.rescalings[j] + 1) + products + this.storeSpread;
      const loss = this.loss(j, spread) + this.storeLoss;
      this.largestSpread = Math.max(this.largestSpread, spread);
      const isOne = this.isOneAtZero && argument[j] === 0 && score[j] === 0; // e⁰ in every form of the sum
      sum.add(p[j], p[j] * growth(isOne ? 0 : spread) + loss);
      pError[j] = p[j] * growth(spread + this.normalSpread) + loss;
    }
    this.sumSpread = spreadOf(this.totalOf(sum).error);
    this.lse = this.logarithm(max, l, Math.max(Math.abs(lowest), Math.abs(highest)), worst);
    // Where weights are computed as e^(s − lse), an error of lse is common to all; it also enlarges the argument.
    const enlarged = this.scaleSpread + 4 * this.rounding + this.accuracy.slope / (1 - this.accuracy.slope);
    this.commonSpread = this.lse.error * (1 + enlarged);
  }

  /** Σ p · v over the keys, v.data[first] being the first one's, each next one `stride` further. */
  average(v: Numbers, first: number, stride: number): Approx {
    const { a, p, pError } = this;
    const sum = a.sum(0, "y");
    let reach = 0;
    for (let j = 0; j < this.keys; j++) {
      const at = first + j * stride;
      sum.addProduct(p[j], v.data[at], pError[j], v.error[at]);
      reach += Math.abs(v.data[at]) + v.error[at];
    }
    // Relative to a running maximum, every key may have had the weight 1 at some point: such a sum must not overflow.
    if (!(reach * (1 + growth(this.largestSpread)) <= MAX)) return { value: sum.value, error: Infinity };
    const { value, error } = this.totalOf(sum);
    const common = growth(this.commonSpread); // e^−x ≥ 1 − (e^x − 1)
    return a.rounded(value, common < 1 ? (error + Math.abs(value) * common) / (1 - common) : Infinity, 0);
  }

  /** A sum of terms that pass through S rescalings in addition to it, or whose rescalings are in their own errors but for what is lost below the normal range. */
  private totalOf(sum: Sum): Approx {
    if (!this.isOneAtZero) return sum.total(this.S);
    const { value, error } = sum.total();
    return { value, error: error + 2 * this.S * minSubnormal };
  }

  /** p of key j as the backward sees it: the exact one is e^(s − saved), saved being what the forward left for lse. */
  fromSaved(j: number, saved: Approx): Approx {
    const score = { value: this.score[j], error: this.scoreError[j] };
    const gap = Math.abs(this.lse.value - saved.value);
    const lseError = Math.max(saved.error, this.lse.error + gap); // the saved one, or recomputed
    const byLse = this.spreadByLse(score, { value: saved.value, error: lseError });
    const bySum = this.weightSpread(j, 1) + this.sumSpread + this.normalSpread + gap;
    const value = exp(score.value - saved.value);
    const spread = Math.max(byLse, bySum);
    return { value, error: value * growth(spread) + this.loss(j, spread) };
  }

  /** The same of the key at k.data[key] and the query at q.data[query] alone, by the saved lse: not above that, since x ≤ growth(x). */
  ofKey(query: number, key: number, saved: Approx): Approx {
    this.read(query, key, 0, 1);
    const score = { value: this.score[0], error: this.scoreError[0] };
    const value = exp(score.value - saved.value);
    return { value, error: value * this.spreadByLse(score, saved) };
  }

  /** log(weight) as s − lse. */
  private spreadByLse(score: Approx, lse: Approx): number {
    const x = Math.abs(score.value - lse.value) + score.error + lse.error;
    // In base 2, score and lse each have a factor of their own, or their difference has one.
    const ofScore = (this.scaleSpread + 3 * this.rounding) * (Math.abs(score.value) + score.error);
    const ofBoth = this.rounding * (2 * (Math.abs(lse.value) + lse.error) + 3 * x);
    return score.error + lse.error + (ofScore + ofBoth) + this.functionSpread(x, 1);
  }

  /** A sum of terms that contain the scale. The scale may be applied at the end: until then the sum is that much larger. */
  scaled(sum: Approx, magnitude: number): Approx {
    // The scale, or scale · log2 e, which a factor ln 2 takes back: constants and products, four roundings.
    const common = growth(this.scaleSpread + 4 * this.rounding);
    const error = sum.error + common * (Math.abs(sum.value) + sum.error) + this.quotientOfZero;
    return this.a.rounded(sum.value, magnitude / this.scale <= MAX ? error : Infinity, 0);
  }

  /** A number times the scale or divided by √HS, except for the error that all such have in common. */
  timesScale(x: Approx): Approx {
    const { a, scale, division, quotientOfZero } = this;
    const product = a.multiply(x, a.exact(scale));
    const size = (Math.abs(x.value) + x.error) * scale;
    return { value: product.value, error: product.error + (division - a.u) * size + quotientOfZero };
  }

  /** Numbers that may have been multiplied by the scale first: they may then have been flushed to zero. */
  factor({ data, error }: Numbers): Numbers {
    if (!this.a.target.flushes) return { data, error };
    const enlarged = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const size = Math.abs(data[i]);
      const lost = size * this.scale - error[i] < minNormal ? size : 0;
      enlarged[i] = Math.max(error[i], lost);
    }
    return { data, error: enlarged };
  }

  /**
   * scale · q · k. The rounding of scale · q is also that of scale · k, and larger than that of scale · (q · k). In base 2 the
   * quotient by √HS is multiplied by log2 e.
   */
  private scoreOf(key: number): Approx {
    const { a, k, scaledQ, scaledQError } = this;
    const sum = a.sum(this.HS, "scores");
    for (let i = 0; i < this.HS; i++) sum.addProduct(scaledQ[i], k.data[key + i], scaledQError[i], k.error[key + i]);
    const { value, error } = sum.total();
    // q · k without the scale may overflow where the score does not.
    const score = a.rounded(value, sum.magnitude / this.scale <= MAX ? error : Infinity);
    if (a.target.stores?.S === undefined) return score;
    // Stored low with the scale; or without it, and then the product with the scale may be stored low as well.
    const withScale = a.store("S", score);
    const without = a.store("S", { value: value / this.scale, error: score.error / this.scale });
    const scaled = a.rounded(value, without.error * this.scale);
    return without.error < Infinity ? a.either(withScale, scaled, a.store("S", scaled)) : withScale;
  }

  /** log(weight), relative to its maximum, after that many exponentials. */
  private weightSpread(j: number, exponentials: number): number {
    // The scale's error counts only for the distance from the maximum. Four: difference, scale, log2 e, its rounding. Where score
    // and maximum are multiplied before they are subtracted (FlashAttention), the maximum's rounding, u · |m| ≤ u · |s| + u · distance,
    // takes the place of the score's own product with the scale, which scoreError has, and of one of the four.
    const argument = (this.scaleSpread + 4 * this.rounding) * this.argument[j];
    return this.scoreError[j] + argument + this.functionSpread(this.argument[j], exponentials);
  }

  /** A product of exponentials whose arguments' magnitudes add up to x. */
  private functionSpread(x: number, exponentials: number): number {
    const { fixed, slope, reach } = this.accuracy;
    const one = fixed + slope * x;
    return one < 1 && x <= reach ? (exponentials * fixed + slope * x) / (1 - one) : Infinity;
  }

  /** The absolute error of a weight: units in the last place of subnormals for each exponential and each product, and what an exponential has of its own. */
  private loss(j: number, spread: number): number {
    const [{ fixed, slope, absolute }, factors] = [this.accuracy, this.rescalings[j] + 1];
    const units = factors * (1 + fixed / NEAREST) + (slope / NEAREST) * this.argument[j];
    return units * minSubnormal + floorOf(absolute, factors, spread);
  }

  /** m + log l, or (m · log2 e + log2 l) · ln 2; |m| ≤ size, and l belongs to a maximum that is off by `shift`. */
  private logarithm(max: number, l: number, size: number, shift: number): Approx {
    const { a } = this;
    const off = l * growth(this.sumSpread + shift);
    const sum = { value: l, error: off < l ? off : Infinity };
    const magnitude = Math.max(Math.abs(log(l + off)), off < l ? Math.abs(log(l - off)) : Infinity);
    const natural = a.accuracy("log", sum, magnitude);
    const binary = LN2 * a.accuracy("log2", sum, magnitude / LN2);
    // The maximum is multiplied by the scale, or by scale · log2 e, once for the weights and perhaps again for lse.
    const maximum = (this.scaleSpread + 3 * this.rounding) * size;
    const lost = 4 * (a.target.flushes ? minNormal : minSubnormal);
    // The addition; in base 2 also ln 2 and its product.
    return a.rounded(max + log(l), this.sumSpread + maximum + Math.max(natural, binary) + lost, 3);
  }
}
