// A tensor in another storage:  y = x, rounded to nearest where y is stored lower.
import { defineKernel, spread } from "./device/kernel.ts";
import type { LowType } from "./device/packed.ts";
import type { DeviceTensor, Recorder } from "./device/recorder.ts";

/** x: [N] → y: [N]. */
export const forward = defineKernel({
  file: new URL("cast.forward.wgsl", import.meta.url),
  inputs: { x: "N" },
  outputs: { y: "N" },
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});

/** The same numbers and shape, stored as named. */
export function cast(run: Recorder, x: DeviceTensor, stored: LowType | "f32"): DeviceTensor {
  const N = x.shape.reduce((n, length) => n * length, 1);
  return { ...run.dispatchAs(stored, forward, { x: { ...x, shape: [N] } }).y, shape: x.shape };
}
