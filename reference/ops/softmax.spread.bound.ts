// Exponentials judged in their exponents: a computed e^x is e^x · e^θ with |θ| at most its spread, and spreads of factors add up.
//
// One with an absolute error, as that of FlashAttention 4, which stops at 2⁻¹²⁷, adds it to what it multiplies. The other factors of a term of a
// softmax are exponentials of 0 or less, so a term of K exponentials is off by at most K times as much, apart from their own errors.
import { dtypes } from "../dtype.ts";
import { exp } from "../elementary.ts";
import { largest, smallest } from "../lists.ts";
import type { Region, Target } from "../targets.ts";

/** |log(1 + δ)| for |δ| ≤ relative. */
export function spreadOf(relative: number): number {
  return relative < 1 ? relative / (1 - relative) : Infinity;
}

/** At least e^spread − 1, and 1 − e^−spread. */
export function growth(spread: number): number {
  return spread < 1 ? spread + spread * spread : exp(spread) - 1; // eˣ ≤ 1 + x + x² up to x = 1.79
}

export interface ExponentialAccuracy {
  /** A computed e^x is e^x · (1 + δ) + α, with |δ| ≤ fixed + slope · |x| and |α| ≤ absolute, for |x| up to `reach`. */
  readonly fixed: number;
  readonly slope: number;
  readonly absolute: number;
  readonly reach: number;
}

/**
 * The accuracy of e^x by either function; of the other where a target promises nothing of one. `longer`: by how much an argument of exp2 is longer
 * than that of exp.
 */
export function exponentialAccuracy({ functions, arithmetic }: Target, longer: number): ExponentialAccuracy {
  const { u: nearest } = dtypes[arithmetic ?? "float32"];
  const unit = 2 * nearest * (1 + nearest); // in the last place of a result, as a share of it, at most
  const shareByArgument = ({ ulpPerArgument = 0 }: Region): number => ulpPerArgument * unit; // for each 1 of |argument|
  const { exp: natural, exp2: binary } = functions;
  const regions = [...natural, ...binary];
  return {
    fixed: largest(regions.map(({ ulp = 0, relative = 0 }) => ulp * unit + relative)),
    slope: Math.max(
      largest(natural.map(shareByArgument)),
      largest(binary.map((region) => shareByArgument(region) * longer)),
    ),
    absolute: Math.max(0, largest(regions.map(({ absolute = 0 }) => absolute))),
    reach: regions.length === 0 ? -1 : smallest([reachOf(natural), reachOf(binary) / longer]),
  };
}

/** How far below 0 the regions go on without a gap; ∞ where there is none. */
function reachOf(regions: readonly Region[]): number {
  if (regions.length === 0) return Infinity;
  let reach = -1;
  for (const { from, to } of regions.toReversed()) {
    const isNext = reach < 0 ? from <= 0 && to >= 0 : to >= -reach;
    if (isNext) reach = -from;
  }
  return reach;
}

/**
 * What the absolute errors of a product of that many exponentials, each of them at most 1, add to it: each is multiplied by the other factors,
 * which the spread and the absolute errors enlarge.
 */
export function floorOf(absolute: number, factors: number, spread: number): number {
  return absolute === 0 ? 0 : factors * absolute * (1 + growth(spread + factors * absolute));
}
