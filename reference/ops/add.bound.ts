// How far a correct addition may land: one rounding.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as add from "./add.ts";

export const forward = defineOp({
  name: "add.forward",
  summary: "y = a + b",
  inputs: { a: "N", b: "N" },
  integers: [],
  scalars: {},
  outputs: { y: "N" },
  stores: none("one operation: nothing is stored on the way"),
  sums: none("two terms"),
  covered: {
    sum: "one addition",
  },
  exact: ["y"],
  wide: none("no statistic, loss or angle"),
  evaluate: ({ a, b }) => add.forward(a, b),
  bound: forwardBound,
});

/** a, b: [N] (or of any equal shape) → an allowance for each element of y. */
function forwardBound(
  { a, b }: Reals<"a" | "b">,
  _: object,
  target: Target,
  errors: Errors<"a" | "b"> = {},
): Allowances<"y"> {
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
