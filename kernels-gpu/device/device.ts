// A WebGPU device, a browser's or Dawn's, and what went wrong on it.
import { KernelError } from "./errors.ts";

/**
 * A device that is watched: once it is lost or hangs, every later use throws the reason.
 *
 * @example
 * ```ts
 * import { openDevice } from "touchstone-llama/node";
 * import type { Device } from "touchstone-llama/webgpu";
 *
 * const device: Device = await openDevice();
 * device.name; // "SwiftShader Device (Subzero), …"
 * device.close();
 * ```
 */
export interface Device {
  readonly device: GPUDevice;
  /** The adapter's own name, e.g. "SwiftShader Device (Subzero)". */
  readonly name: string;
  readonly isSoftware: boolean;
  /** Settles, with the reason, when the device is lost, or reports an error that no kernel's own checks caught. */
  readonly failed: Promise<KernelError>;
  /** Throws the error of `failed` if there is one, with the kernels' names before its message. */
  check(kernels: string): void;
  /** Marks the device unusable, e.g. because a kernel never returned. */
  fail(reason: string): void;
  /** Closes a device that openDevice opened; leaves any other to whoever opened it. */
  close(): void;
}

const watched = new WeakMap<GPUDevice, Device>();

/** The device, watched; always the same object for one GPUDevice. Throws TypeError for anything else. */
export function deviceOf(device: GPUDevice | Device): Device {
  if (typeof device !== "object" || device === null || !("check" in device || "createShaderModule" in device)) {
    throw new TypeError("the device is not a GPUDevice, expected one");
  }
  if ("check" in device) return device;
  return (
    watched.get(device) ??
    watch(device, adapterName(device.adapterInfo), device.adapterInfo?.isFallbackAdapter ?? false)
  );
}

/** The name that an adapter gives itself. */
export function adapterName(info: GPUAdapterInfo | undefined): string {
  const parts = [info?.device, info?.description].filter((part) => part !== undefined && part !== "");
  return parts.join(", ") || info?.vendor || "WebGPU device";
}

/**
 * Watches a device until it is lost. `close` is called to close it; `isShared`: others use the device as well, so that an
 * error which no scope caught need not be a kernel's.
 */
export function watch(
  device: GPUDevice,
  name: string,
  isSoftware: boolean,
  { close = () => {}, isShared = true }: { close?: () => void; isShared?: boolean } = {},
): Device {
  let failure: KernelError | undefined;
  let settle: (error: KernelError) => void;
  const failed = new Promise<KernelError>((resolve) => (settle = resolve));
  const fail = (reason: string): void => {
    failure ??= new KernelError(reason);
    settle(failure);
  };
  if (!isShared) device.addEventListener("uncapturederror", (event) => fail(event.error.message.trim()));
  void device.lost.then((info) => fail(`the device was lost (${info.reason}): ${info.message}`));
  const it: Device = {
    device,
    name,
    isSoftware,
    failed,
    fail,
    close,
    check(kernels) {
      if (failure !== undefined) throw new KernelError(`${kernels}: ${failure.message}`);
    },
  };
  watched.set(device, it);
  return it;
}
