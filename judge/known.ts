// What blame knows of an input: a recorded tensor, or a computed one with its error.
import { type Allowance, aroundTruth } from "../reference/bounds.ts";
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

/**
 * The two terms of RMSNorm's dx, rstd · dn and what is taken off along n. An autograd adds each use of x to the gradient of
 * the residual stream on its own, in whatever order the uses come: (residual + rstd · dn) + (that of the mean square). The
 * error of dx covers those of its terms, whichever has it.
 */
export function termsOfNorm({ dy, w, rstd }: Readonly<Record<string, Known>>, dx: Known): readonly Known[] {
  const C = w.value.data.length;
  const direct = Float64Array.from(dx.value.data, (_, i) => {
    return rstd.value.data[Math.floor(i / C)] * dy.value.data[i] * w.value.data[i % C];
  });
  const removed = Float64Array.from(dx.value.data, (x, i) => x - direct[i]);
  const { shape } = dx.value;
  return [
    { ...dx, value: { data: direct, shape } },
    { value: { data: removed, shape }, via: dx.via },
  ];
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

/** Exact outputs with their errors, which count from them where a bound counts from stored numbers. */
export function countedFromTruth(
  outputs: Readonly<Record<string, Tensor<Float64Array>>>,
  allowed: Readonly<Record<string, Allowance>>,
): Record<string, { readonly value: Tensor<Float64Array>; readonly error: Tensor<Float64Array> }> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, { value, error: aroundTruth(value.data, allowed[name]) }]),
  );
}
