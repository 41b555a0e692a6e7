// Exponentials judged in their exponents: a computed e^x is e^x · e^θ with |θ| at most its spread, and spreads of factors add up.
import { dtypes } from "../dtype.ts";
import { exp } from "../elementary.ts";
import { largest } from "../lists.ts";
import type { Region, Target } from "../targets.ts";

const { u: NEAREST } = dtypes.float32;

/** |log(1 + δ)| for |δ| ≤ relative. */
export function spreadOf(relative: number): number {
  return relative < 1 ? relative / (1 - relative) : Infinity;
}

/** At least e^spread − 1, and 1 − e^−spread. */
export function growth(spread: number): number {
  return spread < 1 ? spread + spread * spread : exp(spread) - 1; // eˣ ≤ 1 + x + x² up to x = 1.79
}

/** One unit in the last place of a result, as a share of it, at most. */
const ULP = 2 * NEAREST * (1 + NEAREST);

export interface ExponentialAccuracy {
  /** A computed e^x is e^x · (1 + δ), with |δ| ≤ fixed + slope · |x|. */
  readonly fixed: number;
  readonly slope: number;
}

/** The accuracy of e^x by either function; `longer`: by how much an argument of exp2 is longer than that of exp. */
export function exponentialAccuracy({ functions }: Target, longer: number): ExponentialAccuracy {
  const { exp: natural, exp2: binary } = functions;
  return {
    fixed: largest([...natural, ...binary].map(fixedShare)),
    slope: Math.max(
      largest(natural.map(shareByArgument)),
      largest(binary.map((region) => shareByArgument(region) * longer)),
    ),
  };
}

/** The relative error of a function's result at any argument. */
function fixedShare({ ulp = 0, relative = 0, absolute = 0 }: Region): number {
  return absolute > 0 ? Infinity : ulp * ULP + relative;
}

/** The further relative error for each 1 of |argument|. */
function shareByArgument({ ulpPerArgument = 0 }: Region): number {
  return ulpPerArgument * ULP;
}
