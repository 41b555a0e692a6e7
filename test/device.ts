// One device for each test process.
import { readFileSync } from "node:fs";
import type { Candidate } from "../reference/candidate.ts";
import { deviceCandidate } from "../kernels-gpu/candidate.ts";
import { openDevice } from "../kernels-gpu/device/dawn.ts";
import type { Device } from "../kernels-gpu/device/device.ts";
import type { LaunchOptions } from "../kernels-gpu/device/launch.ts";
import { kernelOf } from "../kernels-gpu/index.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";

let opened: Promise<Device> | undefined;

/** TOUCHSTONE_ADAPTER names the adapter: auto, gpu or software. */
export function testDevice(): Promise<Device> {
  opened ??= openDevice({ adapter: (process.env.TOUCHSTONE_ADAPTER ?? "auto") as "auto" });
  return opened;
}

/** The project's own kernel of an op, on this process's device. */
export async function kernelCandidate(
  op: string,
  options: LaunchOptions = {},
  dtype: DTypeName = "float32",
): Promise<Candidate> {
  return deviceCandidate(await testDevice(), kernelOf(op)!, operations.get(op)!, options, dtype);
}

/** The text of a kernel's file. */
export function wgsl(file: string): string {
  return readFileSync(new URL(`../kernels-gpu/${file}`, import.meta.url), "utf8");
}
