// SwiGLU (Shazeer 2020):  y = silu(gate) · up,   silu(z) = z · σ(z),   σ(z) = 1 / (1 + e^−z)
//
// Backward:  dgate = dy · up · σ(gate) · (1 + gate · (1 − σ(gate))),   dup = dy · silu(gate)
import { exp } from "../elementary.ts";
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** σ(z); the exponential is of −|z|, so it cannot overflow. */
export function sigmoid(z: number): number {
  const e = exp(-Math.abs(z));
  return z < 0 ? e / (1 + e) : 1 / (1 + e);
}

/** gate, up: [R, F] → y: [R, F]. */
export function forward<P extends Floats>(gate: Tensor<P>, up: Tensor<P>): { y: Tensor<P> } {
  checkShapes({ gate: [gate, "R,F"], up: [up, "R,F"] });
  const y = zeros(gate);
  for (let i = 0; i < y.data.length; i++) y.data[i] = gate.data[i] * sigmoid(gate.data[i]) * up.data[i];
  return { y };
}

/** dy, gate, up: [R, F] → dgate, dup: [R, F]. */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  gate: Tensor<P>,
  up: Tensor<P>,
): { dgate: Tensor<P>; dup: Tensor<P> } {
  checkShapes({ dy: [dy, "R,F"], gate: [gate, "R,F"], up: [up, "R,F"] });
  const dgate = zeros(gate);
  const dup = zeros(up);
  for (let i = 0; i < dgate.data.length; i++) {
    const z = gate.data[i];
    const s = sigmoid(z);
    dgate.data[i] = dy.data[i] * up.data[i] * s * (1 + z * sigmoid(-z));
    dup.data[i] = dy.data[i] * z * s;
  }
  return { dgate, dup };
}
