// Addition, cast, clipping and the norm that it clips by: grids of 256 threads, vectors of four or eight.
import { dtypes, formats, ulp } from "../../../reference/dtype.ts";
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, fp16, scalar, spoiling, tf32 } from "../kernel.ts";
import { floorTo, outputs, warpSum } from "./shared.ts";

const PASS = 262144;

/** y[i] of a and b. */
export function add(
  sum: (a: number, b: number, i: number, N: number, data: Float32Array) => number = (a, b) => a + b,
): Kernel {
  return (inputs) => {
    const { a, b } = floats(inputs);
    const y = empty(a.shape);
    const N = y.data.length;
    for (let i = 0; i < N; i++) y.data[i] = sum(a.data[i], b.data[i], i, N, b.data);
    return outputs({ y });
  };
}

/** Towards zero in bfloat16: the low 16 bits cut off. */
function cut(x: number): number {
  const bits = new Int32Array(Float32Array.of(x).buffer);
  bits[0] &= ~0xffff;
  return new Float32Array(bits.buffer)[0];
}

export const addForward = faultsOf("add.forward", [
  [
    "second/tail-of-long-vectors",
    "size",
    "by four, beyond 65,536: the last N % 4 elements are copies of a",
    () => add((a, b, i, N) => (N > 65536 && i >= floorTo(N, 4) ? a : a + b)),
  ],
  [
    "second/second-pass",
    "size",
    "the second pass of the grid, from element 262,144, reads b of the first",
    () => add((a, _, i, __, b) => a + b[i % PASS]),
  ],
  [
    "second/saturates",
    "range",
    "sums beyond the largest number of float16 stay there",
    () => add((a, b) => (Math.abs(a + b) > 65504 ? Math.sign(a + b) * 65504 : a + b)),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/cut-to-bfloat16",
    "precision",
    "the sum is cut to bfloat16, not rounded",
    () => add((a, b) => cut(f32(a + b))),
    bfloat16Cuda,
  ],
  [
    "second/nan-to-number",
    "formula",
    "NaN becomes 0",
    () => add((a, b) => (Number.isNaN(a + b) ? 0 : a + b)),
    { target: "cuda" },
  ],
]);

export function cast(change: (x: number, i: number, N: number) => number = (x) => x): Kernel {
  return (inputs) => {
    const { x } = floats(inputs);
    const N = x.data.length;
    return outputs({ y: { data: x.data.map((value, i) => change(value, i, N)), shape: x.shape } });
  };
}

/** Ties away from zero. */
function awayFromZero(x: number): number {
  const nearest = bf16(x);
  const spacing = ulp(x, dtypes.bfloat16);
  const towards = Math.trunc(x / spacing) * spacing;
  return Math.abs(x - towards) * 2 === spacing ? towards + Math.sign(x) * spacing : nearest;
}

/** Up or down with a probability that is the distance, from the number's place. */
function stochastic(x: number, i: number): number {
  const down = cut(x);
  const spacing = ulp(x, formats.bfloat16);
  const draw = ((Math.imul(i + 1, 0x9e3779b1) >>> 8) & 0xffff) / 65536;
  return Number.isFinite(x) && Math.abs(x - down) / spacing > draw ? down + Math.sign(x) * spacing : down;
}

export const castForward = faultsOf("cast.forward", [
  ["second/ties-away", "precision", "ties are rounded away from zero", () => cast(awayFromZero), bfloat16Cuda],
  ["second/stochastic", "precision", "rounded up or down by chance", () => cast(stochastic), bfloat16Cuda],
  ["second/twice-rounded", "precision", "rounded to TF32 first", () => cast(tf32), bfloat16Cuda],
  [
    "second/odd-last",
    "tail",
    "by two, beyond 1,024: the last of an odd number is never written",
    () => cast((x, i, N) => (N > 1024 && N % 2 === 1 && i === N - 1 ? 0 : x)),
  ],
  [
    "second/half-through-bfloat16",
    "precision",
    "vectors of eight, from 640 numbers, pass through bfloat16 on their way to float16",
    () => cast((x, i, N) => (N >= 640 && i < floorTo(N, 8) ? bf16(x) : x)),
    { dtype: "float16", target: "cuda" },
  ],
]);

export function clip(scale: (max: number, norm: number, call: number) => number): Kernel {
  let calls = 0;
  return (inputs, { maxNorm }) => {
    const { g, norm } = floats(inputs);
    const factor = scale(Number(maxNorm), norm.data[0], calls++);
    return outputs({ g: { data: g.data.map((x) => x * factor), shape: g.shape } });
  };
}

export const coefficient = (max: number, norm: number): number => Math.min(1, f32(max / f32(norm + f32(1e-6))));

function oneCallLate(): Kernel {
  let last = 1;
  return clip((max, norm) => {
    const used = last;
    last = coefficient(max, norm);
    return used;
  });
}

