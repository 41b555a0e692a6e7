// The types that the public functions share: what an op takes and gives, by its name.
import type { Outputs, Scalars } from "../../reference/operation.ts";
import type {
  InputsOf as RowInputs,
  OpName,
  OutputsOf as RowOutputs,
  ScalarsOf as RowScalars,
} from "../../reference/ops/index.ts";
import type { Ints, Tensor } from "../../reference/tensor.ts";
import type { Profile } from "../profile.ts";

/**
 * The name of a fused op: forward ops joined by "+", each reading the first output of the one before as its first input.
 *
 * @example
 * ```ts
 * import type { FusedName } from "touchstone-llama";
 *
 * const name: FusedName = "rmsnorm.forward+linear.forward";
 * ```
 */
export type FusedName = `${OpName}+${string}`;

/**
 * Whatever can be judged: an op and direction, or a fused op.
 *
 * @example
 * ```ts
 * import type { AnyOp } from "touchstone-llama";
 *
 * const names: AnyOp[] = ["swiglu.backward", "linear.forward+swiglu.forward"];
 * ```
 */
export type AnyOp = OpName | FusedName;

/**
 * The inputs of an op by name: float32 tensors, and int32 where the op takes ids. Only `fuse` knows those of a fused op.
 *
 * @example
 * ```ts
 * import { type InputsOf, tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([1, 2]), [1, 2]);
 * const w = tensor(new Float32Array([1, 1]), [2]);
 * const inputs: InputsOf<"rmsnorm.forward"> = { x, w }; // x: [R, C], w: [C]
 * ```
 */
export type InputsOf<Op extends AnyOp> = Op extends OpName
  ? RowInputs<Op, Float32Array>
  : Readonly<Record<string, Tensor<Float32Array | Ints>>>;

/**
 * The scalars of an op by name: numbers, or words where the op offers a choice.
 *
 * @example
 * ```ts
 * import type { ScalarsOf } from "touchstone-llama";
 *
 * const scalars: ScalarsOf<"rope.forward"> = { layout: "adjacent" };
 * ```
 */
export type ScalarsOf<Op extends AnyOp> = Op extends OpName ? RowScalars<Op> : Scalars;

/**
 * The outputs of an op by name: float32 tensors, or float64 ones that hold the numbers of the dtype.
 *
 * @example
 * ```ts
 * import { type OutputsOf, tensor } from "touchstone-llama";
 *
 * const outputs: OutputsOf<"swiglu.forward"> = { y: tensor(new Float32Array(6), [2, 3]) }; // y: [R, F]
 * ```
 */
export type OutputsOf<Op extends AnyOp> = Op extends OpName ? RowOutputs<Op> : Outputs;

/**
 * One problem: an op, its inputs and its scalars.
 *
 * @example
 * ```ts
 * import { type ProblemOf, tensor } from "touchstone-llama";
 *
 * const gate = tensor(new Float32Array([1, -2]), [1, 2]);
 * const problem: ProblemOf<"swiglu.forward"> = { op: "swiglu.forward", inputs: { gate, up: gate }, scalars: {} };
 * ```
 */
export interface ProblemOf<Op extends AnyOp = AnyOp> {
  readonly op: Op;
  readonly inputs: InputsOf<Op>;
  /** Real numbers are rounded to float32 before anything is computed. */
  readonly scalars: ScalarsOf<Op>;
  /** The kind of numbers; on "lattice", small integers, sums of products must be exact. Ordinary numbers if left out. */
  readonly profile?: Profile;
  /** The line that makes the same problem again, for `replay`; absent where you made the inputs yourself. */
  readonly replay?: string;
}

/**
 * A kernel as a function that gives some of an op's outputs; the option `outputs` names them.
 *
 * @example
 * ```ts
 * import { judge, ops, type PartialKernel } from "touchstone-llama";
 *
 * const kernel: PartialKernel<"rmsnorm.forward"> = (inputs, scalars) => {
 *   const { y } = ops["rmsnorm.forward"].reference(inputs, scalars);
 *   return { y };
 * };
 * const { notOffered } = await judge("rmsnorm.forward", kernel, { outputs: ["y"], runs: 5 }); // ["rstd"]
 * ```
 */
export type PartialKernel<Op extends AnyOp> = (
  inputs: InputsOf<Op>,
  scalars: ScalarsOf<Op>,
) => Partial<OutputsOf<Op>> | Promise<Partial<OutputsOf<Op>>>;

/**
 * A kernel as a function: inputs and scalars in, outputs out. An error that it throws is a finding, not an exception.
 *
 * @example
 * ```ts
 * import { type KernelFunction, tensor } from "touchstone-llama";
 *
 * const kernel: KernelFunction<"add.forward"> = ({ a, b }) => ({
 *   y: tensor(a.data.map((x, i) => x + b.data[i]), a.shape),
 * });
 * ```
 */
export type KernelFunction<Op extends AnyOp> = (
  inputs: InputsOf<Op>,
  scalars: ScalarsOf<Op>,
) => OutputsOf<Op> | Promise<OutputsOf<Op>>;
