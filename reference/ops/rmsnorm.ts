// RMSNorm (Zhang & Sennrich 2019):  rstd = 1 / √(mean over c of x² + eps),   y = x · rstd · w
//
// Backward, with n = x · rstd and dn = dy · w:
//   dx = rstd · (dn − n · mean over c of (dn · n)),   dw = Σ over r of dy · n
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** x: [R, C], w: [C]; eps is added to the mean square → y: [R, C], rstd: [R]. */
export function forward<P extends Floats>(x: Tensor<P>, w: Tensor<P>, eps: number): { y: Tensor<P>; rstd: Tensor<P> } {
  const { R, C } = checkShapes({ x: [x, "R,C"], w: [w, "C"] });
  const y = zeros(x);
  const rstd = zeros(x, [R]);
  for (let r = 0; r < R; r++) {
    let squares = 0;
    for (let c = 0; c < C; c++) squares += x.data[r * C + c] * x.data[r * C + c];
    const scale = 1 / Math.sqrt(squares / C + eps);
    for (let c = 0; c < C; c++) y.data[r * C + c] = x.data[r * C + c] * scale * w.data[c];
    rstd.data[r] = scale;
  }
  return { y, rstd };
}

/**
 * dy, x: [R, C], w: [C], rstd: [R] as saved by the forward → dx: [R, C], dw: [C]. The gradients use the saved rstd; eps is
 * the forward's, for kernels that compute rstd again, and for their bound.
 */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  x: Tensor<P>,
  w: Tensor<P>,
  rstd: Tensor<P>,
  _eps: number,
): { dx: Tensor<P>; dw: Tensor<P> } {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], x: [x, "R,C"], w: [w, "C"], rstd: [rstd, "R"] });
  const dx = zeros(x);
  const gain = new Float64Array(C);
  for (let r = 0; r < R; r++) {
    const scale = rstd.data[r];
    let projection = 0;
    for (let c = 0; c < C; c++) {
      projection += dy.data[r * C + c] * w.data[c] * x.data[r * C + c] * scale;
    }
    const mean = projection / C;
    for (let c = 0; c < C; c++) {
      const n = x.data[r * C + c] * scale;
      dx.data[r * C + c] = scale * (dy.data[r * C + c] * w.data[c] - n * mean);
      gain[c] += dy.data[r * C + c] * n;
    }
  }
  const dw = zeros(w);
  dw.data.set(gain);
  return { dx, dw };
}
