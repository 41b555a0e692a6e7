// Softmax with an online maximum: 128 lanes a row, merged in a tree; backward with one row sum.
import { largest } from "../../../reference/lists.ts";
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, exp, f32, floats, type Floats32, fp16 } from "../kernel.ts";
import { ceilTo, floorTo, outputs, warpSum } from "./shared.ts";

interface Forward {
  /** Of the distance to the maximum, which is at most 0. */
  readonly exp: (x: number) => number;
  /** The factor of a sum whose maximum rises by -x. */
  readonly rescale: (x: number) => number;
  /** A lane adds a term. */
  readonly add: (a: number, b: number) => number;
  readonly normalise: (term: number, total: number) => number;
  /** How many columns there are for the maximum. */
  readonly scanned: (C: number) => number;
  /** Terms of the padding of a row: e^(0 − max), so many times. */
  readonly padding: (C: number) => number;
}

const online: Forward = {
  exp: (x) => exp(x),
  rescale: (x) => exp(x),
  add: (a, b) => f32(a + b),
  normalise: (term, total) => f32(term / total),
  scanned: (C) => C,
  padding: () => 0,
};

const LANES = 32;

/** The sum of a row's exponentials and its maximum: each lane runs over its own columns, then the lanes are merged in a tree. */
function rowSum(
  x: Float32Array,
  at: number,
  C: number,
  { exp: e, rescale, add }: Forward,
): readonly [max: number, sum: number] {
  const max = new Float32Array(LANES).fill(-Infinity);
  const sum = new Float64Array(LANES);
  for (let c = 0; c < C; c++) {
    const [lane, logit] = [c % LANES, x[at + c]];
    if (logit > max[lane]) {
      sum[lane] = add(max[lane] === -Infinity ? 0 : f32(sum[lane] * rescale(f32(max[lane] - logit))), 1);
      max[lane] = logit;
    } else sum[lane] = add(sum[lane], e(f32(logit - max[lane])));
  }
  for (let step = LANES / 2; step > 0; step >>= 1) {
    for (let l = 0; l < step; l++) {
      const [a, b] = [max[l], max[l + step]];
      const top = Math.max(a, b);
      const left = a === -Infinity ? 0 : a === top ? sum[l] : f32(sum[l] * rescale(f32(a - top)));
      const right = b === -Infinity ? 0 : b === top ? sum[l + step] : f32(sum[l + step] * rescale(f32(b - top)));
      sum[l] = add(left, right);
      max[l] = top;
    }
  }
  return [max[0], max[0] === Infinity ? NaN : sum[0]];
}

export function forward(change: Partial<Forward> = {}): Kernel {
  const steps = { ...online, ...change };
  return (inputs) => {
    const { x } = floats(inputs);
    const [R, C] = x.shape;
    const y = empty([R, C]);
    for (let r = 0; r < R; r++) {
      const [max, sum] = rowSum(x.data, r * C, C, steps);
      const lag = steps.scanned(C) < C ? largest(x.data.subarray(r * C, r * C + steps.scanned(C))) : max;
      const padding = steps.padding(C) === 0 ? 0 : steps.padding(C) * exp(-lag);
      const total = f32(sum * (lag === max ? 1 : exp(f32(max - lag)))) + padding;
      for (let c = 0; c < C; c++)
        y.data[r * C + c] = steps.normalise(steps.exp(f32(x.data[r * C + c] - lag)), f32(total));
    }
    return outputs({ y });
  };
}

/** e^x by writing into the exponent's bits (Schraudolph 1999): up to 6 % off. */
function byExponentBits(x: number): number {
  const bits = Math.trunc(12102203 * x + 1064866805);
  return bits <= 0 ? 0 : new Float32Array(Int32Array.of(bits).buffer)[0];
}

