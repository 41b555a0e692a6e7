// How far a correct embedding may land. The forward is exact, except that subnormal numbers may become zero; the backward has
// the roundings of its sums. The rows list the forms that are covered.
import { type Allowances, allowances, type Errors, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Ints, type Tensor } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as embedding from "./embedding.ts";

export const forward = defineOp({
  name: "embedding.forward",
  summary: "y[r] = w[tokens[r]]",
  inputs: { tokens: "R", w: "V,C" },
  integers: ["tokens"],
  scalars: {},
  outputs: { y: "R,C" },
  stores: none("a copy: nothing is stored on the way"),
  sums: none("a copy"),
  covered: {
    copy: "as a copy",
    "one-hot": "as the product with a one-hot row",
  },
  exact: ["y"],
  wide: none("no statistic, loss or angle"),
  evaluate: ({ tokens, w }) => embedding.forward(tokens, w),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "embedding.backward",
  summary: "dw[v] = Σ over r with tokens[r] = v of dy[r]",
  inputs: { dy: "R,C", tokens: "R" },
  integers: ["tokens"],
  scalars: { V: "axis" },
  outputs: { dw: "V,C" },
  stores: none("a sum of inputs: no term is computed"),
  sums: { dw: { of: "dy", over: ["R"] } },
  covered: {
    occurrences: "the rows of a token added in any order",
    "one-hot": "as the product with the one-hot matrix: zeros for the other rows",
    "partial-sums": "partial sums over any parts of the rows",
  },
  exact: ["dw"],
  wide: none("no statistic, loss or angle"),
  evaluate: ({ dy, tokens }, { V }) => embedding.backward(dy, tokens, V),
  bound: backwardBound,
});

/** tokens: [R], w: [V, C] → an allowance for each element of y: [R, C]. */
function forwardBound(
  { tokens, w }: { readonly tokens: Tensor<Ints>; readonly w: Tensor },
  _: object,
  target: Target,
  errors: Errors<"w"> = {},
): Allowances<"y"> {
  const { R, C } = checkShapes({ tokens: [tokens, "R"], w: [w, "V,C"] });
  const a = new Arithmetic(target);
  const wAt = reader(w, errors.w);
  const y = allowances([R, C]);
  for (let r = 0; r < R; r++) {
    // A copy rounds nothing, but its operand may be read as zero. The zeros of a one-hot row add nothing.
    for (let c = 0; c < C; c++) y.data[r * C + c] = a.abs(wAt(tokens.data[r] * C + c)).error;
  }
  return { y };
}

/** dy: [R, C], tokens: [R] → an allowance for each element of dw: [V, C]. */
function backwardBound(
  { dy, tokens }: { readonly dy: Tensor; readonly tokens: Tensor<Ints> },
  { V }: { readonly V: number },
  target: Target,
  errors: Errors<"dy"> = {},
): Allowances<"dw"> {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], tokens: [tokens, "R"] });
  const a = new Arithmetic(target);
  const dyAt = reader(dy, errors.dy);
  const dw = allowances([V, C]);
  // The gradient of a token that occurs n times passes through n − 1 additions; the other rows add zero, which is exact.
  const occurrences = Array.from({ length: V }, (): number[] => []);
  for (let r = 0; r < R; r++) occurrences[tokens.data[r]].push(r);
  for (let v = 0; v < V; v++) {
    for (let c = 0; c < C; c++) {
      const sum = a.sum(occurrences[v].length, "dw");
      for (const r of occurrences[v]) {
        const term = dyAt(r * C + c);
        sum.add(term.value, term.error);
      }
      dw.data[v * C + c] = sum.total().error;
    }
  }
  return { dw };
}
