// Faults of RoPE's table. It is right, in double until it is stored, until a step is replaced.
import { cos as cosine, power, sin as sine } from "../../reference/elementary.ts";
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, f32, fp16, mapped, spoiling, withScalars, writing } from "./kernel.ts";

const right = {
  position: (start: number, t: number): number => start + t,
  frequency: (theta: number, i: number, HS: number): number => power(theta, (-2 * i) / HS),
  angle: (position: number, frequency: number): number => position * frequency,
};

/** cos and sin of position · theta^(−2i ÷ HS). */
export function forward(replaced: Partial<typeof right> = {}): Kernel {
  const step = { ...right, ...replaced };
  return (_, scalars) => {
    const { theta, HS, start, T } = scalars as Record<string, number>;
    const [cos, sin] = [empty([T, HS / 2]), empty([T, HS / 2])];
    for (let i = 0; i < HS / 2; i++) {
      const frequency = step.frequency(theta, i, HS);
      for (let t = 0; t < T; t++) {
        const angle = step.angle(step.position(start, t), frequency);
        cos.data[(t * HS) / 2 + i] = cosine(angle);
        sin.data[(t * HS) / 2 + i] = sine(angle);
      }
    }
    return { cos, sin };
  };
}

const at = (change: (position: number) => number): Kernel => forward({ position: (start, t) => change(start + t) });
const frequencies = (change: (frequency: number, theta: number) => number): Kernel =>
  forward({ frequency: (theta, i, HS) => change(right.frequency(theta, i, HS), theta) });

export const ropeTable = faultsOf("rope-table.forward", [
  [
    "float16",
    "precision",
    "cosines and sines are rounded to float16",
    () => writing({ cos: fp16, sin: fp16 }, forward()),
    { target: "ieee" },
  ],
  [
    "angle-bf16",
    "precision",
    "position times frequency is rounded to bfloat16",
    () => forward({ angle: (p, f) => bf16(f32(p * f)) }),
  ],
  ["position-off-by-one", "index", "positions count from 1", () => at((p) => p + 1)],
  ["start-ignored", "index", "start is ignored", () => forward({ position: (_, t) => t })],
  ["theta-fixed", "formula", "theta is 10000", () => withScalars({ theta: () => 10_000 }, forward())],
  [
    "exponent",
    "formula",
    "the exponent is −i ÷ HS",
    () => forward({ frequency: (theta, i, HS) => power(theta, -i / HS) }),
  ],
  ["frequency-fp16", "precision", "frequencies are float16", () => frequencies(fp16)],
  [
    "positive-sine",
    "formula",
    "the sine is the root of 1 − cos²",
    () =>
      spoiling(forward(), ({ cos, sin }) => {
        sin.data.set(mapped(cos, (c) => f32(Math.sqrt(Math.max(0, f32(1 - f32(c * c)))))).data);
      }),
  ],
  [
    "position-16-bits",
    "size",
    "the position is an unsigned 16-bit number",
    () => forward({ position: (start, t) => (start >= 0 ? (start + t) % 65_536 : start + t) }),
  ],
  [
    "llama31-scaling",
    "formula",
    "with theta 500000 the low frequencies are divided by 8, as in Llama 3.1",
    () => frequencies((f, theta) => (theta === 500_000 && (2 * Math.PI) / f > 8192 ? f / 8 : f)),
  ],
  ["position-float16", "precision", "the position passes through float16, exact up to 2,048", () => at(fp16)],
  [
    "position-bf16",
    "precision",
    "the position passes through bfloat16, exact up to 256",
    () => at((p) => bf16(f32(p))),
  ],
  [
    "sine-coarse",
    "precision",
    "sine and cosine good to 1e-4, for a target that promises one unit",
    () => writing({ cos: (x) => f32(x * f32(1 + 1e-4)), sin: (x) => f32(x * f32(1 - 1e-4)) }, forward()),
    { target: "ieee" },
  ],
]);
