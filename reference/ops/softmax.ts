// Softmax over the last axis (Bridle 1990):  y = e^(x − max) / Σ over c of e^(x − max)
//
// Backward, from y alone:  dx = y · (dy − Σ over c of dy · y)
import { exp } from "../elementary.ts";
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** x: [R, C] → y: [R, C], whose rows add up to 1. */
export function forward<P extends Floats>(x: Tensor<P>): { y: Tensor<P> } {
  const { R, C } = checkShapes({ x: [x, "R,C"] });
  const y = zeros(x);
  for (let r = 0; r < R; r++) {
    let max = -Infinity;
    for (let c = 0; c < C; c++) max = Math.max(max, x.data[r * C + c]);
    let total = 0;
    for (let c = 0; c < C; c++) total += exp(x.data[r * C + c] - max);
    for (let c = 0; c < C; c++) y.data[r * C + c] = exp(x.data[r * C + c] - max) / total;
  }
  return { y };
}

/** dy: [R, C], y: [R, C] as saved by the forward → dx: [R, C]. */
export function backward<P extends Floats>(dy: Tensor<P>, y: Tensor<P>): { dx: Tensor<P> } {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], y: [y, "R,C"] });
  const dx = zeros(y);
  for (let r = 0; r < R; r++) {
    let projection = 0;
    for (let c = 0; c < C; c++) projection += dy.data[r * C + c] * y.data[r * C + c];
    for (let c = 0; c < C; c++) dx.data[r * C + c] = y.data[r * C + c] * (dy.data[r * C + c] - projection);
  }
  return { dx };
}
