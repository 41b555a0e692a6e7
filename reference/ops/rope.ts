// RoPE (Su et al. 2021, equation 34): each pair (x1, x2) of a head turns by the angle of its position and its index.
//
//   y1 = x1 · cos − x2 · sin,   y2 = x1 · sin + x2 · cos;   the backward turns by the negative angle.
//
// Pair i is elements (2i, 2i + 1) in the layout "adjacent" (Meta), and (i, i + HS/2) in "half-split" (Hugging Face).
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** Which two elements of a head make a pair. */
export const layouts = ["adjacent", "half-split"] as const;
/** Which two elements of a head make a pair: neighbours, or one of each half. */
export type PairLayout = (typeof layouts)[number];

/** x: [B, T, NH, HS], cos, sin: [T, HS/2] → y: [B, T, NH, HS]. */
export function forward<P extends Floats>(
  x: Tensor<P>,
  cos: Tensor<P>,
  sin: Tensor<P>,
  layout: PairLayout,
): { y: Tensor<P> } {
  checkShapes({ x: [x, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  return { y: turn(x, cos, sin, layout, 1) };
}

/** dy: [B, T, NH, HS], cos, sin: [T, HS/2] → dx: [B, T, NH, HS]. */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  cos: Tensor<P>,
  sin: Tensor<P>,
  layout: PairLayout,
): { dx: Tensor<P> } {
  checkShapes({ dy: [dy, "B,T,NH,HS"], cos: [cos, "T,HS/2"], sin: [sin, "T,HS/2"] });
  return { dx: turn(dy, cos, sin, layout, -1) };
}

/** Where the two elements of pair i lie within a head. */
export function pair(i: number, HS: number, layout: PairLayout): [first: number, second: number] {
  return layout === "adjacent" ? [2 * i, 2 * i + 1] : [i, i + HS / 2];
}

function turn<P extends Floats>(x: Tensor<P>, cos: Tensor, sin: Tensor, layout: PairLayout, sign: 1 | -1): Tensor<P> {
  const [B, T, NH, HS] = x.shape;
  const y = zeros(x);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      for (let h = 0; h < NH; h++) {
        const head = ((b * T + t) * NH + h) * HS;
        for (let i = 0; i < HS / 2; i++) {
          const [first, second] = pair(i, HS, layout);
          const x1 = x.data[head + first];
          const x2 = x.data[head + second];
          const c = cos.data[(t * HS) / 2 + i];
          const s = sign * sin.data[(t * HS) / 2 + i];
          y.data[head + first] = x1 * c - x2 * s;
          y.data[head + second] = x1 * s + x2 * c;
        }
      }
    }
  }
  return y;
}
