// The software adapter: SwiftShader, a Vulkan device on the processor, from npm alone. The optional package
// @sparticuz/chromium carries it as bin/swiftshader.tar.br: the driver, the Vulkan loader and the driver's manifest.
import { constants, homedir, tmpdir } from "node:os";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { getSystemErrorMap } from "node:util";
import { isMainThread } from "node:worker_threads";
import { unpackedIn } from "./cache.ts";
import { NoDeviceError } from "./errors.ts";

const LOADER = "libvulkan.so.1";
const MANIFEST = "vk_swiftshader_icd.json";
const FILES = ["libvk_swiftshader.so", LOADER, MANIFEST];
const PACKAGE = "@sparticuz/chromium";
/** The packages to install for the software adapter. */
export const SOFTWARE_PACKAGES = `${PACKAGE}@147.0.0 tar-stream`;

/**
 * The environment of a process whose Vulkan device is the software adapter, unpacked on first use into a cache folder.
 * `withSoftwareAdapter` works without it; this is for other programs. Throws NoDeviceError.
 */
export async function softwareEnvironment(): Promise<Record<string, string>> {
  const folder = await softwareFolder();
  const path = process.env["LD_LIBRARY_PATH"];
  return {
    VK_ICD_FILENAMES: join(folder, MANIFEST),
    LD_LIBRARY_PATH: path === undefined || path === "" ? folder : `${folder}:${path}`,
  };
}

/** Runs `open`, while the Vulkan loader sees only the software adapter. Throws NoDeviceError. */
export async function withSoftwareAdapter<T>(open: () => Promise<T>): Promise<T> {
  if (!isMainThread) {
    throw new NoDeviceError(
      "the software adapter was asked for in a worker thread, whose environment the driver cannot see",
    );
  }
  const folder = await softwareFolder();
  const before = process.env["VK_ICD_FILENAMES"];
  process.env["VK_ICD_FILENAMES"] = join(folder, MANIFEST);
  try {
    return await open();
  } finally {
    if (before === undefined) delete process.env["VK_ICD_FILENAMES"];
    else process.env["VK_ICD_FILENAMES"] = before;
  }
}

/** Loads the packaged Vulkan loader where a driver is installed but no loader is. Does nothing elsewhere. */
export async function withVulkanLoader<T>(open: () => Promise<T>): Promise<T> {
  if (process.platform === "linux" && !isLoaded(LOADER)) await softwareFolder().catch(() => undefined);
  return open();
}

// Dawn asks the dynamic linker for "libvulkan.so.1" by name, and the linker answers with a library of that name that
// the process already holds. So the loader is linked in here, to stay (RTLD_NODELETE), and LD_LIBRARY_PATH, which is
// read only when a process starts, is not needed. Node reports that it is not a Node module, which is true.
const RTLD_NODELETE = 0x1000; // dlfcn.h of the GNU C library

function isLoaded(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return String(error).includes("did not self-register");
  }
}

/** The folder that holds the three files, verified each time, since a long process may outlive its cache. */
async function softwareFolder(): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new NoDeviceError(`the software adapter is for linux-x64, this is ${process.platform}-${process.arch}`);
  }
  const path = join(packageFolder(), "bin", "swiftshader.tar.br");
  const packed = await readFile(path).catch((error: unknown) => {
    throw new NoDeviceError(`the software adapter's file ${path} cannot be read: ${reasonOf(error)}`);
  });
  const failures: string[] = [];
  for (const cache of cacheFolders()) {
    try {
      const folder = await unpackedIn(cache, "swiftshader", { path, packed, files: FILES });
      if (!isMainThread || isLoaded(join(folder, LOADER))) return folder;
      failures.push(`${folder}: its ${LOADER} cannot be loaded, as from a file system that is mounted with noexec`);
    } catch (error) {
      failures.push(`${cache}: ${reasonOf(error)}`);
    }
  }
  const expected = "expected XDG_CACHE_HOME or TMPDIR to name a folder of one's own that can be written";
  throw new NoDeviceError(`the software adapter cannot be unpacked: ${failures.join("; ")}; ${expected}`);
}

/** What the operating system says, in words; any other error's message. */
function reasonOf(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  const [code, meaning] = getSystemErrorMap().get(errno ?? 0) ?? [];
  return meaning === undefined ? message : `${meaning} (${code})`;
}

function packageFolder(): string {
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(PACKAGE)), "..", "..");
  } catch {
    throw new NoDeviceError(
      `the software adapter is in the optional package ${PACKAGE}, which is not installed: npm install ${SOFTWARE_PACKAGES}`,
    );
  }
}

function cacheFolders(): string[] {
  const caches = [process.env["XDG_CACHE_HOME"] ?? "", join(homeFolder() ?? "", ".cache")];
  // The XDG Base Directory Specification: a path that is not absolute is ignored.
  const cache = caches.find((path) => isAbsolute(path));
  return [
    ...(cache === undefined ? [] : [join(cache, "touchstone")]),
    join(tmpdir(), `touchstone-${process.getuid!()}`),
  ];
}

/** Undefined for a user without one, as in some containers. */
export function homeFolder(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
