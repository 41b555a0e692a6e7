// One output against the truth, element by element: inside its allowance, or not.
import { type DType, type DTypeName, dtypes, round, ulpDistance } from "../reference/dtype.ts";
import type { Allowance } from "../reference/bounds.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Power } from "./power.ts";
import type { Terms } from "./terms.ts";

/**
 * One element against its bound: where it is, what it is, what it should be.
 *
 * @example
 * ```ts
 * import { compare, type Finding, tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([1, 2]), [2]);
 * const y = tensor(new Float32Array([1, 3]), [2]);
 * const { outputs } = compare({ op: "cast.forward", inputs: { x }, scalars: {} }, { y });
 * const worst: Finding | undefined = outputs[0]?.at; // { output: "y", index: [1], got: 3, want: 2, bound: 0, … }
 * ```
 */
export interface Finding {
  readonly output: string;
  readonly index: readonly number[];
  readonly got: number;
  readonly want: number;
  readonly bound: number;
  /** |got − want| ÷ bound; NaN where got is. */
  readonly ratio: number;
}

/**
 * One output against the truth.
 *
 * @example
 * ```ts
 * import { type Comparison, compare, ops, tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([1, 2]), [2]);
 * const { y } = ops["cast.forward"].reference({ x }, {});
 * const [comparison] = compare({ op: "cast.forward", inputs: { x }, scalars: {} }, { y }).outputs;
 * const { elements, outside, power }: Comparison = comparison!; // 2, 0, and what would have been noticed
 * ```
 */
export interface Comparison {
  readonly output: string;
  readonly elements: number;
  /** Elements that were held to a finite bound, or to a truth that is infinite where the target promises that. */
  readonly judged: number;
  /**
   * Elements at which a correct kernel has no bound: an intermediate can leave the format's range or a function's domain; or
   * the truth is NaN, or infinite while the target promises nothing about that.
   */
  readonly unjudged: number;
  /** Elements of a large output that were compared with the truth alone, to find suspects; they are no part of `elements`. */
  readonly unsampled: number;
  /** Elements of an output whose truth was taken at a sample only, outside that sample: no part of `elements` or `unsampled`. */
  readonly withoutTruth: number;
  /** The unjudged elements whose truth is infinite or NaN. */
  readonly nonFinite: number;
  /** The largest error as a fraction of its bound, and where; a subnormal result counts only when it is outside. */
  readonly worst: number;
  readonly at: Finding | undefined;
  /** The largest distance in units of the last place of float32, over the same elements. */
  readonly ulp: number;
  /** How many judged elements are outside. */
  readonly outside: number;
  /**
   * How many judged elements are normal numbers (`judged`), and how many of these would have been rejected if they were zero, their
   * neighbour's value, or 1 % too large.
   */
  readonly power: Power;
}

/**
 * The truth is computed in float64 and so is the bound: both err by the same formula with u = 2⁻⁵³ in place of at least
 * 2⁻²⁴, hence by at most 2⁻²⁹ of the bound; 2⁻²⁶ leaves room for functions of 1 ulp.
 */
export const INFLATION = 1 + dtypes.float32.u / 4;

/** The expected output: the truth, and how far a correct kernel may land from each element before it is stored. */
export interface Expected {
  readonly want: Tensor<Float64Array>;
  readonly allowed: Allowance;
}

/**
 * got, want and allowed have one shape. −0 equals +0; NaN is outside every bound. A float32 output must lie within the
 * allowance, whose last rounding is in it; one of a lower dtype is rounded once more, so it must lie in
 * [round(want − allowance), round(want + allowance)].
 */
