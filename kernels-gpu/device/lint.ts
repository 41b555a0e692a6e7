// Compiles every WGSL file with Dawn on its null backend, which needs no GPU: `tsx kernels-gpu/device/lint.ts [FOLDER]`.
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Command } from "commander";
import { dawn } from "./dawn.ts";
import { NoDeviceError } from "./errors.ts";
import { oneLine } from "./pipelines.ts";
import { parseWgsl } from "./wgsl.ts";

/** A device that compiles and never runs; its limits are WebGPU's defaults. */
export async function nullDevice(): Promise<{ device: GPUDevice; close: () => void }> {
  const { create } = await dawn();
  let gpu: GPU | undefined = create(["backend=null"]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new NoDeviceError("Dawn has no null backend here");
  const device = await adapter.requestDevice();
  const close = (): void => {
    device.destroy();
    gpu = undefined;
  };
  return { device, close };
}

/** The faults of one file, each as "file:line:column message"; warnings count. */
export async function lintWgsl(device: GPUDevice, file: string, text: string): Promise<string[]> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: file, code: text });
  const refused = await device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const found = messages
    .filter(({ type }) => type !== "info")
    .map(({ lineNum, linePos, type, message }) => `${file}:${lineNum}:${linePos} ${type}: ${message}`);
  if (found.length > 0) return found;
  if (refused !== null) return [`${file}:1:1 error: ${oneLine(refused.message)}`];
  try {
    const { bindings, entries } = parseWgsl(file, text);
    for (const { name, axes, line } of bindings) {
      if (axes === undefined) found.push(`${file}:${line}:1 error: ${name} has no shape comment, expected // [R, C]`);
    }
    if (entries.length === 0) found.push(`${file}:1:1 error: no compute entry point`);
    // Overrides get their values here: only now are workgroup sizes and memory checked against the limits.
    for (const entryPoint of entries) {
      const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint } });
      await pipeline.catch((error: Error) => found.push(`${file}:1:1 error: ${entryPoint}: ${oneLine(error.message)}`));
    }
  } catch (error) {
    found.push(error instanceof SyntaxError ? error.message : `${file}:1:1 error: ${String(error)}`);
  }
  return found;
}

/** All WGSL files below a folder, sorted. */
export function wgslFiles(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".wgsl"))
    .toSorted()
    .map((name) => join(folder, name));
}

async function main([folder]: readonly string[]): Promise<number> {
  const files = wgslFiles(folder);
  if (files.length === 0) {
    console.error(`${folder}: no .wgsl file`);
    return 1;
  }
  const { device, close } = await nullDevice();
  let findings = 0;
  for (const file of files) {
    const lines = await lintWgsl(device, relative(".", file), readFileSync(file, "utf8"));
    for (const line of lines) console.log(line);
    findings += lines.length;
  }
  close();
  console.log(`${files.length} WGSL files, ${findings} findings`);
  return findings === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const command = new Command("npm run lint:wgsl --")
    .description("Compiles every WGSL file on a device that never runs.")
    .argument("[folder]", "all files below it", fileURLToPath(new URL("..", import.meta.url)))
    .exitOverride(({ exitCode }) => exit(exitCode === 0 ? 0 : 2));
  exit(await main(command.parse().processedArgs as [string]));
}
