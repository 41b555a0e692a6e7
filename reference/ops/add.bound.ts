// How far a correct addition may land: one rounding.
import { allowances, type Allowance, type Errors, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import type { Tensor } from "../tensor.ts";

/** a, b: [N] (or of any equal shape) → an allowance for each element of y. */
export function forward(a: Tensor, b: Tensor, target: Target, errors: Errors<"a" | "b"> = {}): { y: Allowance } {
  if (a.shape.join() !== b.shape.join()) {
    throw new RangeError(`b has shape [${b.shape}], expected [${a.shape}], the shape of a`);
  }
  const arithmetic = new Arithmetic(target);
  const aAt = reader(a, errors.a);
  const bAt = reader(b, errors.b);
  const y = allowances(a.shape);
  for (let i = 0; i < y.data.length; i++) y.data[i] = arithmetic.add(aAt(i), bAt(i)).error;
  return { y };
}
