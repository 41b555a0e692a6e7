// How far a correct RoPE may land: each element is two products and their sum, in the order of either layout.
//
// The covered forms are listed below. Not covered: the complex product from three real ones, which cancels. The products may
// be declared as stored low before they are added.
import { type Allowance, type Allowances, allowances, type Errors, type Reals } from "../bounds.ts";
import { type Approx, Arithmetic, Sum } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Tensor } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as rope from "./rope.ts";

/** Covered in either direction; the backward's sine is negated or its products are subtracted. */
const turns = {
  complex: "as a product of complex numbers by its definition",
  "fused-after-cosine": "one product rounded, the other fused with the addition",
  rotated: "as x · cos + rotate(x) · sin with rotate(x1, x2) = (−x2, x1)",
} as const;

export const forward = defineOp({
  name: "rope.forward",
  summary: "y1 = x1 · cos − x2 · sin,  y2 = x1 · sin + x2 · cos",
  inputs: { x: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
  integers: [],
  scalars: { layout: rope.layouts },
  outputs: { y: "B,T,NH,HS" },
  stores: { product: "each of the two products, before they are added" },
  sums: none("two terms"),
  covered: turns,
  exact: ["y"],
  wide: ["cos", "sin"],
  evaluate: ({ x, cos, sin }, { layout }) => rope.forward(x, cos, sin, layout),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "rope.backward",
  summary: "dx1 = dy1 · cos + dy2 · sin,  dx2 = dy2 · cos − dy1 · sin",
  inputs: { dy: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
  integers: [],
  scalars: { layout: rope.layouts },
  outputs: { dx: "B,T,NH,HS" },
  stores: { product: "each of the two products, before they are added" },
  sums: none("two terms"),
  covered: turns,
  exact: ["dx"],
  wide: ["cos", "sin"],
  evaluate: ({ dy, cos, sin }, { layout }) => rope.backward(dy, cos, sin, layout),
  bound: backwardBound,
});

/** x: [B, T, NH, HS], cos, sin: [T, HS/2] → an allowance for each element of y. */
function forwardBound(
  { x, cos, sin }: Reals<"x" | "cos" | "sin">,
  { layout }: { readonly layout: rope.PairLayout },
  target: Target,
  errors: Errors<"x" | "cos" | "sin"> = {},
): Allowances<"y"> {
  checkShapes({ x: [x, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  return { y: turn(x, cos, sin, layout, target, errors.x, errors.cos, errors.sin) };
}

/** dy: [B, T, NH, HS], cos, sin: [T, HS/2] → an allowance for each element of dx; the sign of the sine does not matter. */
function backwardBound(
  { dy, cos, sin }: Reals<"dy" | "cos" | "sin">,
  { layout }: { readonly layout: rope.PairLayout },
  target: Target,
  errors: Errors<"dy" | "cos" | "sin"> = {},
): Allowances<"dx"> {
  checkShapes({ dy: [dy, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  const opposite = { data: Float64Array.from(sin.data, (s) => -s), shape: sin.shape };
  return { dx: turn(dy, cos, opposite, layout, target, errors.dy, errors.cos, errors.sin) };
}

function turn(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  layout: rope.PairLayout,
  target: Target,
  xError: Tensor | undefined,
  cosError: Tensor | undefined,
  sinError: Tensor | undefined,
): Allowance {
  const a = new Arithmetic(target);
  const [B, T, NH, HS] = x.shape;
  const y = allowances(x.shape);
  for (let row = 0; row < B * T * NH; row++) {
    const t = Math.floor(row / NH) % T;
    for (let i = 0; i < HS / 2; i++) {
      const [first, second] = rope.pair(i, HS, layout).map((element) => row * HS + element);
      const angle = (t * HS) / 2 + i;
      const x1 = { value: x.data[first], error: xError?.data[first] ?? 0 };
      const x2 = { value: x.data[second], error: xError?.data[second] ?? 0 };
      const c = { value: cos.data[angle], error: cosError?.data[angle] ?? 0 };
      const s = { value: sin.data[angle], error: sinError?.data[angle] ?? 0 };
      y.data[first] = sumOfProducts(a, x1, c, { value: -x2.value, error: x2.error }, s);
      y.data[second] = sumOfProducts(a, x1, s, x2, c);
    }
  }
  return y;
}

/** The error of left · a + right · b. */
function sumOfProducts(arithmetic: Arithmetic, left: Approx, a: Approx, right: Approx, b: Approx): number {
  const sum = new Sum(arithmetic);
  for (const [x, y] of [
    [left, a],
    [right, b],
  ] as const) {
    if (arithmetic.target.stores?.product === undefined) sum.addProduct(x.value, y.value, x.error, y.error);
    else {
      const { value, error } = arithmetic.store("product", arithmetic.multiply(x, y));
      sum.add(value, error);
    }
  }
  return sum.total().error;
}
