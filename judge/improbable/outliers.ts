// Whether an element errs by so much more than the others of its output that no kernel does that to all of them alike.
//
// What a correct kernel errs is not known, only what this one errs elsewhere. Two yardsticks of what an element may err by are at hand: its bound, and the
// root mean squares of the truth's row and column, which for sums of drawn numbers are √Σt². A kernel may add in one order here and in another there, at the edge of a tile, and
// a sum of n terms errs by f·√Σt², f from 1 (a few additions in a tree) to √n (one after another). So an element is an outlier if on both scales
//
//   error > KAPPA · τ · σ · scale,   σ the deviation of the others' errors on that scale, taken from their 90 % quantile
//
// and error is beyond what even additions one after another reach with probability p, and beyond 1 ulp of the output. With rounding to nearest that is
// τ · u · √n · √Σt², n the longest sum. Where additions may truncate, δ is not of mean 0 but between 0 and u against the sign of what it rounds, evenly: the
// errors add up to u/2 · Σₖ |sₖ| more, and Σₖ |sₖ| ≤ √n · √Σₖ sₖ², where Σₖ sₖ² is the quadratic form of tail.ts with the trace D ≤ n²/2 · the mean square of t, and
// exceeds 2τ·D with probability p at most (E exp(θ Σ sₖ²) ≤ (1 − 2θD)^(−1/2), and θ = ½(1 − 1/τ)/D). So in units of √Σt² it is u/2 · n · √τ more. The
// model: on one of the scales no element of a correct kernel has a deviation KAPPA times that of the others, or it errs by n roundings to nearest; and its errors have
// tails no heavier than those of a product of two normal numbers. It is a model of rounding and not a theorem about kernels.
//
// The truth is no yardstick where it cancels: a query that sees one key has the weight 1, so dP − D and its dq are 0, and yet a kernel that adds dP and D in
// two orders is off there by roundings of both. With few terms such an element has a small bound too, and a kernel that computes other tiles in float64 would make it an
// outlier. So √Σt² is taken for no less than the share of the bound that it typically is, and an element whose truth is KAPPA times smaller than that is not held to any limit.
import { type DTypeName, dtypes, ulp } from "../../reference/dtype.ts";
import type { Target } from "../../reference/targets.ts";
import { roundsToNearest } from "./sums.ts";
import { TAU } from "./tail.ts";

/** By how much the deviations of elements may differ, on one scale. */
const KAPPA = 4;
/** Of uniform numbers 90 % lie within 1.56 deviations, of normal ones 1.64, of products of two normal ones 1.6. */
const QUANTILE = 0.9;
const DEVIATIONS = 1.5;
/** Fewer elements say nothing about others, and more say no more. */
const FEWEST = 64;
const MOST = 2048;

/** What a sum of n drawn numbers errs by at most, but for that probability, if a target adds one after another: a share of √Σt². */
export function inOrder(n: number, target: Target): number {
  const { u } = target;
  return TAU * u * Math.sqrt(n) + (roundsToNearest(target) ? 0 : (u / 2) * n * Math.sqrt(TAU));
}

/** The elements of an output that have a truth. */
export interface Elements {
  readonly want: ArrayLike<number>;
  readonly errors: ArrayLike<number>;
  readonly bounds: ArrayLike<number>;
  /** √Σt², roughly. */
  readonly sizeAt: (n: number) => number;
  /** Those whose errors say what the kernel does; drawn without looking at them. */
  readonly others: readonly number[];
  /** What the longest sum errs by in the worst order, a share of √Σt². */
  readonly inOrder: number;
  readonly dtype: DTypeName;
}

/** How far elements may lie from the truth. */
export interface Limits {
  readonly at: (n: number) => number;
  /** Not above that, and sooner known. */
  readonly least: (n: number) => number;
}

/** How far each element may lie from the truth before it is an outlier; undefined where too few elements have a bound. */
export function outlierLimits(elements: Elements): Limits | undefined {
  const { want, errors, bounds, sizeAt, others, inOrder: worst, dtype } = elements;
  const step = Math.max(1, Math.floor(others.length / MOST));
  const known = others.filter((n, k) => k % step === 0 && bounds[n] > 0 && bounds[n] < Infinity && sizeAt(n) > 0);
  if (known.length < FEWEST) return undefined;
  const deviation = (scaleAt: (n: number) => number): number => {
    const shares = Float64Array.from(known, (n) => errors[n] / scaleAt(n)).toSorted();
    return shares[Math.floor(QUANTILE * (shares.length - 1))] / DEVIATIONS;
  };
  const [ofBound, ofSize] = [deviation((n) => bounds[n]), deviation(sizeAt)];
  const sizesToBounds = Float64Array.from(known, (n) => sizeAt(n) / bounds[n]).toSorted();
  const typical = sizesToBounds[sizesToBounds.length >> 1];
  const least = (n: number): number => KAPPA * TAU * ofBound * bounds[n];
  return {
    least,
    at: (n) => {
      const [size, expected] = [sizeAt(n), typical * bounds[n]];
      if (!(KAPPA * size >= expected)) return Infinity;
      const bySize = Math.max(KAPPA * TAU * ofSize, worst) * Math.max(size, expected);
      return Math.max(least(n), bySize, ulp(want[n], dtypes[dtype]));
    },
  };
}
