// SwiGLU's faults. The kernels are right until a function is replaced.
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, exp, f32, floats, fp16, reading, spoiling } from "./kernel.ts";

const sigmoid = (z: number): number => f32(1 / f32(1 + exp(-z)));
const silu = (z: number): number => f32(z * sigmoid(z));

/** y = silu(gate) · up. */
export function forward(of: (gate: number, up: number) => number = (gate, up) => f32(silu(gate) * up)): Kernel {
  return (inputs) => {
    const { gate, up } = floats(inputs);
    const y = empty(gate.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = of(gate.data[i], up.data[i]);
    return { y };
  };
}

/** Another gate in place of silu. */
const gatedBy = (gate: (z: number) => number): Kernel => forward((z, up) => f32(f32(gate(z)) * up));
/** Another sigmoid. */
const by = (other: (z: number) => number): Kernel => gatedBy((z) => z * f32(other(z)));

const right = {
  upstream: (dy: number, up: number): number => f32(dy * up),
  slope: (z: number, _up: number): number => f32(sigmoid(z) * f32(1 + f32(z * sigmoid(-z)))),
  silu,
};

/** dgate = dy · up · silu′(gate), dup = dy · silu(gate). */
export function backward(replaced: Partial<typeof right> = {}): Kernel {
  const step = { ...right, ...replaced };
  return (inputs) => {
    const { dy, gate, up } = floats(inputs);
    const [dgate, dup] = [empty(dy.shape), empty(dy.shape)];
    for (let i = 0; i < dy.data.length; i++) {
      const [d, z, u] = [dy.data[i], gate.data[i], up.data[i]];
      dgate.data[i] = f32(step.upstream(d, u) * f32(step.slope(z, u)));
      dup.data[i] = f32(d * f32(step.silu(z)));
    }
    return { dgate, dup };
  };
}

const gelu = (z: number): number =>
  f32(f32(0.5 * z) * f32(1 + Math.tanh(f32(0.7978845608 * f32(z + f32(0.044715 * f32(z * f32(z * z))))))));
const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
const exchanged: Kernel = ({ gate, up }, scalars) => forward()({ gate: up, up: gate }, scalars);

export const swigluForward = faultsOf("swiglu.forward", [
  ["exchanged", "index", "gate and up are exchanged", () => exchanged],
  ["gelu", "formula", "GELU (tanh) in place of SiLU", () => gatedBy(gelu)],
  [
    "gate-clamped",
    "range",
    "the gate is clamped to [−20, 20] inside the sigmoid",
    () => by((z) => sigmoid(clamp(z, -20, 20))),
  ],
  [
    "overflow-nan",
    "range",
    "e^z / (1 + e^z), which is NaN beyond 88",
    () => by((z) => exp(z) / f32(1 + exp(z))),
    {
      source: "gpuweb/gpuweb 4458 is its tanh",
    },
  ],
  [
    "vector-tail",
    "tail",
    "the last F % 4 columns are not written and stay 0",
    () =>
      spoiling(
        forward(),
        ({
          y: {
            data,
            shape: [, F],
          },
        }) => {
          for (let i = 0; i < data.length; i++) if (i % F >= F - (F % 4)) data[i] = 0;
        },
      ),
  ],
  ["hard", "formula", "hard-swish", () => by((z) => clamp(f32(f32(z / 6) + 0.5), 0, 1))],
  ["sigmoid-bf16", "precision", "the sigmoid is rounded to bfloat16", () => by((z) => bf16(sigmoid(z)))],
  ["quick", "formula", "sigmoid(1.702 z)", () => by((z) => sigmoid(f32(f32(1.702) * z)))],
  [
    "silu-bf16",
    "precision",
    "silu is rounded to bfloat16 before the product, undeclared",
    () => gatedBy((z) => bf16(silu(z))),
    {
      dtype: "bfloat16",
    },
  ],
  [
    "many-wide-rows",
    "size",
    "rows from the 128th on read the gate of row r − 128 in columns from the 16th on",
    () => (inputs, scalars) => {
      const { gate } = floats(inputs);
      const F = gate.shape[1];
      const read = (x: number, i: number): number => (i >= 128 * F && i % F >= 16 ? gate.data[i - 128 * F] : x);
      return reading({ gate: read }, forward())(inputs, scalars);
    },
  ],
  [
    "subnormal",
    "range",
    "where up is subnormal, y is up",
    () => forward((z, up) => (up !== 0 && Math.abs(up) < 2 ** -126 ? up : f32(silu(z) * up))),
  ],
  ["exp-fp16", "range", "e^−z passes through float16", () => by((z) => 1 / f32(1 + fp16(exp(-z))))],
]);

export const swigluBackward = faultsOf("swiglu.backward", [
  ["derivative-of-sigmoid", "formula", "the derivative lacks z (1 − sigmoid)", () => backward({ slope: sigmoid })],
  ["dup-sigmoid", "formula", "dup = dy · sigmoid(gate)", () => backward({ silu: sigmoid })],
  [
    "saturated",
    "range",
    "dgate is 0 where gate < −16",
    () => backward({ slope: (z, up) => (z > -16 ? right.slope(z, up) : 0) }),
  ],
  [
    "cancelled",
    "precision",
    "1 − sigmoid from a sigmoid of bfloat16",
    () => backward({ slope: (z) => sigmoid(z) * f32(1 + f32(z * f32(1 - bf16(sigmoid(z))))) }),
    { target: "ieee" },
  ],
  [
    "square-of-y",
    "formula",
    "dgate has y in place of silu in the derivative",
    () => backward({ slope: (z, up) => f32(sigmoid(z) + f32(f32(silu(z) * up) * sigmoid(-z))) }),
  ],
  [
    "silu-undeclared",
    "precision",
    "silu(gate) is rounded to bfloat16 for dup, undeclared",
    () => backward({ silu: (z) => bf16(silu(z)) }),
    bfloat16Cuda,
  ],
  [
    "dsilu-undeclared",
    "precision",
    "dy · up is rounded to bfloat16, undeclared",
    () => backward({ upstream: (dy, up) => bf16(f32(dy * up)) }),
    bfloat16Cuda,
  ],
  [
    "nan-at-large",
    "range",
    "σ · σ · e^−z in the derivative, which is 0 · ∞ at large negative arguments",
    () => backward({ slope: (z) => f32(sigmoid(z) + f32(z * f32(f32(sigmoid(z) * sigmoid(z)) * exp(-z)))) }),
    { source: "@jax-js/jax 0.1.25" },
  ],
]);
