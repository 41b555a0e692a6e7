// A WebGPU device of Dawn's, the machine's GPU or the software adapter, and what went wrong on it.
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { create } from "webgpu";
import { KernelError, NoDeviceError } from "./errors.ts";
import { withSoftwareAdapter, withVulkanLoader } from "./software.ts";

/** auto: a GPU where there is one, else the software adapter. */
export type AdapterChoice = "auto" | "gpu" | "software";

/** An open device. */
export interface Device {
  readonly device: GPUDevice;
  /** The adapter's own name, e.g. "SwiftShader Device (Subzero)". */
  readonly name: string;
  readonly isSoftware: boolean;
  /** Settles, with the reason, when the device is lost or reports an error that no kernel's own checks caught. */
  readonly failed: Promise<KernelError>;
  /** Throws the error of `failed` when there is one, with the kernels' names in front. */
  check(kernels: string): void;
  /** Marks the device unusable, e.g. because a kernel never returned. */
  fail(reason: string): void;
  close(): void;
}

/** Opens a device. Throws NoDeviceError when there is none of the wanted kind. */
export async function openDevice(options: { adapter?: AdapterChoice } = {}): Promise<Device> {
  const { adapter = "auto" } = options;
  if (!["auto", "gpu", "software"].includes(adapter)) {
    throw new RangeError(`adapter "${String(adapter)}" is unknown, expected auto, gpu or software`);
  }
  if (adapter !== "software") {
    // Without a driver Dawn would only print a warning of its own.
    const gpu = mayHaveGpu() ? await withVulkanLoader(() => open(false)) : undefined;
    if (gpu !== undefined) return gpu;
    if (adapter === "gpu") {
      throw new NoDeviceError("no GPU found: Dawn sees none here; the software adapter needs no GPU");
    }
  }
  // Windows has a software adapter of its own (WARP).
  const software = process.platform === "win32" ? await open(true) : await withSoftwareAdapter(() => open(true));
  if (software === undefined) throw new NoDeviceError("no software adapter found: Dawn refuses SwiftShader here");
  return software;
}

function mayHaveGpu(): boolean {
  if (process.platform !== "linux") return true;
  const { env } = process;
  if (env["VK_ICD_FILENAMES"] || env["VK_DRIVER_FILES"] || env["VK_ADD_DRIVER_FILES"]) return true;
  const folders = [
    ...(env["XDG_CONFIG_DIRS"] || "/etc/xdg").split(":"),
    ...(env["XDG_DATA_DIRS"] || "/usr/local/share:/usr/share").split(":"),
    env["XDG_CONFIG_HOME"] || join(homedir(), ".config"),
    env["XDG_DATA_HOME"] || join(homedir(), ".local", "share"),
    "/etc",
    "/usr/local/etc",
    "/usr/share",
  ];
  return folders
    .map((folder) => join(folder, "vulkan", "icd.d"))
    .some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}

// With the extension, SwiftShader compiles one store for each word of workgroup memory: up to 2 s a kernel. Without it Dawn
// zeroes that memory in a loop of its own, and the same kernel compiles in 0.1 s.
const SOFTWARE_OPTIONS = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

async function open(isSoftware: boolean): Promise<Device | undefined> {
  const gpu = create(isSoftware ? SOFTWARE_OPTIONS : []);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: isSoftware });
  if (adapter === null || adapter.info.isFallbackAdapter !== isSoftware) return undefined;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  const { description, vendor, device: model } = adapter.info;
  return watch(gpu, device, [model, description].filter((part) => part !== "").join(", ") || vendor, isSoftware);
}

const instances = new Set<GPU>();

function watch(gpu: GPU, device: GPUDevice, name: string, isSoftware: boolean): Device {
  instances.add(gpu); // Dawn lives as long as this object is referred to
  let failure: KernelError | undefined;
  let settle: (error: KernelError) => void;
  const failed = new Promise<KernelError>((resolve) => (settle = resolve));
  const fail = (reason: string): void => {
    failure ??= new KernelError(reason);
    settle(failure);
  };
  device.addEventListener("uncapturederror", (event) => fail(event.error.message.trim()));
  void device.lost.then((info) => fail(`the device was lost (${info.reason}): ${info.message}`));
  return {
    device,
    name,
    isSoftware,
    failed,
    fail,
    check(kernels) {
      if (failure !== undefined) throw new KernelError(`${kernels}: ${failure.message}`);
    },
    close() {
      device.destroy();
      instances.delete(gpu);
    },
  };
}
