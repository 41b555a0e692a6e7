// A program computes an op in one direction, with one kernel or several.
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { AxisLetters, Specs } from "./axes.ts";
import type { KernelDeclaration } from "./declaration.ts";
import type { Device } from "./device.ts";
import type { ByName } from "./names.ts";
import type { KernelRecorder } from "./recorder.ts";
import type { DeviceTensor } from "./tensors.ts";

/**
 * An op in one direction, as the judge and a larger program see it.
 *
 * @example
 * ```ts
 * import { type KernelProgram, kernels } from "touchstone-llama/webgpu";
 *
 * const programs: KernelProgram[] = Object.values(kernels);
 * programs[0]!.id; // "embedding.forward"
 * ```
 */
export interface KernelProgram {
  /** "swiglu.forward". */
  readonly id: string;
  readonly inputs: Specs;
  readonly outputs: Specs;
  readonly scalars: readonly string[];
  /** Records its dispatches, returns its outputs; nothing has run yet. */
  record(
    run: KernelRecorder,
    inputs: ByName<string, DeviceTensor>,
    scalars: ByName<string, number>,
  ): ByName<string, DeviceTensor>;
}

/**
 * A program whose names the compiler knows: inputs I, outputs O with their axes, scalars S. When called, it runs alone, checked:
 * `await forward(device, { gate, up })` → `{ y }`.
 *
 * @example
 * ```ts
 * import { kernels, type TypedProgram } from "touchstone-llama/webgpu";
 *
 * const norm: TypedProgram<{ g: "N" }, { norm: "" }, never> = kernels["gradient-norm.forward"];
 * ```
 */
export interface TypedProgram<I extends Specs, O extends Specs, S extends string> {
  (
    device: GPUDevice | Device,
    inputsAndScalars: ByName<keyof I, Tensor<Floats | Ints>> & ByName<S, number>,
  ): Promise<ByName<keyof O, Tensor<Float32Array>>>;
  readonly id: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly scalars: readonly S[];
  record(
    run: KernelRecorder,
    inputs: ByName<keyof I, DeviceTensor>,
    scalars: ByName<S, number>,
  ): ByName<keyof O, DeviceTensor>;
}

/**
 * A kernel is a program of one dispatch, with its text and its declaration.
 *
 * @example
 * ```ts
 * import { type Kernel, kernels } from "touchstone-llama/webgpu";
 *
 * const add: Kernel<{ a: "N"; b: "N" }, { y: "N" }, never> = kernels["add.forward"];
 * add.source; // "// Addition, …"
 * ```
 */
export type Kernel<I extends Specs, O extends Specs, S extends string> = TypedProgram<I, O, S> &
  KernelDeclaration & { readonly inputs: I; readonly outputs: O; readonly scalars: readonly S[] };

/** The lengths of all axes, the scalars and the overrides. */
export type KernelSizes<I extends Specs, O extends Specs, S extends string, V> = ByName<
  AxisLetters<I[keyof I]> | AxisLetters<O[keyof O]> | S | (keyof V & string),
  number
>;