export const softmaxForward = faultsOf("softmax.forward", [
  [
    "second/maximum-of-one-block",
    "range",
    "the maximum is that of the first 1,024 numbers of a row",
    () => forward({ scanned: (C) => Math.min(C, 1024) }),
  ],
  [
    "second/small-rises-unscaled",
    "formula",
    "a sum is not rescaled where the maximum rises by less than 0.05",
    () => forward({ rescale: (x) => (x > -0.05 ? 1 : exp(x)) }),
  ],
  [
    "second/exponent-clipped",
    "formula",
    "exponents are clipped at −20",
    () => forward({ exp: (x) => exp(Math.max(x, -20)) }),
  ],
  [
    "second/exponent-bits-in-the-tail",
    "precision",
    "below −16 the exponential is written into the bits of the exponent, up to 6 % off",
    () => forward({ exp: (x) => (x < -16 ? byExponentBits(x) : exp(x)) }),
  ],
  [
    "second/padding-of-zero",
    "size",
    "rows beyond 512 are padded to whole warps with 0 instead of −∞",
    () => forward({ padding: (C) => (C > 512 ? ceilTo(C, 32) - C : 0) }),
  ],
  [
    "second/lanes-in-half",
    "precision",
    "each lane adds its exponentials in float16",
    () => forward({ add: (a, b) => fp16(a + b) }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/reciprocal-in-bfloat16",
    "precision",
    "the reciprocal of a row's sum is kept in bfloat16",
    () => forward({ normalise: (term, total) => f32(term * bf16(1 / total)) }),
    bfloat16Cuda,
  ],
  [
    "second/two-sums-a-row",
    "tail",
    "rows beyond 640: the second half is normalised by the sum before the last merge, without the last C % 32 columns",
    twoSums,
  ],
]);

function twoSums(): Kernel {
  const right = forward();
  return (inputs, scalars) => {
    const { x } = floats(inputs);
    const [R, C] = x.shape;
    const y = right(inputs, scalars).y as Floats32;
    const whole = floorTo(C, 32);
    if (C <= 640 || whole === C) return { y };
    for (let r = 0; r < R; r++) {
      const [max, sum] = rowSum(x.data, r * C, whole, online);
      for (let c = C >> 1; c < C; c++) y.data[r * C + c] = f32(exp(f32(x.data[r * C + c] - max)) / f32(sum));
    }
    return { y };
  };
}

interface Backward {
  readonly columns: (C: number) => number;
  readonly from: (r: number, R: number) => number;
  readonly product: (a: number, b: number) => number;
  /** Whether a second row shares the warp, and its sum. */
  readonly shares: (C: number) => boolean;
}

export function backward(change: Partial<Backward> = {}): Kernel {
  const steps: Backward = {
    columns: (C) => C,
    from: (r) => r,
    product: (a, b) => f32(a * b),
    shares: () => false,
    ...change,
  };
  return (inputs) => {
    const { dy, y } = floats(inputs);
    const [R, C] = y.shape;
    const dx = empty([R, C]);
    const D = (r: number): number =>
      warpSum(steps.columns(C), (c) => steps.product(dy.data[r * C + c], y.data[r * C + c]));
    for (let r = 0; r < R; r++) {
      const other = r % 2 === 0 ? r + 1 : r - 1;
      const d = f32(D(steps.from(r, R)) + (steps.shares(C) && other < R ? D(other) : 0));
      for (let c = 0; c < C; c++) dx.data[r * C + c] = y.data[r * C + c] * f32(dy.data[r * C + c] - d);
    }
    return outputs({ dx });
  };
}

export const softmaxBackward = faultsOf("softmax.backward", [
  [
    "second/sum-of-2048",
    "size",
    "Σ dy · y runs over the first 2,048 columns",
    () => backward({ columns: (C) => Math.min(C, 2048) }),
  ],
  [
    "second/last-wave-of-rows",
    "size",
    "beyond 264 rows, those of the last, partial wave take the sum of the row one wave before",
    () => backward({ from: (r, R) => (R > 264 && R % 264 !== 0 && r >= floorTo(R, 264) ? r - 264 : r) }),
  ],
  [
    "second/products-in-bfloat16",
    "precision",
    "dy · y is rounded to bfloat16 before it is added",
    () => backward({ product: (a, b) => bf16(a * b) }),
    bfloat16Cuda,
  ],
  [
    "second/two-rows-a-warp",
    "size",
    "rows of 9 to 16 columns share a warp, and its sum",
    () => backward({ shares: (C) => C > 8 && C <= 16 }),
  ],
]);
