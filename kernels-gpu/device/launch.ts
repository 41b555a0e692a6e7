// Runs one program on host tensors, checked: the way the judge and the tests run it.
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { resolveAxes, shapeFrom } from "./axes.ts";
import { type Device, deviceOf } from "./device.ts";
import { KernelError } from "./errors.ts";
import { type MemoryReport, offences } from "./guards.ts";
import { type ByName, sameNames } from "./names.ts";
import type { LowType } from "./packed.ts";
import type { KernelProgram } from "./program.ts";
import { KernelRecorder, type RecorderOptions } from "./recorder.ts";
import { checkedBytes, mostBytesOf } from "./sizes.ts";
import { asTensor } from "./tensors.ts";

/** The outputs of a checked run, its effects on memory, and how long it took. */
export interface Launched {
  readonly outputs: Readonly<Record<string, Tensor<Float32Array>>>;
  readonly hygiene: MemoryReport;
  /** compile: waiting for pipelines, 0 when they were ready; run: everything else, copies included. */
  readonly milliseconds: { readonly compile: number; readonly run: number };
}

/** How a program is launched; always checked. */
export interface LaunchOptions extends Omit<RecorderOptions, "mode"> {
  /** Inputs and outputs that are stored in 16 bits. */
  readonly low?: ReadonlyMap<string, LowType>;
}

/**
 * Runs a program in checked mode. Hygiene is reported, not thrown. Throws RangeError or TypeError for arguments that do
 * not fit the declaration, KernelError if the device refuses.
 */
export async function launch(
  device: GPUDevice | Device,
  program: KernelProgram,
  inputs: ByName<string, Tensor<Floats | Ints>>,
  scalars: ByName<string, number> = {},
  options: LaunchOptions = {},
): Promise<Launched> {
  const { id } = program;
  sameNames(`${id}: inputs`, Object.keys(program.inputs), Object.keys(inputs));
  sameNames(`${id}: scalars`, program.scalars, Object.keys(scalars));
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const lengths = resolveAxes(program.inputs, shapes, scalars);

  const most = mostBytesOf(deviceOf(device).device);
  const outputShapes = Object.entries(program.outputs).map(([name, spec]) => [name, shapeFrom(name, spec, lengths)]);
  for (const [name, shape] of [...Object.entries(shapes), ...(outputShapes as [string, number[]][])]) {
    checkedBytes(`${id}: ${name}`, shape, options.low?.get(name) ?? "f32", true, most);
  }

  const [low] = Object.keys(program.outputs).flatMap((name) => options.low?.get(name) ?? []);
  const start = performance.now();
  const run = new KernelRecorder(device, { ...options, mode: "checked", ...(low && { outputs: low }) });
  try {
    const uploads = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, run.upload(tensor, name, options.low?.get(name))]),
    );
    const recorded = program.record(run, uploads, scalars);
    sameNames(`${id}: outputs`, Object.keys(program.outputs), Object.keys(recorded));
    const unused = run.unused();
    if (unused.length > 0) throw new RangeError(`${id} does not use ${unused.join(", ")}`);
    for (const [name, spec] of Object.entries(program.outputs)) {
      const { shape, type } = recorded[name]!;
      const expected = shapeFrom(name, spec, lengths);
      const stored = options.low?.get(name) ?? "f32";
      if (type !== stored || expected.join() !== shape.join()) {
        const advice = stored === "f32" && type !== stored ? `; name it in the kernel's "wide"` : "";
        throw new RangeError(`${id}: ${name} is ${type} [${shape}], expected ${stored} [${expected}]${advice}`);
      }
    }
    const { hygiene, words } = await run.inspect(recorded);
    const outputs = Object.fromEntries(
      Object.entries(recorded).map(([name, tensor]) => [name, asTensor(tensor, words.get(tensor.memory)!)]),
    ) as Record<string, Tensor<Float32Array>>;
    const compile = run.compileMilliseconds;
    return { outputs, hygiene, milliseconds: { compile, run: performance.now() - start - compile } };
  } finally {
    run.destroy();
  }
}

/** Runs a program with inputs and scalars in one object, and returns its outputs. Throws KernelError on any offence. */
export async function call(
  device: GPUDevice | Device,
  program: KernelProgram,
  values: ByName<string, Tensor<Floats | Ints> | number>,
): Promise<Launched["outputs"]> {
  if (typeof values !== "object" || values === null) {
    throw new TypeError(`${program.id}: got ${String(values)}, expected a device, then inputs and scalars by name`);
  }
  const inputs: Record<string, Tensor<Floats | Ints>> = {};
  const scalars: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === "number") scalars[name] = value;
    else inputs[name] = value;
  }
  const { outputs, hygiene } = await launch(device, program, inputs, scalars);
  const [offence] = offences(hygiene);
  if (offence !== undefined) throw new KernelError(`${program.id}: ${offence}`);
  return outputs;
}