export function compareOutput(
  output: string,
  got: Tensor,
  { want, allowed }: Expected,
  { target, dtype }: Terms,
): Comparison {
  if (got.shape.join() !== want.shape.join()) {
    throw new RangeError(`${output} has shape [${got.shape}], expected [${want.shape}]`);
  }
  const n = want.data.length;
  const { minNormal } = dtypes[dtype];
  const power = { judged: 0, zero: 0, neighbour: 0, percent: 0 };
  let [unjudged, nonFinite, outside, worst, worstAt, ulp] = [0, 0, 0, 0, -1, 0];
  for (let i = 0; i < n; i++) {
    const w = want.data[i];
    const g = got.data[i];
    const bound = boundIn(w, allowed.data[i], dtypes[dtype]);
    if (!Number.isFinite(w)) {
      // A NaN may be required, but no number is near it: it says nothing about the numbers.
      if (!target.promisesNonFinite || Number.isNaN(w)) {
        unjudged++;
        nonFinite++;
      }
      if (!target.promisesNonFinite || Object.is(g, w)) continue;
      outside++;
      if (worst !== Infinity) [worst, worstAt] = [Infinity, i];
      continue;
    }
    if (!(bound < Infinity)) {
      unjudged++;
      continue;
    }
    if (Math.abs(w) >= minNormal) {
      power.judged++;
      if (!(Math.abs(w) <= bound)) power.zero++;
      if (!(Math.abs(w - want.data[i + 1 < n ? i + 1 : 0]) <= bound)) power.neighbour++;
      if (!(Math.abs(w) / 100 <= bound)) power.percent++;
    }
    const error = Math.abs(g - w);
    const ratio = error === 0 ? 0 : error / bound;
    const isOutside = !(error <= bound) || !isAccepted(g, w, allowed.data[i], dtype);
    if (isOutside) outside++;
    // A number that may be flushed reaches its bound at zero, which says nothing about the kernel.
    else if (Math.abs(w) < minNormal || (g === 0 && target.flushes)) continue;
    if (!(ratio <= worst)) [worst, worstAt] = [Number.isNaN(ratio) ? Infinity : ratio, i];
    const distance = ulpDistance(g, w, dtypes[dtype]);
    if (distance > ulp) ulp = distance;
  }
  const at = worstAt < 0 ? undefined : finding(output, worstAt, got, { want, allowed }, dtype);
  return {
    output,
    elements: n,
    judged: n - unjudged,
    unjudged,
    unsampled: 0,
    withoutTruth: 0,
    nonFinite,
    worst,
    at,
    ulp,
    outside,
    power,
  };
}

/** Whether a number is judged by a finite truth and allowance, and lies within. */
export function isWithin(got: number, want: number, allowance: number, dtype: DTypeName): boolean {
  const bound = boundIn(want, allowance, dtypes[dtype]);
  return bound < Infinity && Math.abs(got - want) <= bound && isAccepted(got, want, allowance, dtype);
}

/** Whether a number of a lower dtype is the rounding of some number within the allowance; its two sides may differ. */
function isAccepted(got: number, want: number, allowance: number, dtype: DTypeName): boolean {
  if (dtype === "float32") return true;
  const bound = allowance * INFLATION;
  return got >= round(want - bound, dtypes[dtype]) && got <= round(want + bound, dtypes[dtype]);
}

/** How far a number of that dtype may lie from `want`, on the wider of its two sides. */
export function boundIn(want: number, allowance: number, dtype: DType): number {
  const bound = allowance * INFLATION;
  if (!(bound < dtype.max + Math.abs(want))) return Infinity; // no number of the format lies outside
  if (dtype.name === "float32") return bound;
  const low = round(want - bound, dtype);
  const high = round(want + bound, dtype);
  return Math.max(high - want, want - low); // infinite where the dtype overflows: unjudged
}

/** How far element i of a correct kernel may lie from the truth; Infinity where it is unjudged. */
export function boundOf({ want, allowed }: Expected, i: number, { target, dtype }: Terms): number {
  const w = want.data[i];
  if (Number.isFinite(w)) return boundIn(w, allowed.data[i], dtypes[dtype]);
  return target.promisesNonFinite ? 0 : Infinity;
}

function finding(output: string, i: number, got: Tensor, { want, allowed }: Expected, dtype: DTypeName): Finding {
  const bound = boundIn(want.data[i], allowed.data[i], dtypes[dtype]);
  const ratio = Math.abs(got.data[i] - want.data[i]) / bound;
  return { output, index: indexOf(i, want.shape), got: got.data[i], want: want.data[i], bound, ratio };
}

/** The index along each axis of flat element i. */
export function indexOf(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = i;
  for (const length of shape.toReversed()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}

/** Such as "y[0,65]: got 0.5, want -0.2195, off by 3.0e6 × the bound". */
export function describeFinding(f: Finding): string {
  const place = f.index.length > 0 ? `[${f.index.join(",")}]` : "";
  const size = Number.isFinite(f.ratio)
    ? `off by ${f.ratio.toPrecision(2)} × the bound ${f.bound.toPrecision(3)}`
    : f.bound === 0 && Number.isFinite(f.got)
      ? `off by ${Math.abs(f.got - f.want).toPrecision(2)} where nothing is allowed`
      : "not a number within any bound";
  return `${f.output}${place}: got ${f.got}, want ${f.want}, ${size}`;
}
