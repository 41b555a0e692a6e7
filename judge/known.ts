// What blame knows of an input: a recorded tensor, or a computed one with its error.
import { type Floats, type Ints, type Tensor, view } from "../reference/tensor.ts";

/** An input with its error: recorded and exact, or computed because it was left out. */
export interface Known {
  readonly value: Tensor<Floats | Ints>;
  readonly error?: Tensor;
  /** The instances that a computed value stands for. */
  readonly via: readonly string[];
  /** The terms of a computed sum: another association of them is as correct. */
  readonly terms?: readonly Known[];
}

/** The same numbers in another shape. */
export function shaped(known: Known, shape: readonly number[]): Known {
  return {
    ...known,
    value: view(known.value, shape),
    ...(known.error && { error: view(known.error, shape) }),
    ...(known.terms && { terms: known.terms.map((term) => shaped(term, shape)) }),
  };
}

/** Floats as float64, ids as they are. */
export function widened(t: Tensor<Floats | Ints>): Tensor<Floats | Ints> {
  return t.data instanceof Int32Array ? t : { data: new Float64Array(t.data), shape: t.shape };
}

/** Several tensors as one, for the global norm. */
export function endToEnd(list: readonly Known[]): Known {
  const length = list.reduce((n, { value }) => n + value.data.length, 0);
  const value = new Float64Array(length);
  const error = new Float64Array(length);
  let at = 0;
  for (const known of list) {
    value.set(known.value.data, at);
    if (known.error !== undefined) error.set(known.error.data, at);
    at += known.value.data.length;
  }
  return {
    value: { data: value, shape: [length] },
    error: { data: error, shape: [length] },
    via: [...new Set(list.flatMap(({ via }) => via))],
  };
}
