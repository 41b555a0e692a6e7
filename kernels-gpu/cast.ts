// A tensor in another storage:  y = x, rounded to nearest where y is stored lower.
import { spread } from "./device/declaration.ts";
import { defineKernel } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";
import type { LowType } from "./device/packed.ts";
import type { KernelRecorder } from "./device/recorder.ts";
import type { DeviceTensor } from "./device/tensors.ts";

/** x: [N] → y: [N]. */
export const forward = defineKernel({
  ...wgsl("cast.forward"),
  inputs: { x: "N" },
  outputs: { y: "N" },
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});

/** The same numbers and shape, stored in the given type. */
export function cast(run: KernelRecorder, x: DeviceTensor, stored: LowType | "f32"): DeviceTensor {
  const N = x.shape.reduce((n, length) => n * length, 1);
  return { ...run.dispatchAs(stored, forward, { x: { ...x, shape: [N] } }).y, shape: x.shape };
}
