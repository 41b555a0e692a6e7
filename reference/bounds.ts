// Shared by the bounds: tensors read as (value, error) pairs, and allowances.
import type { Approx } from "./rounding.ts";
import { type Floats, sizeOf, type Tensor } from "./tensor.ts";

/** One number for each output element: how far a correct kernel may land from the truth; Infinity where it has no bound. */
export interface Allowance extends Tensor<Float64Array> {
  /**
   * The numbers from which it counts in place of the truth, where the kernel declares intermediates as stored in 16 bits: the op with these
   * rounded. The truth if left out.
   */
  readonly centre?: Float64Array;
}

/** Errors of an op's inputs, by argument name, each with the shape of its input. An input that is left out is exact. */
export type Errors<Name extends string> = { readonly [name in Name]?: Tensor };

/** An op's real inputs by name, as its bound takes them. */
export type Reals<Name extends string> = { readonly [name in Name]: Tensor };

/** One allowance for each output of an op, by name. */
export type Allowances<Name extends string> = { readonly [name in Name]: Allowance };

/** An allowance of that shape, to be filled. */
export function allowances(shape: readonly number[]): Allowance {
  return { data: new Float64Array(sizeOf(shape)), shape };
}

/** The same, with a centre to be filled. */
export function centredAllowances(shape: readonly number[]): Required<Allowance> {
  return { ...allowances(shape), centre: new Float64Array(sizeOf(shape)) };
}

/** The same allowance counted from the truth: wider where it has a centre. */
export function aroundTruth(truth: Float64Array, { data, shape, centre }: Allowance): Allowance {
  if (centre === undefined) return { data, shape };
  return { data: data.map((error, i) => error + Math.abs(centre[i] - truth[i])), shape };
}

/** Reads element i of an input with its error. */
export function reader(t: Tensor<Floats>, errors?: Tensor): (i: number) => Approx {
  return (i) => ({ value: t.data[i], error: errors === undefined ? 0 : errors.data[i] });
}

/** Numbers with their errors. */
export interface Numbers {
  readonly data: Floats;
  readonly error: Floats;
}

export function numbers(t: Tensor, errors?: Tensor): Numbers {
  return { data: t.data, error: errors?.data ?? new Float64Array(t.data.length) };
}
