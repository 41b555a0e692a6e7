// How far a correct RoPE may land: each element is two products and their sum, in the order of either layout.
//
// Covered: the products rounded or fused; the backward with the sine negated or subtracted; as a product of complex
// numbers by its definition, or as x · cos + rotate(x) · sin with rotate(x1, x2) = (−x2, x1). Not covered: the complex
// product from three real ones, which cancels.
import { allowances, type Allowance, type Errors } from "../bounds.ts";
import { Arithmetic, Sum } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Tensor } from "../tensor.ts";
import { type Layout, pair } from "./rope.ts";

/** x: [B, T, NH, HS], cos, sin: [T, HS/2] → an allowance for each element of y. */
export function forward(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  layout: Layout,
  target: Target,
  errors: Errors<"x" | "cos" | "sin"> = {},
): { y: Allowance } {
  checkShapes({ x: [x, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  return { y: turn(x, cos, sin, layout, target, errors.x, errors.cos, errors.sin) };
}

/** dy: [B, T, NH, HS], cos, sin: [T, HS/2] → an allowance for each element of dx; the sign of the sine does not matter. */
export function backward(
  dy: Tensor,
  cos: Tensor,
  sin: Tensor,
  layout: Layout,
  target: Target,
  errors: Errors<"dy" | "cos" | "sin"> = {},
): { dx: Allowance } {
  checkShapes({ dy: [dy, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  const opposite = { data: Float64Array.from(sin.data, (s) => -s), shape: sin.shape };
  return { dx: turn(dy, cos, opposite, layout, target, errors.dy, errors.cos, errors.sin) };
}

function turn(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  layout: Layout,
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
      const [first, second] = pair(i, HS, layout).map((element) => row * HS + element);
      const angle = (t * HS) / 2 + i;
      const x1 = x.data[first];
      const x2 = x.data[second];
      const c = cos.data[angle];
      const s = sin.data[angle];
      const x1Error = xError?.data[first] ?? 0;
      const x2Error = xError?.data[second] ?? 0;
      const cError = cosError?.data[angle] ?? 0;
      const sError = sinError?.data[angle] ?? 0;
      const y1 = new Sum(a);
      y1.addProduct(x1, c, x1Error, cError);
      y1.addProduct(-x2, s, x2Error, sError);
      const y2 = new Sum(a);
      y2.addProduct(x1, s, x1Error, sError);
      y2.addProduct(x2, c, x2Error, cError);
      y.data[first] = y1.total().error;
      y.data[second] = y2.total().error;
    }
  }
  return y;
}
