// The entry touchstone-llama/webgpu, for people who write WGSL: kernels of the project and of your own, on any GPUDevice, a
// browser's or Dawn's. Nothing here imports Node or the package webgpu.
import { deviceCandidate } from "./kernels-gpu/candidate.ts";
import type { Device } from "./kernels-gpu/device/device.ts";
import type { KernelProgram } from "./kernels-gpu/device/program.ts";
import type { Candidate } from "./reference/candidate.ts";
import type { DTypeName } from "./reference/dtype.ts";
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

/** How candidateOf runs a kernel. */
export interface CandidateOptions {
  /** The op that the kernel computes; the kernel's id if left out. */
  readonly op?: string;
  /** How its tensors are stored on the device where it is run directly; "float32" if left out. The judge says its own. */
  readonly dtype?: DTypeName;
  /** Values of overrides, for each kernel that has one of that name. */
  readonly overrides?: Readonly<Record<string, number>>;
  /** Milliseconds after which it counts as hanging; the device is then of no further use. No limit if left out. */
  readonly timeout?: number;
}

/**
 * A kernel, or a program of several, on a device, as a candidate for the judge. Each run is checked: guards after every tensor,
 * NaN in outputs before they are written, inputs compared afterwards; what was written out of bounds, never written or changed
 * becomes a complaint, which fails the verdict.
 *
 *     const candidate = candidateOf(device, kernels["swiglu.forward"]);
 *     const gate = { data: new Float32Array([1, 2]), shape: [1, 2] };
 *     const { outputs, complaints } = await candidate.run({ gate, up: gate }, {}); // outputs.y: [1, 2]
 *
 * Throws TypeError for what is no GPUDevice or no kernel, RangeError for an op that does not exist or takes other tensors. The
 * run rejects with KernelError for what the device refuses; the judge reports that as a finding.
 */
export function candidateOf(
  device: GPUDevice | Device,
  kernel: KernelProgram,
  { op = kernel?.id, dtype = "float32", overrides, timeout }: CandidateOptions = {},
): Candidate {
  if (typeof kernel?.record !== "function") {
    throw new TypeError("the kernel is none, expected what defineKernel or defineProgram returns");
  }
  const operation = operations.get(op);
  if (operation === undefined) {
    throw new RangeError(`"${op}" is no op, expected one of ${[...operations.keys()].join(", ")}: name it with { op }`);
  }
  const launching = { ...(overrides && { overrides }), ...(timeout !== undefined && { timeout }) };
  return {
    ...deviceCandidate(device, kernel, operation, launching, dtype),
    target: targets.wgsl,
    under: (judged, asked) => deviceCandidate(device, kernel, judged, launching, asked),
  };
}
