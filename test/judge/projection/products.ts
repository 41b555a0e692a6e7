// Products of drawn matrices as kernels compute them, for tests of what is seen of them without their truth.
import { fill, type MadeUp } from "../../../judge/profile.ts";
import type { Measured, Product } from "../../../judge/projection/projection.ts";
import { matrixOf, transpose } from "../../../judge/projection/matrix.ts";
import { integer } from "../../../reference/random.ts";
import type { Tensor } from "../../../reference/tensor.ts";

/** How a kernel computes one element, from two rows. */
export type Dot = (a: Float32Array, b: Float32Array) => number;

const f = Math.fround;

export const dots = {
  float32: (a, b) => a.reduce((sum, x, k) => f(sum + f(x * b[k])), 0),
  /** Sixteen sums, one after another. */
  lanes: (a, b) => {
    const sums = new Float32Array(16);
    for (let k = 0; k < a.length; k++) sums[k % 16] += a[k] * b[k];
    return sums.reduce((sum, x) => f(sum + x), 0);
  },
  tf32: (a, b) => a.reduce((sum, x, k) => f(sum + f(tf32(x) * tf32(b[k]))), 0),
  exact: (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0),
} as const satisfies Readonly<Record<string, Dot>>;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);
function tf32(x: number): number {
  word[0] = x;
  bits[0] = (bits[0] + 0x1000) & 0xffffe000;
  return word[0];
}

export interface Computed {
  readonly product: Product;
  readonly got: Tensor<Float64Array>;
  readonly exact: Float64Array;
  /** Elements that are drawn evenly, and their errors. */
  readonly measured: () => Measured[];
}

/** y = x · wᵀ. */
export function compute(
  [R, O, C]: readonly [number, number, number],
  {
    dot = dots.float32,
    profile = "unit",
    seed = 1,
    stored = (x) => x,
  }: {
    readonly dot?: Dot;
    readonly profile?: MadeUp;
    readonly seed?: number;
    readonly stored?: (x: number) => number;
  } = {},
): Computed {
  const [x, w] = [fill(profile, seed, "x", [R, C]), fill(profile, seed, "w", [O, C])];
  for (const { data } of [x, w]) for (const [i, value] of data.entries()) data[i] = stored(value);
  const rows = ({ data }: Tensor<Float32Array>, n: number): Float32Array[] =>
    Array.from({ length: n }, (_, i) => data.subarray(i * C, (i + 1) * C));
  const [left, right] = [rows(x, R), rows(w, O)];
  const evaluate = (of: Dot): Float64Array => Float64Array.from(left.flatMap((a) => right.map((b) => of(a, b))));
  const exact = evaluate(dots.exact);
  const got = { data: evaluate(dot).map(stored), shape: [R, O] };
  const measured = (): Measured[] =>
    Array.from({ length: 200 }, (_, k) => {
      const at = integer(seed, 3, k, R * O);
      return { at, error: Math.abs(got.data[at] - exact[at]) };
    });
  return { product: { left: matrixOf(x), right: transpose(matrixOf(w)) }, got, exact, measured };
}
