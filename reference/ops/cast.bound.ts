// How far a correct cast may land, before the rounding of a smaller storage: not at all, but for subnormal numbers that may
// become zero.
//
// Covered: as a copy, or as a sum with zero or a product with one.
import { allowances, type Allowance, type Errors, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import type { Tensor } from "../tensor.ts";

/** x: [N] → an allowance for each element of y. */
export function forward(x: Tensor, target: Target, errors: Errors<"x"> = {}): { y: Allowance } {
  const a = new Arithmetic(target);
  const xAt = reader(x, errors.x);
  const y = allowances(x.shape);
  for (let i = 0; i < y.data.length; i++) y.data[i] = a.abs(xAt(i)).error; // an operand that may be read as zero
  return { y };
}
