// The zoo holds correct evaluations of each op, one for each variant of the formula that its bound covers.
import type { Inputs, Outputs, Scalars } from "../reference/operation.ts";
import type { CoveredOf, OpName } from "../reference/ops/index.ts";
import type { Tensor } from "../reference/tensor.ts";
import { sizeOf } from "../reference/tensor.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

export interface Evaluation {
  readonly op: string;
  /** Which variants it exercises, by the names in the op's row (`covered`). */
  readonly covers: readonly string[];
  /** Where `only` names some outputs, the others may be left out. */
  readonly evaluate: (f: Float32Arithmetic, inputs: Inputs, scalars: Scalars, only?: readonly string[]) => Outputs;
}

/** An evaluation of an op whose row the compiler knows: a variant that the row does not list does not compile. */
export interface EvaluationOf<Op extends OpName> extends Evaluation {
  readonly op: Op;
  readonly covers: readonly CoveredOf<Op>[];
}

/** The entries of a table whose keys are names of covered variants. */
export function entriesOf<Name extends string, V>(table: Readonly<Record<Name, V>>): [Name, V][] {
  return Object.entries(table) as [Name, V][];
}

/** The rows of a matrix. */
export function rowsOf({ data, shape: [R, C] }: Tensor): number[][] {
  return Array.from({ length: R }, (_, r) => Array.from(data.subarray(r * C, (r + 1) * C)));
}

/** An output of that shape, to be filled. Doubles, since an adversarial evaluation leaves float32's numbers. */
export function output(shape: readonly number[]): Tensor<Float64Array> {
  return { data: new Float64Array(sizeOf(shape)), shape };
}
