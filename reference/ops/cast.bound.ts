// How far a correct cast may land, before the rounding to a smaller storage: it is exact, except that subnormal numbers may
// become zero. The row lists the forms that are covered.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as cast from "./cast.ts";

export const forward = defineOp({
  name: "cast.forward",
  summary: "y = x, rounded to the dtype of y",
  inputs: { x: "N" },
  integers: [],
  scalars: {},
  outputs: { y: "N" },
  stores: none("one operation: nothing is stored on the way"),
  sums: none("no sum"),
  covered: {
    copy: "as a copy",
    "times-one": "as a product with one, or a sum with zero",
  },
  exact: ["y"],
  wide: ["x"],
  evaluate: ({ x }) => cast.forward(x),
  bound: forwardBound,
});

/** x: [N] → an allowance for each element of y. */
function forwardBound({ x }: Reals<"x">, _: object, target: Target, errors: Errors<"x"> = {}): Allowances<"y"> {
  const a = new Arithmetic(target);
  const xAt = reader(x, errors.x);
  const y = allowances(x.shape);
  for (let i = 0; i < y.data.length; i++) y.data[i] = a.abs(xAt(i)).error; // an operand that may be read as zero
  return { y };
}
