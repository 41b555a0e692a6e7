// How the terms of a sum are put into an op's inputs, and how the sum is read from its outputs.
import type { Outputs } from "../../reference/operation.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";
import { type Problem, size, type Sizes } from "../case.ts";
import { type Marks, type Scale, unitOf } from "./marks.ts";

/** Lanes of an output: places of one lane have the same terms. Only for scales whose second factors are alike. */
export interface Lanes {
  readonly count: (sizes: Sizes) => number;
  /** The problem with these terms in each lane. */
  readonly problem: (marks: readonly Marks[], scale: Scale, sizes: Sizes) => Problem;
  /** The lane of the k-th place. */
  readonly of: (k: number, sizes: Sizes) => number;
}

/** One sum of an op. */
export interface Layout {
  readonly op: string;
  /** The sum's name in the op's row. */
  readonly sum: string;
  /** The output that shows it, whose elements are the places. */
  readonly output: string;
  /** Whether a term is a product or a number of the inputs. */
  readonly factors: 1 | 2;
  /** The sizes at which it is tried unless others are asked for. */
  readonly sizes: Sizes;
  readonly terms: (sizes: Sizes) => number;
  /** What sizes must be for the sum to show, where these are not. */
  readonly needs?: (sizes: Sizes) => string | undefined;
  readonly problem: (marks: Marks, scale: Scale, sizes: Sizes) => Problem;
  /** The flat indices of the elements that are sums of all terms; all of them if left out. */
  readonly places?: (sizes: Sizes) => number[];
  /** How places can have terms of their own, so that several sums are asked in one run; absent where they share their terms. */
  readonly lanes?: Lanes;
  /** Each place's sum, as a multiple of a unit. */
  readonly read: (
    outputs: Outputs,
    asked: { readonly marks: Marks; readonly scale: Scale; readonly sizes: Sizes },
  ) => ArrayLike<number>;
}

/** The length of a sum unless another is asked for. */
export const LENGTH = 256;

export function lengths(sizes: Sizes, ...names: string[]): number[] {
  return names.map((name) => size(sizes, name));
}

export function filled(shape: readonly number[], at: (i: number) => number): Tensor<Float32Array> {
  const n = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: n }, (_, i) => at(i)),
    shape,
  );
}

/** A matrix whose rows are alike, or whose columns are. */
export const alike = (
  rows: number,
  columns: number,
  along: "rows" | "columns",
  values: ArrayLike<number>,
): Tensor<Float32Array> =>
  filled([rows, columns], (i) => values[along === "rows" ? i % columns : Math.floor(i / columns)]);
/** A matrix whose rows are given, or whose columns are. */
export const given = (
  rows: number,
  columns: number,
  along: "rows" | "columns",
  values: readonly ArrayLike<number>[],
): Tensor<Float32Array> =>
  filled([rows, columns], (i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return along === "rows" ? values[r][c] : values[c][r];
  });
export const constant = (shape: readonly number[], x: number): Tensor<Float32Array> => filled(shape, () => x);

/** Sums that come with a factor that float32 does not hold are near a whole number of units. */
const NEAR = 1 / 8;

export function nearWhole(x: number): number {
  const whole = Math.round(x);
  return Math.abs(x - whole) <= NEAR ? whole : x;
}

/** The numbers of an output, each so many times a unit. */
export const inUnits =
  (
    output: string,
    places?: (sizes: Sizes) => readonly number[],
    factor: (sizes: Sizes) => number = () => 1,
  ): Layout["read"] =>
  (outputs, { scale, sizes }) => {
    const { data } = outputs[output];
    const all = places?.(sizes).map((i) => data[i]) ?? data;
    const unit = unitOf(scale) * factor(sizes);
    return Float64Array.from(all, (x) => nearWhole(x / unit));
  };
