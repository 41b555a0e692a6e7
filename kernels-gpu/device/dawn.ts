// Opens one of Dawn's WebGPU devices in Node: the machine's GPU, or the software adapter.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Device, adapterName, watch } from "./device.ts";
import { NoDeviceError } from "./errors.ts";
import { oneLine } from "./pipelines.ts";
import { homeFolder, SOFTWARE_PACKAGES, withSoftwareAdapter, withVulkanLoader } from "./software.ts";

/**
 * auto: a GPU where there is one, else the software adapter.
 *
 * @example
 * ```ts
 * import { type AdapterChoice, openDevice } from "touchstone-llama/node";
 *
 * const adapter: AdapterChoice = "software";
 * const device = await openDevice({ adapter });
 * device.close();
 * ```
 */
export type AdapterChoice = "auto" | "gpu" | "software";

/**
 * Opens a device: the one that the options choose, or else a GPU where there is one, or else the software adapter.
 *
 * @example
 * ```ts
 * import { openDevice } from "touchstone-llama/node";
 *
 * const device = await openDevice({ adapter: "software" });
 * device.name; // "SwiftShader Device (Subzero), …"
 * device.close();
 * ```
 *
 * Throws RangeError for an unknown adapter, NoDeviceError, with one line, if there is none of that kind.
 */
export async function openDevice(options: { adapter?: AdapterChoice } = {}): Promise<Device> {
  const strange = Object.keys(Object(options)).find((name) => name !== "adapter");
  if (typeof options !== "object" || options === null || strange !== undefined) {
    throw new TypeError(`openDevice: ${strange ?? String(options)} is unknown, expected { adapter }`);
  }
  const { adapter = "auto" } = options;
  if (!["auto", "gpu", "software"].includes(adapter)) {
    throw new RangeError(`adapter "${String(adapter)}" is unknown, expected auto, gpu or software`);
  }
  await dawn();
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

/** The part of the package webgpu that is used. Its own declarations would add a second set of WebGPU's types to a browser's. */
interface Dawn {
  create(options: string[]): GPU;
}

/** The package that binds Dawn. Throws NoDeviceError where it is not installed. */
export async function dawn(): Promise<Dawn> {
  try {
    return await import("webgpu");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    const why = isMissing
      ? `the optional package webgpu is not installed: npm install webgpu, and for a software adapter ${SOFTWARE_PACKAGES}`
      : `the package webgpu cannot be loaded: ${oneLine((error as Error).message)}`;
    throw new NoDeviceError(`no device: ${why}`);
  }
}

function mayHaveGpu(): boolean {
  if (process.platform !== "linux") return true;
  const { env } = process;
  if (env["VK_ICD_FILENAMES"] || env["VK_DRIVER_FILES"] || env["VK_ADD_DRIVER_FILES"]) return true;
  const home = homeFolder() ?? "/";
  const folders = [
    ...(env["XDG_CONFIG_DIRS"] || "/etc/xdg").split(":"),
    ...(env["XDG_DATA_DIRS"] || "/usr/local/share:/usr/share").split(":"),
    env["XDG_CONFIG_HOME"] || join(home, ".config"),
    env["XDG_DATA_HOME"] || join(home, ".local", "share"),
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

const instances = new Set<GPU>();

async function open(isSoftware: boolean): Promise<Device | undefined> {
  const { create } = await dawn();
  const gpu = create(isSoftware ? SOFTWARE_OPTIONS : []);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: isSoftware });
  if (adapter === null || adapter.info.isFallbackAdapter !== isSoftware) return undefined;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  instances.add(gpu); // Dawn lives as long as this object is referred to
  return watch(device, adapterName(adapter.info), isSoftware, {
    isShared: false,
    close() {
      device.destroy();
      instances.delete(gpu);
    },
  });
}
