// From a kernel's text to a compute pipeline: explicit layout, compiled once for each device, text and overrides.
import type { KernelDeclaration } from "./declaration.ts";
import { KernelError } from "./errors.ts";
import { shaderStage } from "./flags.ts";
import type { KernelText } from "./substitutes.ts";
import type { Binding, WgslModule } from "./wgsl.ts";

/** A kernel that is ready to be dispatched. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** In the order of their last use. */
const cache = new WeakMap<GPUDevice, Map<string, Promise<Compiled>>>();
/** Of one device. Every kernel of the project in every dtype takes fewer; mutants and tile sizes may be any number. */
const MOST_PIPELINES = 256;

/** The bindings that a kernel uses: its inputs, then its outputs. */
export function bindingsOf(kernel: KernelDeclaration, module: WgslModule): Binding[] {
  const names = [...Object.keys(kernel.inputs), ...Object.keys(kernel.outputs)];
  return names.map((name) => module.bindings.find((binding) => binding.name === name)!);
}

/** Compiles a kernel, or returns the pipeline that was compiled before, if it is one of the last 256. Rejects with KernelError: "swiglu.forward.wgsl:14:3 …". */
export function pipelineOf(
  device: GPUDevice,
  kernel: KernelDeclaration,
  source: KernelText,
  constants: Readonly<Record<string, number>>,
): Promise<Compiled> {
  const bindings = bindingsOf(kernel, source.module);
  const key = JSON.stringify([kernel.id, bindings, constants, source.text]);
  let compiled = cache.get(device);
  if (compiled === undefined) cache.set(device, (compiled = new Map()));
  const pipeline = compiled.get(key) ?? compile(device, kernel, source, bindings, constants);
  compiled.delete(key);
  compiled.set(key, pipeline);
  const [oldest] = compiled.keys();
  if (compiled.size > MOST_PIPELINES) compiled.delete(oldest!);
  return pipeline;
}

async function compile(
  device: GPUDevice,
  kernel: KernelDeclaration,
  { text, module: { dimsIndex } }: KernelText,
  bindings: readonly Binding[],
  constants: Readonly<Record<string, number>>,
): Promise<Compiled> {
  const visibility = shaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ index, access }) => ({
    binding: index,
    visibility,
    buffer: { type: access === "read" ? "read-only-storage" : "storage" },
  }));
  if (dimsIndex !== undefined) entries.push({ binding: dimsIndex, visibility, buffer: { type: "uniform" } });

  // No await stands between push and pop, so the scope covers these calls and no others.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel.file, code: text });
  const layout = device.createBindGroupLayout({ label: kernel.id, entries });
  const pipeline = device
    .createComputePipelineAsync({
      label: kernel.id,
      layout: device.createPipelineLayout({ label: kernel.id, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: kernel.entry, constants: { ...constants } },
    })
    .catch((error: unknown) => error as Error);
  const refused = await device.popErrorScope();
  const result = await pipeline;
  if (refused === null && !(result instanceof Error)) return { pipeline: result, layout };

  const { messages } = await module.getCompilationInfo();
  const first = messages.find((message) => message.type === "error");
  if (first !== undefined) {
    throw new KernelError(`${kernel.id}: ${kernel.file}:${first.lineNum}:${first.linePos} ${first.message}`);
  }
  throw new KernelError(`${kernel.id}: ${oneLine(refused?.message ?? (result as Error).message)}`);
}

/** A message in one line; Dawn's take several. */
export function oneLine(message: string): string {
  return message.trim().replaceAll(/\s*\n\s*/g, " ");
}
