// How far a correct softmax may land. The rows list the forms that are covered.
//
// Forward: y = e^(x − max) / Σ = e^(x − lse). The sum has a relative error, and so has each exponential, which grows with its
// argument (softmax.row.bound.ts). A quotient by the sum adds their spreads; e^(x − lse) has the absolute error of lse in its
// exponent.
//
// Backward: with D = Σ dy · y over C terms in any order, |D̂ − D| ≤ γ_C · Σ |dy · y|. dy − D may cancel, but its error does
// not: dx errs by |y| times it. Multiplied out, y · dy − y · D, both products are rounded before they cancel.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { RowSoftmax, uncoveredRows } from "./softmax.row.bound.ts";
import * as softmax from "./softmax.ts";

export const forward = defineOp({
  name: "softmax.forward",
  summary: "y = e^(x − max) / Σ e^(x − max), along each row",
  inputs: { x: "R,C" },
  integers: [],
  scalars: {},
  outputs: { y: "R,C" },
  stores: none("the weights are stored as y"),
  sums: { exponentials: { of: "e^(x − max)", over: ["C"] } },
  covered: {
    "maximum-first": "the maximum of a row first",
    "running-maximum": "a running maximum, the sum rescaled when it rises",
    "running-in-blocks":
      "a running maximum, the sum rescaled at every block of 16 numbers or more, whether it rises or not",
    "running-in-lanes":
      "a running maximum in each of several lanes, up to 1,024, which are merged in a tree, at most ten merges deep where e⁰ is not promised to be 1",
    "base-e": "e^x",
    "base-2": "2^(x · log2 e)",
    "base-2-fused":
      "2^(x · log2 e − max · log2 e), fused or not; a sum is rescaled by the difference of two maxima, not of a product and a fused one",
    "by-quotient": "a quotient by the sum",
    "by-reciprocal": "a product with the reciprocal of the sum",
    "by-lse": "e^(x − lse)",
  },
  uncovered: uncoveredRows,
  exact: none("exponentials"),
  wide: none("no statistic is given or taken"),
  evaluate: ({ x }) => softmax.forward(x),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "softmax.backward",
  summary: "dx = y · (dy − Σ dy · y), along each row",
  inputs: { dy: "R,C", y: "R,C" },
  integers: [],
  scalars: {},
  outputs: { dx: "R,C" },
  stores: none("the sum is one number a row"),
  sums: { D: { of: "dy · y", over: ["C"] } },
  covered: {
    factored: "y · (dy − D)",
    "multiplied-out": "y · dy − y · D",
    "one-sum": "the terms of D added in any order",
    "partial-sums": "partial sums over any parts of a row",
  },
  exact: none("products of more than two factors"),
  wide: none("no statistic is given or taken"),
  evaluate: ({ dy, y }) => softmax.backward(dy, y),
  bound: backwardBound,
});

/** x: [R, C] → an allowance for each element of y. */
function forwardBound({ x }: Reals<"x">, _: object, target: Target, errors: Errors<"x"> = {}): Allowances<"y"> {
  const { R, C } = checkShapes({ x: [x, "R,C"] });
  const row = new RowSoftmax(target, x, C, errors.x);
  const y = allowances(x.shape);
  for (let r = 0; r < R; r++) {
    row.read(r);
    for (let c = 0; c < C; c++) y.data[r * C + c] = row.probability(r * C + c, row.lse).error;
  }
  return { y };
}

/** dy, y: [R, C] → an allowance for each element of dx. */
function backwardBound(
  { dy, y }: Reals<"dy" | "y">,
  _: object,
  target: Target,
  errors: Errors<"dy" | "y"> = {},
): Allowances<"dx"> {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], y: [y, "R,C"] });
  const a = new Arithmetic(target);
  const dyAt = reader(dy, errors.dy);
  const yAt = reader(y, errors.y);
  const dx = allowances(y.shape);
  for (let r = 0; r < R; r++) {
    const terms = a.sum(C, "D");
    for (let i = r * C; i < (r + 1) * C; i++) {
      const [gradient, weight] = [dyAt(i), yAt(i)];
      terms.addProduct(gradient.value, weight.value, gradient.error, weight.error);
    }
    const D = terms.total();
    for (let i = r * C; i < (r + 1) * C; i++) {
      const factored = a.multiply(yAt(i), a.subtract(dyAt(i), D));
      const multipliedOut = a.subtract(a.multiply(yAt(i), dyAt(i)), a.multiply(yAt(i), D));
      dx.data[i] = a.either(factored, multipliedOut).error;
    }
  }
  return { dx };
}