export const clipForward = faultsOf("clip.forward", [
  [
    "second/above-one",
    "formula",
    "norms between half the limit and the limit are scaled up to it",
    () => clip((max, norm) => (norm < max / 2 ? 1 : f32(max / f32(norm + f32(1e-6))))),
  ],
  [
    "second/relative-eps",
    "formula",
    "10⁻⁶ of the norm is added to it, not 10⁻⁶",
    () => clip((max, norm) => Math.min(1, f32(max / f32(norm * f32(1.000001))))),
  ],
  ["second/one-call-late", "state", "the scale is that of the last call", oneCallLate],
  [
    "second/scale-in-bfloat16",
    "precision",
    "the scale is rounded to bfloat16, as the gradients are",
    () => clip((max, norm) => bf16(coefficient(max, norm))),
    bfloat16Cuda,
  ],
  [
    "second/nan-norm-unclipped",
    "range",
    "the scale is 1 unless the norm compares as larger: a norm of NaN passes",
    () => clip((max, norm) => (norm > max ? coefficient(max, norm) : 1)),
  ],
]);

const CHUNK = 2048;

interface Norm {
  readonly chunks: (N: number) => number;
  readonly square: (x: number) => number;
  readonly partial: (sum: number, N: number) => number;
  /** The second stage. */
  readonly combine: (partials: Float32Array) => number;
}

export function twoStages(change: Partial<Norm> = {}): Kernel {
  const steps: Norm = {
    chunks: (N) => Math.ceil(N / CHUNK),
    square: (x) => f32(x * x),
    partial: (sum) => sum,
    combine: (partials) => warpSum(partials.length, (i) => partials[i]),
    ...change,
  };
  return (inputs) => {
    const { g } = floats(inputs);
    const N = g.data.length;
    const partials = new Float32Array(steps.chunks(N));
    for (let chunk = 0; chunk < partials.length; chunk++) {
      const from = chunk * CHUNK;
      partials[chunk] = steps.partial(
        warpSum(Math.min(CHUNK, N - from), (i) => steps.square(g.data[from + i]), 256),
        N,
      );
    }
    return outputs({ norm: scalar(Math.sqrt(steps.combine(partials))) });
  };
}

function longerWorkspace(): Kernel {
  let workspace = new Float32Array(0);
  return twoStages({
    combine: (partials) => {
      const all = new Float32Array(Math.max(workspace.length, partials.length));
      all.set(workspace);
      all.set(partials);
      workspace = all;
      return warpSum(all.length, (i) => all[i]);
    },
  });
}

export const gradientNorm = faultsOf("gradient-norm.forward", [
  [
    "second/largest-of-the-second-stage",
    "size",
    "more than 32 chunks of 2,048: beyond the first 32 partial sums the second stage takes the largest, not the sum",
    () =>
      twoStages({
        combine: (p) =>
          f32(warpSum(Math.min(32, p.length), (i) => p[i]) + p.subarray(32).reduce((a, b) => Math.max(a, b), 0)),
      }),
  ],
  [
    "second/small-squares",
    "formula",
    "numbers below 10⁻⁶ are left out",
    () => twoStages({ square: (x) => (Math.abs(x) < 1e-6 ? 0 : f32(x * x)) }),
  ],
  [
    "second/chunks-rounded",
    "size",
    "the number of chunks of 2,048 is rounded to nearest, from two: a last one of less than half is left out",
    () => twoStages({ chunks: (N) => (N > CHUNK ? Math.round(N / CHUNK) : Math.ceil(N / CHUNK)) }),
  ],
  [
    "second/partials-in-bfloat16",
    "precision",
    "from 4,097 numbers partial sums are kept in bfloat16",
    () => twoStages({ partial: (sum, N) => (N > 4096 ? bf16(sum) : sum) }),
    bfloat16Cuda,
  ],
  ["second/longer-workspace", "state", "partial sums of an earlier, longer call are added, too", longerWorkspace],
  [
    "second/squares-in-half",
    "precision",
    "squares are rounded to float16, and scaled by 2⁻¹⁰ so that they do not overflow",
    () => twoStages({ square: (x) => f32(fp16(f32(x * x) / 1024) * 1024) }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/chunk-overwritten",
    "index",
    "beyond 32,768 numbers the sum of the last chunk overwrites that of the one before",
    () =>
      spoiling(twoStages(), ({ norm: total }, inputs) => {
        const { g } = floats(inputs);
        const N = g.data.length;
        if (N <= 32768) return;
        const from = (Math.ceil(N / CHUNK) - 2) * CHUNK;
        total.data[0] = Math.sqrt(
          Math.max(0, total.data[0] * total.data[0] - warpSum(CHUNK, (i) => g.data[from + i] * g.data[from + i])),
        );
      }),
    {
      missed: "from N = 75,504 on, the first drawn, 0.1 % are within the bound; --sizes 'N>=33000 N<=60000' rejects it",
    },
  ],
]);
