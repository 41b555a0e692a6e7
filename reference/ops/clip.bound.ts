// How far correct clipping may land. The row lists the forms that are covered.
//
// min(1, ·) is exact, and turns a quotient that is certainly above 1 into exactly 1.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as clip from "./clip.ts";

export const forward = defineOp({
  name: "clip.forward",
  summary: "g · min(1, maxNorm / (norm + 10⁻⁶))",
  inputs: { g: "N", norm: "" },
  integers: [],
  scalars: { maxNorm: "real" },
  outputs: { g: "N" },
  stores: none("the scale is one number, which no kernel gains by rounding"),
  sums: none("no sum: the norm is an input"),
  covered: {
    "scale-by-quotient": "the scale as the quotient maxNorm / (norm + ε)",
    "scale-by-reciprocal": "the scale as maxNorm times the reciprocal",
    "always-scaled": "g multiplied by the scale, also where that is 1",
    "scaled-below-one": "g left alone where the scale is 1",
  },
  exact: none("the scale is a quotient"),
  wide: ["norm"],
  evaluate: ({ g, norm }, { maxNorm }) => clip.forward(g, norm, maxNorm),
  bound: forwardBound,
});

/** g: any shape, norm: []; maxNorm → an allowance for each element of the clipped g. */
function forwardBound(
  { g, norm }: Reals<"g" | "norm">,
  { maxNorm }: { readonly maxNorm: number },
  target: Target,
  errors: Errors<"g" | "norm"> = {},
): Allowances<"g"> {
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
  const divisor = a.add(norm, a.constant(clip.CLIP_EPS));
  const reciprocal = a.multiply(a.exact(maxNorm), a.divide(a.exact(1), divisor));
  const quotient = a.either(a.divide(a.exact(maxNorm), divisor), reciprocal);
  if (!(quotient.error < Infinity)) return quotient;
  const value = Math.min(1, quotient.value);
  const highest = Math.min(1, quotient.value + quotient.error);
  const lowest = Math.min(1, quotient.value - quotient.error);
  return { value, error: Math.max(highest - value, value - lowest) };
}
