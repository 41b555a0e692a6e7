// Whether an element errs by so much more than the others of its output that no kernel does that to all of them alike.
//
// What a correct kernel errs is not known, only what this one errs elsewhere. Two yardsticks of what an element may err by are at hand: its bound, and the
// root mean squares of the truth's row and column, which for sums of drawn numbers are √Σt². A kernel may add in one order here and in another there, at the edge of a tile, and
// a sum of n terms errs by f·√Σt², f from 1 (a few additions in a tree) to √n (one after another). So an element is an outlier if on both scales
//
//   error > KAPPA · τ · σ · scale,   σ the deviation of the others' errors on that scale, taken from their 90 % quantile
//
// and error is beyond what even additions one after another reach with probability p, and beyond 1 ulp of the output. With rounding to nearest that is
// τ · u · √n · √Σt², n the longest sum.
//
// Where additions may truncate, one of them errs by −θ·u·s, s the partial sum that it gives and θ between 0 and 1, of mean ½. What θ − ½ adds up to is half of the
// limit above. The mean is −u/2 · Σᵥ sᵥ, in which a term counts as often as there are additions above it: Σᵥ sᵥ = Σₖ dₖ tₖ, d the depths of a tree's leaves. With c their mean,
//
//   Σₖ dₖ tₖ  =  c · Σt + Σₖ (dₖ − c) tₖ,    c ≤ n/2 + 2,    Σₖ (dₖ − c)² ≤ n³/12
//
// and Σt is the truth itself. (Let Q be the sum of squares of a tree whose two parts have a and b leaves of mean depths mₐ and m_b: Q = Qₐ + Q_b + ab/n · (mₐ − m_b)², no mean depth
// exceeds half of the leaves by more than ½, so |mₐ − m_b| ≤ n/2, and n³ − a³ − b³ = 3abn.) Signs are even, so the last sum exceeds λ √(Σ (dₖ − c)² tₖ²) with probability p at most, by Hoeffding. Sizes are independent
// of places: Σ (dₖ − c)² tₖ² strays from n²/12 · Σt² by a share of 3.8 ÷ √n, and of 1 ÷ √n for factors of one size; three times that is allowed for, and it is never above n²/4 · Σt². The
// model: on one of the scales no element of a correct kernel has a deviation KAPPA times that of the others, or it errs by n roundings, to nearest or towards 0; and its errors have
// tails no heavier than those of a product of two normal numbers. It is a model of rounding and not a theorem about kernels.
//
// The truth is no yardstick where it cancels: a query that sees one key has the weight 1, so dP − D and its dq are 0, and yet a kernel that adds dP and D in
// two orders is off there by roundings of both. With few terms such an element has a small bound too, and a kernel that computes other tiles in float64 would make it an
// outlier. So √Σt² is taken for no less than the share of the bound that it typically is, and an element whose truth is KAPPA times smaller than that is not held to any limit.
import { type DTypeName, dtypes, ulp } from "../../reference/dtype.ts";
import type { Target } from "../../reference/targets.ts";
import { roundsToNearest } from "./sums.ts";
import { LAMBDA, TAU } from "./tail.ts";

/** By how much the deviations of elements may differ, on one scale. */
const KAPPA = 4;
/** Of uniform numbers 90 % lie within 1.56 deviations, of normal ones 1.64, of products of two normal ones 1.6. */
const QUANTILE = 0.9;
const DEVIATIONS = 1.5;
/** Fewer elements say nothing about others, and more say no more. */
const FEWEST = 64;
const MOST = 2048;

/** What an error in the worst order is measured in. */
export interface InOrder {
  /** A share of √Σt². */
  readonly ofSize: number;
  /** A share of the truth. */
  readonly ofTruth: number;
}

/** Three times how far Σ (dₖ − c)² tₖ² strays, in units of 1 ÷ √n. */
const STRAYS = 12;

/** What a sum of n drawn numbers errs by at most, but for that probability, if a target adds one after another. */
export function inOrder(n: number, target: Target): InOrder {
  const { u } = target;
  const nearest = TAU * u * Math.sqrt(n);
  if (roundsToNearest(target)) return { ofSize: nearest, ofTruth: 0 };
  const spread = n * Math.sqrt(Math.min(1 / 4, (1 + STRAYS / Math.sqrt(n)) / 12));
  return { ofSize: Math.max(nearest, nearest / 2 + (u / 2) * LAMBDA * spread), ofTruth: (u / 2) * (n / 2 + 2) };
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
  /** What the longest sum errs by in the worst order. */
  readonly inOrder: InOrder;
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
    const shares = new Float64Array(known.length).map((_, k) => errors[known[k]] / scaleAt(known[k])).toSorted();
    return shares[Math.floor(QUANTILE * (shares.length - 1))] / DEVIATIONS;
  };
  const [ofBound, ofSize] = [deviation((n) => bounds[n]), deviation(sizeAt)];
  const sizesToBounds = new Float64Array(known.length).map((_, k) => sizeAt(known[k]) / bounds[known[k]]).toSorted();
  const typical = sizesToBounds[sizesToBounds.length >> 1];
  const least = (n: number): number => KAPPA * TAU * ofBound * bounds[n];
  return {
    least,
    at: (n) => {
      const [size, expected] = [sizeAt(n), typical * bounds[n]];
      if (!(KAPPA * size >= expected)) return Infinity;
      const all = Math.max(size, expected);
      const bySize = Math.max(KAPPA * TAU * ofSize * all, worst.ofSize * all + worst.ofTruth * Math.abs(want[n]));
      return Math.max(least(n), bySize, ulp(want[n], dtypes[dtype]));
    },
  };
}
