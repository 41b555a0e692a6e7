// The software adapter: SwiftShader, a Vulkan device on the processor, from npm alone. The optional package
// @sparticuz/chromium carries it as bin/swiftshader.tar.br: the driver, the Vulkan loader and the driver's manifest.
import { constants, homedir, tmpdir } from "node:os";
import { createReadStream } from "node:fs";
import { lstat, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { isMainThread } from "node:worker_threads";
import { createBrotliDecompress } from "node:zlib";
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
  const folder = await softwareFolder();
  if (!isMainThread) {
    throw new NoDeviceError(
      "the software adapter was asked for in a worker thread, whose environment the driver cannot see",
    );
  }
  loadVulkan(folder);
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
  if (process.platform === "linux" && !isLoaded(LOADER)) {
    const folder = await softwareFolder().catch(() => undefined);
    if (folder !== undefined) loadVulkan(folder);
  }
  return open();
}

// Dawn asks the dynamic linker for "libvulkan.so.1" by name, and the linker answers with a library of that name that
// the process already holds. So the loader is linked in here, to stay (RTLD_NODELETE), and LD_LIBRARY_PATH, which is
// read only when a process starts, is not needed. Node reports that it is not a Node module, which is true.
function loadVulkan(folder: string): void {
  if (!isLoaded(join(folder, LOADER))) throw new NoDeviceError(`${join(folder, LOADER)} cannot be loaded`);
}

const RTLD_NODELETE = 0x1000; // dlfcn.h of the GNU C library

function isLoaded(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return String(error).includes("did not self-register");
  }
}

let unpacked: Promise<string> | undefined;

/** The folder that holds the three files; unpacked once. */
function softwareFolder(): Promise<string> {
  unpacked ??= findOrUnpack().catch((error: unknown) => {
    unpacked = undefined;
    if (error instanceof NoDeviceError) throw error;
    throw new NoDeviceError(`the software adapter cannot be unpacked: ${(error as Error).message}`);
  });
  return unpacked;
}

async function findOrUnpack(): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new NoDeviceError(`the software adapter is for linux-x64, this is ${process.platform}-${process.arch}`);
  }
  const root = packageFolder();
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  let failure: unknown;
  for (const cache of cacheFolders()) {
    const folder = join(cache, `swiftshader-${version}`);
    try {
      if (await isComplete(folder)) return folder;
      await makeCacheFolder(cache);
      await unpack(join(root, "bin", "swiftshader.tar.br"), folder);
      return folder;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Makes a folder and its parents, by hand: mkdir's `recursive` never returns below /proc, which refuses with ENOENT. */
export async function makeCacheFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (found?.isDirectory()) return;
  if (found === undefined && dirname(path) !== path) await makeCacheFolder(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
    // Another process may have been faster.
    if (error.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  });
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
  const user = process.getuid?.() ?? "user";
  return [
    join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "touchstone"),
    join(tmpdir(), `touchstone-${user}`),
  ];
}

// The sizes are recorded when the files are unpacked. Files and folders of another user are not trusted: the
// temporary folder is everyone's.
const SIZES = "sizes.json";

async function isComplete(folder: string): Promise<boolean> {
  try {
    const sizes = JSON.parse(await readFile(join(folder, SIZES), "utf8")) as Record<string, number>;
    const entries = await Promise.all(["..", "", SIZES, ...FILES].map((name) => lstat(join(folder, name))));
    const ours = entries.every((entry) => entry.uid === process.getuid!());
    return ours && FILES.every((name, i) => entries[i + 3]!.isFile() && entries[i + 3]!.size === sizes[name]);
  } catch {
    return false;
  }
}

// Unpacked under a temporary name, then renamed, so two processes at once do not disturb each other.
async function unpack(archive: string, folder: string): Promise<void> {
  const { extract } = await import("tar-stream");
  const partial = await mkdtemp(`${folder}.`);
  try {
    const entries = extract();
    const sizes: Record<string, number> = {};
    const reading = pipeline(createReadStream(archive), createBrotliDecompress(), entries);
    for await (const entry of entries) {
      const name = entry.header.name.replace(/^\.\//, "");
      if (!FILES.includes(name)) {
        entry.resume();
        continue;
      }
      const content = await buffer(entry);
      await writeFile(join(partial, name), content, { mode: 0o755 });
      sizes[name] = content.length;
    }
    await reading;
    const missing = FILES.filter((name) => !(name in sizes));
    if (missing.length > 0) throw new NoDeviceError(`${archive} holds no ${missing.join(", ")}`);
    await writeFile(join(partial, SIZES), JSON.stringify(sizes));
    for (let attempt = 0; !(await isComplete(folder)); attempt++) {
      try {
        await rename(partial, folder);
      } catch (error) {
        if (attempt === 3) throw error;
        if (!(await isComplete(folder))) await rm(folder, { recursive: true, force: true });
      }
    }
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
