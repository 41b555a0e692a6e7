// How far correct clipping may land.
//
// Covered: the scale as the quotient maxNorm / (norm + ε), or maxNorm times the reciprocal; a kernel that leaves g alone
// where the scale is 1, or multiplies by it. min(1, ·) is exact, and brings a quotient that is surely above 1 to exactly 1.
import { allowances, type Allowance, type Errors, reader } from "../bounds.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Tensor } from "../tensor.ts";
import { CLIP_EPS } from "./clip.ts";

/** g: any shape, norm: []; maxNorm → an allowance for each element of the clipped g. */
export function forward(
  g: Tensor,
  norm: Tensor,
  maxNorm: number,
  target: Target,
  errors: Errors<"g" | "norm"> = {},
): { g: Allowance } {
  checkShapes({ norm: [norm, ""] });
  const a = new Arithmetic(target);
  const gAt = reader(g, errors.g);
  const scale = scaleOf(a, reader(norm, errors.norm)(0), maxNorm);
  const clipped = allowances(g.shape);
  for (let i = 0; i < clipped.data.length; i++) clipped.data[i] = a.multiply(gAt(i), scale).error;
  return { g: clipped };
}

/** min(1, maxNorm / (norm + ε)), bounded at both ends of its interval. */
function scaleOf(a: Arithmetic, norm: Approx, maxNorm: number): Approx {
  const divisor = a.add(norm, a.constant(CLIP_EPS));
  const reciprocal = a.multiply(a.exact(maxNorm), a.divide(a.exact(1), divisor));
  const quotient = a.either(a.divide(a.exact(maxNorm), divisor), reciprocal);
  if (!(quotient.error < Infinity)) return quotient;
  const value = Math.min(1, quotient.value);
  const highest = Math.min(1, quotient.value + quotient.error);
  const lowest = Math.min(1, quotient.value - quotient.error);
  return { value, error: Math.max(highest - value, value - lowest) };
}
