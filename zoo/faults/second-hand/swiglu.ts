// SwiGLU with the sigmoid from e^−|z|, one thread an element, by two where F allows.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, exp, f32, floats, fp16, spoiling } from "../kernel.ts";
import { outputs } from "./shared.ts";

function sigmoid(z: number): number {
  const e = exp(-Math.abs(z));
  return z < 0 ? f32(e / f32(1 + e)) : f32(1 / f32(1 + e));
}

interface Forward {
  readonly sigma: (z: number) => number;
  readonly silu: (z: number, s: number) => number;
  /** The element of up that element i is multiplied by. */
  readonly other: (i: number, F: number) => number;
}

export function forward(change: Partial<Forward> = {}): Kernel {
  const { sigma, silu, other }: Forward = { sigma: sigmoid, silu: (z, s) => f32(z * s), other: (i) => i, ...change };
  return (inputs) => {
    const { gate, up } = floats(inputs);
    const [, F] = gate.shape;
    const y = empty(gate.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = silu(gate.data[i], sigma(gate.data[i])) * up.data[other(i, F)];
    return outputs({ y });
  };
}

/** tanh as a quotient of polynomials, ±1 beyond 4.97: the sigmoid of ±10 is 0 or 1. */
function rationalSigmoid(z: number): number {
  const x = z / 2;
  if (Math.abs(x) > 4.97) return x > 0 ? 1 : 0;
  const s = x * x;
  const a = x * (135135 + s * (17325 + s * (378 + s)));
  return f32(0.5 + (0.5 * a) / (135135 + s * (62370 + s * (3150 + s * 28))));
}

/** Everything in float16: e^−z is infinite from z = −11.1. */
function halfSigmoid(z: number): number {
  return f32(1 / f32(1 + fp16(exp(-z))));
}

/** A line through ½ near 0, in place of the curve. */
const bent = (z: number): number =>
  Math.abs(z) >= 8 && Math.abs(z) < 9 ? f32(sigmoid(z) * (z < 0 ? 1.01 : 1)) : sigmoid(z);

export const swigluForward = faultsOf("swiglu.forward", [
  [
    "second/rational-tanh",
    "precision",
    "σ from a rational tanh that is ±1 beyond 4.97: silu is 0 below −9.94",
    () => forward({ sigma: rationalSigmoid }),
  ],
  ["second/cut-off", "formula", "silu is 0 below −15", () => forward({ silu: (z, s) => (z < -15 ? 0 : f32(z * s)) })],
  [
    "second/odd-pair",
    "tail",
    "by two: from F = 1,025 the last element of an odd row is multiplied by the up before it",
    () => forward({ other: (i, F) => (F > 1024 && F % 2 === 1 && i % F === F - 1 ? i - 1 : i) }),
  ],
  [
    "second/interleaved-guess",
    "size",
    "a row of 1,536 or more, a multiple of 256, is taken for gate and up in turns of 128: neighbouring blocks of up are exchanged",
    () => forward({ other: (i, F) => (F >= 1536 && F % 256 === 0 ? i ^ 128 : i) }),
  ],
  [
    "second/sigma-in-bfloat16",
    "precision",
    "e^−|z| is kept in bfloat16",
    () =>
      forward({
        sigma: (z) => {
          const e = bf16(exp(-Math.abs(z)));
          return f32((z < 0 ? e : 1) / f32(1 + e));
        },
      }),
    bfloat16Cuda,
  ],
  [
    "second/exponential-in-half",
    "range",
    "e^−z is kept in float16, and infinite below −11.1: silu is 0 there",
    () => forward({ sigma: halfSigmoid }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/one-percent-in-a-branch",
    "formula",
    "between −9 and −8 a table of σ is 1 % too large",
    () => forward({ sigma: bent }),
  ],
]);

interface Backward {
  readonly slope: (z: number, s: number) => number;
  readonly silu: (z: number, s: number) => number;
}

export function backward(change: Partial<Backward> = {}): Kernel {
  const { slope, silu }: Backward = {
    slope: (z, s) => f32(s * f32(1 + f32(z * sigmoid(-z)))),
    silu: (z, s) => f32(z * s),
    ...change,
  };
  return (inputs) => {
    const { dy, gate, up } = floats(inputs);
    const [dgate, dup] = [empty(gate.shape), empty(gate.shape)];
    for (let i = 0; i < gate.data.length; i++) {
      const z = gate.data[i];
      const s = sigmoid(z);
      dgate.data[i] = f32(dy.data[i] * up.data[i]) * slope(z, s);
      dup.data[i] = dy.data[i] * silu(z, s);
    }
    return outputs({ dgate, dup });
  };
}

/** σ · (1 − σ) as e / (1 + e)², e = e^−z, whose square overflows below −44.4. */
function squared(z: number, s: number): number {
  const e = exp(-z);
  const below = f32(f32(1 + e) * f32(1 + e));
  return f32(s + f32(z * f32(e / below)));
}

export const swigluBackward = faultsOf("swiglu.backward", [
  [
    "second/second-pass-of-the-grid",
    "size",
    "1,024 blocks of 256: the second pass, from element 262,144, writes dup alone",
    () =>
      spoiling(backward(), ({ dgate }) => {
        dgate.data.fill(0, 262144);
      }),
  ],
  [
    "second/square-overflows",
    "range",
    "σ · (1 − σ) as e / (1 + e)², whose square overflows below −44.4, and which is NaN below −88.8",
    () => backward({ slope: squared }),
  ],
  [
    "second/gate-limit-left-on",
    "formula",
    "no gradient passes a gate beyond 7, as where the forward clamps it",
    () => backward({ slope: (z, s) => (z > 7 ? 0 : f32(s * f32(1 + f32(z * sigmoid(-z))))) }),
  ],
  [
    "second/slope-saturates",
    "precision",
    "the slope of silu is taken as 1 beyond 6 and as 0 below −12",
    () => backward({ slope: (z, s) => (z > 6 ? 1 : z < -12 ? 0 : f32(s * f32(1 + f32(z * sigmoid(-z))))) }),
  ],
  [
    "second/silu-recomputed-low",
    "precision",
    "dup takes σ in bfloat16, and silu as its product with the gate",
    () => backward({ silu: (z, s) => f32(z * bf16(s)) }),
    bfloat16Cuda,
  ],
]);
