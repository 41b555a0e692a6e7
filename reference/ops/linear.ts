// Linear layer without bias:  y = x · wᵀ,   dx = dy · w,   dw = dyᵀ · x
import { product } from "../product.ts";
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** x: [R, C], w: [O, C] → y: [R, O]. */
export function forward<P extends Floats>(x: Tensor<P>, w: Tensor<P>): { y: Tensor<P> } {
  const { R, C, O } = checkShapes({ x: [x, "R,C"], w: [w, "O,C"] });
  const y = zeros(x, [R, O]);
  product(y.data, R, O, C, { data: x.data, outer: C, inner: 1 }, { data: w.data, outer: C, inner: 1 });
  return { y };
}

/** dy: [R, O], x: [R, C], w: [O, C] → dx: [R, C], dw: [O, C]. */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  x: Tensor<P>,
  w: Tensor<P>,
): { dx: Tensor<P>; dw: Tensor<P> } {
  const { R, O, C } = checkShapes({ dy: [dy, "R,O"], x: [x, "R,C"], w: [w, "O,C"] });
  const dx = zeros(x);
  product(dx.data, R, C, O, { data: dy.data, outer: O, inner: 1 }, { data: w.data, outer: 1, inner: C });
  const dw = zeros(w);
  product(dw.data, O, C, R, { data: dy.data, outer: 1, inner: O }, { data: x.data, outer: 1, inner: C });
  return { dx, dw };
}
