// The entry touchstone-llama/webgpu, for people who write WGSL: kernels of the project and of your own, on any GPUDevice, a
// browser's or Dawn's. Nothing here imports Node or the package webgpu.
import { deviceCandidate } from "./kernels-gpu/candidate.ts";
import { checkFields, fieldsOf, shown } from "./judge/api/input.ts";
import { ownTimeout } from "./judge/candidates/limited.ts";
import { type Device, deviceOf } from "./kernels-gpu/device/device.ts";
import type { KernelProgram } from "./kernels-gpu/device/program.ts";
import type { Candidate } from "./reference/candidate.ts";
import type { DTypeName } from "./reference/dtype.ts";
import type { Operation } from "./reference/operation.ts";
import { operations } from "./reference/ops/index.ts";
import { targets } from "./reference/targets.ts";

export { deviceEngine, type DeviceEngine } from "./kernels-gpu/engine.ts";
export { kernels } from "./kernels-gpu/index.ts";
export { deviceReader } from "./kernels-gpu/reader.ts";
export { spread } from "./kernels-gpu/device/declaration.ts";
export type { Device } from "./kernels-gpu/device/device.ts";
export { KernelError } from "./kernels-gpu/device/errors.ts";
export { defineKernel, defineProgram, type KernelOptions } from "./kernels-gpu/device/kernel.ts";
export type { Kernel, KernelProgram, TypedProgram } from "./kernels-gpu/device/program.ts";
export type { KernelRecorder } from "./kernels-gpu/device/recorder.ts";
export type { DeviceTensor } from "./kernels-gpu/device/tensors.ts";

/**
 * How candidateOf runs a kernel.
 *
 * @example
 * ```ts
 * import type { CandidateOptions } from "touchstone-llama/webgpu";
 *
 * const options: CandidateOptions = { op: "swiglu.forward", overrides: { WG: 128 }, timeout: 10_000 };
 * ```
 */
export interface CandidateOptions {
  /** The op that `run` computes; the kernel's id if left out. The judge names the op that it judges. */
  readonly op?: string;
  /** How `run` stores its tensors on the device; "float32" if left out. The judge names the dtype of its terms. */
  readonly dtype?: DTypeName;
  /** Values of overrides, for each kernel that has one of that name. */
  readonly overrides?: Readonly<Record<string, number>>;
  /** Milliseconds after which it counts as hanging; the device is then of no further use. Where left out, the judge's, or 30,000. */
  readonly timeout?: number;
}

/**
 * A kernel, or a program of several, on a device, as a candidate for the judge, under WGSL's accuracies unless the terms say
 * otherwise. Each run is checked: guards after every tensor, NaN in outputs before they are written, inputs compared
 * afterwards. Writes out of bounds, unwritten outputs and changed inputs become complaints, which fail the verdict.
 *
 * @example
 * ```ts
 * import { judge } from "touchstone-llama";
 * import { candidateOf, kernels } from "touchstone-llama/webgpu";
 *
 * declare const device: GPUDevice; // a browser's, or what openDevice of touchstone-llama/node gives
 * const { passed } = await judge("swiglu.forward", candidateOf(device, kernels["swiglu.forward"]), { dtype: "bfloat16" });
 * ```
 *
 * Throws TypeError if the device is no GPUDevice or the kernel is none, RangeError for an op that does not exist. A run rejects
 * with RangeError if the op takes or gives other tensors, with KernelError if the device refuses; a judge reports the latter as
 * a finding.
 */
export function candidateOf(
  device: GPUDevice | Device,
  kernel: KernelProgram,
  given: CandidateOptions = {},
): Candidate {
  if (typeof kernel?.record !== "function") {
    throw new TypeError("the kernel is none, expected what defineKernel or defineProgram returns");
  }
  checkOptions(given);
  if (given.op !== undefined && !operations.has(given.op)) throw new RangeError(`op: ${unknown(given.op)}`);
  deviceOf(device); // refuses what is none at once
  const { op = kernel.id, dtype = "float32", overrides, timeout } = given;
  const under = (operation: Operation, stored: DTypeName, _?: AbortSignal, asked?: number): Candidate => {
    const launching = { ...(overrides && { overrides }), timeout: ownTimeout(timeout, asked) };
    return deviceCandidate(device, kernel, operation, launching, stored);
  };
  return {
    name: kernel.id,
    target: targets.wgsl,
    under,
    async run(inputs, scalars) {
      const operation = operations.get(op);
      if (operation === undefined) throw new RangeError(`${unknown(op)}: name it with { op }`);
      return under(operation, dtype).run(inputs, scalars);
    },
  };
}

function checkOptions(given: CandidateOptions): void {
  const known = ["op", "dtype", "overrides", "timeout"];
  checkFields(fieldsOf(given, "options", "{ op, dtype, overrides, timeout }"), "options", known);
  const { dtype = "float32", timeout = Infinity, overrides = {} } = given;
  if (!["float32", "bfloat16", "float16"].includes(dtype)) {
    throw new RangeError(`options.dtype: got ${shown(dtype)}, expected one of float32, bfloat16, float16`);
  }
  if (!(typeof timeout === "number" && timeout > 0)) {
    throw new RangeError(`options.timeout: got ${shown(timeout)}, expected a positive number of milliseconds`);
  }
  for (const [name, value] of Object.entries(fieldsOf(overrides, "options.overrides", "numbers by name"))) {
    if (typeof value === "number" && Number.isFinite(value)) continue;
    throw new RangeError(`options.overrides.${name}: got ${shown(value)}, expected a finite number`);
  }
}

function unknown(op: string): string {
  return `"${op}" is no op, expected one of ${[...operations.keys()].join(", ")}`;
}
