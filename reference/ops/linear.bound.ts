// How far a correct matrix product may land:  |ŷ − y| ≤ γₙ · Σ |products|, n the length of the sum.
//
// The covered forms are listed below; adding the zeros of a padded tile is exact.
import { type Allowance, type Allowances, allowances, type Errors, type Reals } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Tensor } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as linear from "./linear.ts";

/** Covered in each product of either direction. */
const products = {
  "one-sum": "the products added in any order, each rounded before or fused with its addition",
  "sum-of-tiles": "a partial sum for each tile or lane",
  padded: "tiles padded with zeros",
  interleaved: "every n-th product apart",
} as const;

export const forward = defineOp({
  name: "linear.forward",
  summary: "y = x · wᵀ",
  inputs: { x: "R,C", w: "O,C" },
  integers: [],
  scalars: {},
  outputs: { y: "R,O" },
  stores: none("products go straight into their sum"),
  sums: { y: { of: "x · w", over: ["C"] } },
  covered: products,
  exact: ["y"],
  wide: none("no statistic, loss or angle"),
  evaluate: ({ x, w }) => linear.forward(x, w),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "linear.backward",
  summary: "dx = dy · w,  dw = dyᵀ · x",
  inputs: { dy: "R,O", x: "R,C", w: "O,C" },
  integers: [],
  scalars: {},
  outputs: { dx: "R,C", dw: "O,C" },
  stores: none("products go straight into their sum"),
  sums: { dx: { of: "dy · w", over: ["O"] }, dw: { of: "dy · x", over: ["R"] } },
  covered: products,
  exact: ["dx", "dw"],
  wide: none("no statistic, loss or angle"),
  evaluate: ({ dy, x, w }) => linear.backward(dy, x, w),
  bound: backwardBound,
});

/** x: [R, C], w: [O, C] → an allowance for each element of y. */
function forwardBound(
  { x, w }: Reals<"x" | "w">,
  _: object,
  target: Target,
  errors: Errors<"x" | "w"> = {},
): Allowances<"y"> {
  const { R, C, O } = checkShapes({ x: [x, "R,C"], w: [w, "O,C"] });
  const a = new Arithmetic(target);
  const left = { t: x, errors: errors.x, outer: C, inner: 1 };
  const right = { t: w, errors: errors.w, outer: C, inner: 1 };
  return { y: product(a, "y", R, O, C, left, right) };
}

/** dy: [R, O], x: [R, C], w: [O, C] → allowances for dx and dw. */
function backwardBound(
  inputs: Reals<"dy" | "x" | "w">,
  _: object,
  target: Target,
  errors: Errors<"dy" | "x" | "w"> = {},
): Allowances<"dx" | "dw"> {
  const [dx, dw] = (["dx", "dw"] as const).map((output) => gradientBound(output, inputs, target, errors));
  return { dx, dw };
}

/** The allowance of one of the two. */
export function gradientBound(
  output: "dx" | "dw",
  { dy, x, w }: Reals<"dy" | "x" | "w">,
  target: Target,
  errors: Errors<"dy" | "x" | "w">,
): Allowance {
  const { R, O, C } = checkShapes({ dy: [dy, "R,O"], x: [x, "R,C"], w: [w, "O,C"] });
  const a = new Arithmetic(target);
  const [outer, inner] = output === "dx" ? [O, 1] : [1, O];
  const ofDy = { t: dy, errors: errors.dy, outer, inner };
  if (output === "dx") return product(a, "dx", R, C, O, ofDy, { t: w, errors: errors.w, outer: 1, inner: C });
  return product(a, "dw", O, C, R, ofDy, { t: x, errors: errors.x, outer: 1, inner: C });
}

/** Element [outer index, k] is t.data[outer · index + inner · k], as in the matrix product itself, and so is its error. */
interface Operand {
  readonly t: Tensor;
  readonly errors: Tensor | undefined;
  readonly outer: number;
  readonly inner: number;
}

/** Allowances for Σ over k of a[i, k] · b[j, k], [I, J]. */
function product(
  arithmetic: Arithmetic,
  name: "y" | "dx" | "dw",
  I: number,
  J: number,
  K: number,
  a: Operand,
  b: Operand,
): Allowance {
  const allowed = allowances([I, J]);
  for (let i = 0; i < I; i++) {
    for (let j = 0; j < J; j++) {
      const sum = arithmetic.sum(K, name);
      for (let k = 0; k < K; k++) {
        const p = a.outer * i + a.inner * k;
        const q = b.outer * j + b.inner * k;
        sum.addProduct(a.t.data[p], b.t.data[q], a.errors?.data[p] ?? 0, b.errors?.data[q] ?? 0);
      }
      allowed.data[i * J + j] = sum.total().error;
    }
  }
  return allowed;
}
