// Faults of the norm of gradients, and of clipping by it.
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, f32, floats, fp16, mapped, scalar, sum } from "./kernel.ts";

type Row = Float32Array;
const largest = (g: Row): number => g.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
/** Σ g², in double: no square overflows. */
const squares = (g: Row): number => g.reduce((total, x) => total + x * x, 0);

/** √(Σ g²), or something else. */
export function norm(of: (g: Row) => number = (g) => Math.sqrt(squares(g))): Kernel {
  return (inputs) => ({ norm: scalar(of(floats(inputs).g.data)) });
}

/** The factor of the gradients: min(1, maxNorm ÷ (norm + 10⁻⁶)). */
type Factor = (norm: number, maxNorm: number, g: Row) => number;

/** g times the factor. */
export function clip(factor: Factor = below1((n, max) => f32(max / f32(n + EPS)))): Kernel {
  return (inputs, { maxNorm }) => {
    const { g, norm: given } = floats(inputs);
    const by = factor(given.data[0], f32(Number(maxNorm)), g.data);
    return { g: mapped(g, (x) => f32(x * by)) };
  };
}

const EPS = f32(1e-6);
function below1(factor: Factor): Factor {
  return (n, max, g) => {
    const by = factor(n, max, g);
    return by < 1 ? by : 1;
  };
}
const own = (g: Row): number => f32(Math.sqrt(squares(g)));
const clamped: Kernel = (inputs, { maxNorm }) => {
  const most = f32(Number(maxNorm));
  return { g: mapped(floats(inputs).g, (x) => Math.min(most, Math.max(-most, x))) };
};

export const gradientNorm = faultsOf("gradient-norm.forward", [
  [
    "twice",
    "formula",
    "every gradient counts twice, as of two replicas",
    () => norm((g) => Math.sqrt(2 * squares(g))),
    {
      source: "NVIDIA-NeMo/RL 3788; NVIDIA/Megatron-LM 7227",
    },
  ],
  [
    "infinity-norm",
    "formula",
    "the largest gradient",
    () => norm(largest),
    { source: "facebookresearch/fairscale 167" },
  ],
  [
    "sum-fp16",
    "range",
    "sum in float16",
    () => norm((g) => Math.sqrt(sum(g.length, (i) => fp16(fp16(g[i]) * fp16(g[i])), fp16))),
  ],
  ["no-root", "formula", "the root is missing", () => norm(squares)],
  [
    "sum-bf16",
    "precision",
    "the squares are read as bfloat16 and added in float32",
    () => norm((g) => Math.sqrt(g.reduce((total, x) => total + bf16(f32(x * x)), 0))),
  ],
  [
    "overflow",
    "range",
    "infinite above float16's range, as with a norm that passes through it",
    () => norm((g) => (Math.sqrt(squares(g)) > 65_504 ? Infinity : Math.sqrt(squares(g)))),
  ],
]);

export const clipForward = faultsOf("clip.forward", [
  [
    "scales-up",
    "formula",
    "gradients below the limit are scaled up to it",
    () => clip((n, max) => f32(max / f32(n + EPS))),
  ],
  ["no-eps", "formula", "1e-6 is missing", () => clip(below1((n, max) => f32(max / n)))],
  ["eps-1e8", "formula", "1e-8 in place of 1e-6", () => clip(below1((n, max) => f32(max / f32(n + f32(1e-8)))))],
  [
    "own-norm",
    "formula",
    "the norm of this tensor alone",
    () => clip(below1((_, max, g) => f32(max / f32(own(g) + EPS)))),
  ],
  [
    "if-above",
    "formula",
    "clips only where norm > maxNorm, so not where 1e-6 alone brings the quotient below 1",
    () => clip((n, max) => (n > max ? f32(max / f32(n + EPS)) : 1)),
  ],
  ["element-clip", "formula", "every element is clipped to the limit", () => clamped],
  [
    "scale-bf16",
    "precision",
    "the scale is bfloat16",
    () => clip((n, max) => (n + EPS > max ? bf16(f32(max / f32(n + EPS))) : 1)),
  ],
]);
