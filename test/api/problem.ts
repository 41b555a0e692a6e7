// The problem and the kernels that the tests of the public face share.
import { ops, type OutputsOf, tensor, type Tensor } from "../../index.ts";

export const gate = tensor(new Float32Array([1, -2, 0.5, 3]), [2, 2]);
export const up = tensor(new Float32Array([2, 1, -1, 4]), [2, 2]);
export const problem = { op: "swiglu.forward", inputs: { gate, up }, scalars: {} } as const;
export const kernel = ops["swiglu.forward"].reference;

/** A kernel one of whose elements is 0.1 % too large. */
export function offByAThousandth(inputs: {
  gate: Tensor<Float32Array>;
  up: Tensor<Float32Array>;
}): OutputsOf<"swiglu.forward"> {
  const { y } = kernel(inputs, {});
  y.data[y.data.length - 1] *= 1.001;
  return { y };
}
