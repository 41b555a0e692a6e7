import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openDevice } from "../../kernels-gpu/device/dawn.ts";
import { NoDeviceError } from "../../kernels-gpu/device/errors.ts";
import { makeCacheFolder } from "../../kernels-gpu/device/cache.ts";

const scratch = mkdtempSync(join(tmpdir(), "touchstone-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const module = (name: string): string => JSON.stringify(new URL(`../../kernels-gpu/${name}`, import.meta.url).href);
const OPEN = `
  const { openDevice } = await import(${module("device/dawn.ts")});
  const device = await openDevice({ adapter: "software" }).catch((error) => error);
  console.log(device.name, device.isSoftware ?? device.message);
  device.close?.();`;

/** Runs a script in a fresh process with these variables; resolves with what it printed, or its exit status. */
function script(text: string, variables: Record<string, string>): Promise<string> {
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", text], { env });
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (output += String(chunk)));
  return new Promise((resolve) => child.on("close", (code) => resolve(`${output.trim()} exit ${code}`)));
}

test("two processes that unpack at once both get a device, and end by themselves", async () => {
  const XDG_CACHE_HOME = join(scratch, "both");
  const results = await Promise.all([script(OPEN, { XDG_CACHE_HOME }), script(OPEN, { XDG_CACHE_HOME })]);
  for (const result of results) expect(result).toMatch(/SwiftShader.* true exit 0$/i);
  expect(readdirSync(join(XDG_CACHE_HOME, "touchstone"))).toEqual([expect.stringMatching(/^swiftshader-[\da-f]{16}$/)]);
});

test("a truncated file in the cache is unpacked again", async () => {
  const XDG_CACHE_HOME = join(scratch, "truncated");
  await script(OPEN, { XDG_CACHE_HOME });
  const [name] = readdirSync(join(XDG_CACHE_HOME, "touchstone"));
  const driver = join(XDG_CACHE_HOME, "touchstone", name!, "libvk_swiftshader.so");
  const { size } = statSync(driver);
  truncateSync(driver, 1000);
  expect(await script(OPEN, { XDG_CACHE_HOME })).toMatch(/true exit 0$/);
  expect(statSync(driver).size).toBe(size);
});

test("where the cache folder cannot be made, the temporary folder serves; where neither can, one line says so", async () => {
  const file = join(scratch, "file");
  writeFileSync(file, "");
  const TMPDIR = join(scratch, "temporary");
  expect(await script(OPEN, { XDG_CACHE_HOME: file, TMPDIR })).toMatch(/true exit 0$/);
  expect(readdirSync(TMPDIR)).toContainEqual(expect.stringMatching(/^touchstone-/));
  // Set by the script itself, since what loads the script needs the temporary folder too.
  const neither = `process.env.TMPDIR = ${JSON.stringify(file)}; ${OPEN}`;
  expect(await script(neither, { XDG_CACHE_HOME: file })).toBe(
    `NoDeviceError the software adapter cannot be unpacked: ${file}/touchstone: not a directory (ENOTDIR); ` +
      `${file}/touchstone-${process.getuid!()}: not a directory (ENOTDIR); ` +
      "expected XDG_CACHE_HOME or TMPDIR to name a folder of one's own that can be written exit 0",
  );
});

test("a cache folder that nobody can make, below /proc, is refused, not waited for", async () => {
  await expect(makeCacheFolder("/proc/touchstone/cache")).rejects.toThrow(/ENOENT|EACCES|EPERM/);
  expect(await script(OPEN, { XDG_CACHE_HOME: "/proc/touchstone" })).toMatch(/true exit 0$/);
});

test("folders are made by several at once", async () => {
  const path = join(scratch, "a", "b", "c");
  await Promise.all([makeCacheFolder(path), makeCacheFolder(path), makeCacheFolder(path)]);
  expect(statSync(path).isDirectory()).toBe(true);
  writeFileSync(join(path, "file"), "");
  await expect(makeCacheFolder(join(path, "file"))).rejects.toThrow(/EEXIST/);
});

test("softwareEnvironment serves a process that is started with it", async () => {
  const text = `
    const { softwareEnvironment } = await import(${module("device/software.ts")});
    console.log(JSON.stringify(await softwareEnvironment()));`;
  const environment = JSON.parse((await script(text, { LD_LIBRARY_PATH: "/before" })).replace(/ exit 0$/, ""));
  expect(environment.LD_LIBRARY_PATH).toMatch(/:\/before$/);
  const dawn = `
    const { create } = await import("webgpu");
    const gpu = create([]);
    console.log((await gpu.requestAdapter()).info.architecture);`;
  expect(await script(dawn, environment)).toBe("swiftshader exit 0");
});

test("no GPU, or an unknown adapter, is an error of one line", async () => {
  const text = OPEN.replace('"software"', '"gpu"');
  const nothing = { VK_ICD_FILENAMES: "/nonexistent.json" };
  expect(await script(text, nothing)).toMatch(/NoDeviceError no GPU found: [^\n]* exit 0$/);
  // The same machine gives a software device to those who take one.
  expect(await script(OPEN.replace('"software"', '"auto"'), nothing)).toMatch(/true exit 0$/);
  await expect(openDevice({ adapter: "cuda" as never })).rejects.toThrow('adapter "cuda" is unknown');
  expect(new NoDeviceError("x").name).toBe("NoDeviceError");
});

test("a worker thread is told that it cannot have the software adapter", async () => {
  const text = `
    const { Worker } = await import("node:worker_threads");
    const inside = 'import { register } from "tsx/esm/api"; register();' + ${JSON.stringify(OPEN)};
    new Worker(inside, { eval: true });`;
  expect(await script(text, {})).toMatch(/NoDeviceError .* worker thread/);
});

test("a kernel that never returns is given up, the next one runs on a new device, and the process can end", async () => {
  const text = `
    const { openDevice } = await import(${module("device/dawn.ts")});
    const { launch } = await import(${module("device/launch.ts")});
    const { forward } = await import(${module("swiglu.ts")});
    const { reopening } = await import(${module("device/reopening.ts")});
    const all = await reopening(() => openDevice({ adapter: "software" }));
    const device = await all.current();
    const x = { data: new Float32Array(4).fill(1), shape: [2, 2] };
    const hanging = forward.source.replace("y[i] =", "loop { y[i] += 1.0; if (y[i] < 0.0) { break; } } y[i] =");
    const sources = new Map([["swiglu.forward.wgsl", hanging]]);
    const options = { sources, timeout: 1000 };
    const late = await launch(device, forward, { gate: x, up: x }, {}, options).catch((error) => error);
    console.log(late.name, late.message);
    const next = await launch(device, forward, { gate: x, up: x }).catch((error) => error);
    console.log(next.name, next.message);
    const { outputs } = await launch(await all.current(), forward, { gate: x, up: x });
    console.log(outputs.y.data.length);
    process.exit(0);`;
  expect(await script(text, {})).toBe(
    "KernelError swiglu.forward: no result within 1000 ms\nKernelError swiglu.forward: no result within 1000 ms\n4 exit 0",
  );
});
