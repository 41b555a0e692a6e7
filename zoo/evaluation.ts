// The zoo holds correct evaluations of each op, one for each variant of the formula that its bound covers.
import type { Inputs, Outputs, Scalars } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import { sizeOf } from "../reference/tensor.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

export interface Evaluation {
  readonly op: string;
  /** Which of the covered variants, in words. */
  readonly variant: string;
  readonly evaluate: (f: Float32Arithmetic, inputs: Inputs, scalars: Scalars) => Outputs;
}

/** An output of that shape, to be filled. Doubles, since an adversarial evaluation leaves float32's numbers. */
export function output(shape: readonly number[]): Tensor<Float64Array> {
  return { data: new Float64Array(sizeOf(shape)), shape };
}
