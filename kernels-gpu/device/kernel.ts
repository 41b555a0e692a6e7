// A kernel is a declaration: one entry point of one WGSL file, its inputs and outputs with their axes. It is checked
// against the file when it is defined. A program is what computes an op in one direction: a kernel, or several.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { type AxisLetters, type Specs, axesOf, lettersOf } from "./axes.ts";
import type { Device } from "./device.ts";
import { call } from "./launch.ts";
import type { DeviceTensor, Recorder } from "./recorder.ts";
import { type WgslModule, parseWgsl } from "./wgsl.ts";

/** One value for each of the names. */
export type Named<Names extends PropertyKey, Value> = { readonly [Name in Names]: Value };

/** An op in one direction, as the judge and a larger program see it. */
export interface Program {
  /** "swiglu.forward". */
  readonly id: string;
  readonly inputs: Specs;
  readonly outputs: Specs;
  readonly scalars: readonly string[];
  /** Records its dispatches, returns its outputs; nothing has run yet. */
  record(
    run: Recorder,
    inputs: Named<string, DeviceTensor>,
    scalars: Named<string, number>,
  ): Named<string, DeviceTensor>;
}

/** A program whose names the compiler knows. Called, it runs alone: `await forward(device, { gate, up })` → `{ y }`. */
export interface TypedProgram<I extends Specs, O extends Specs, S extends string> {
  (
    device: Device,
    inputsAndScalars: Named<keyof I, Tensor<Floats | Ints>> & Named<S, number>,
  ): Promise<Named<keyof O, Tensor<Float32Array>>>;
  readonly id: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly scalars: readonly S[];
  record(run: Recorder, inputs: Named<keyof I, DeviceTensor>, scalars: Named<S, number>): Named<keyof O, DeviceTensor>;
}

/** What a recorder needs to know of a kernel. */
export interface KernelDeclaration {
  readonly id: string;
  /** The WGSL file's name, without its folder. */
  readonly file: string;
  readonly entry: string;
  readonly inputs: Specs;
  readonly outputs: Specs;
  readonly scalars: readonly string[];
  readonly wide: readonly string[];
  readonly overrides: Readonly<Record<string, number>>;
  readonly source: string;
  readonly module: WgslModule;
  workgroups(sizes: Named<string, number>): readonly number[];
}

/** A kernel is a program of one dispatch. */
export type Kernel<I extends Specs, O extends Specs, S extends string> = TypedProgram<I, O, S> &
  KernelDeclaration & { readonly inputs: I; readonly outputs: O; readonly scalars: readonly S[] };

/** The lengths of all axes, the scalars and the overrides. */
export type Sizes<I extends Specs, O extends Specs, S extends string, V> = Named<
  AxisLetters<I[keyof I]> | AxisLetters<O[keyof O]> | S | (keyof V & string),
  number
>;

/**
 * Declares a kernel and checks it against its file: each tensor has a binding of its name whose comment shows its
 * axes, outputs can be written, each field of the uniform struct is an axis or a scalar, each override exists.
 *
 * `wide` names the outputs that stay float32 when inputs are stored in 16 bits: statistics, losses, partial sums.
 * `scalars` are the fields of the uniform struct that are no axis of an input: eps, or T where only an output has it.
 * `overrides` replace the file's defaults. `workgroups` gets every length by name; zero workgroups dispatch nothing.
 * Throws RangeError or SyntaxError that names the file and what does not fit.
 */
export function defineKernel<
  const I extends Specs,
  const O extends Specs,
  const S extends string = never,
  const V extends Readonly<Record<string, number>> = Readonly<Record<never, number>>,
>(declaration: {
  readonly file: URL;
  readonly entry?: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly wide?: readonly (keyof O & string)[];
  readonly scalars?: readonly S[];
  readonly overrides?: V;
  readonly workgroups: (sizes: Sizes<I, O, S, V>) => readonly number[];
}): Kernel<I, O, S> {
  const { entry = "main", inputs, outputs, wide = [], scalars = [], overrides = {}, workgroups } = declaration;
  const path = fileURLToPath(declaration.file);
  const file = basename(path);
  const source = readFileSync(path, "utf8");
  const id = file.replace(/\.wgsl$/, "") + (entry === "main" ? "" : `:${entry}`);
  const kernel: KernelDeclaration = {
    id,
    file,
    entry,
    inputs,
    outputs,
    scalars,
    wide,
    overrides,
    source,
    module: parseWgsl(file, source),
    workgroups: (sizes) => workgroups(sizes as Sizes<I, O, S, V>),
  };
  checkKernel(kernel);
  const record: TypedProgram<I, O, S>["record"] = (run, given, values) =>
    run.dispatch(result, given, ...([values] as unknown as [Named<S, number>]));
  const result = callable<I, O, S, KernelDeclaration>({ ...kernel, record } as never);
  return result;
}

/**
 * Declares an op that takes several dispatches:
 *
 *     record(run, { x, w }, { eps }) { const { rstd } = run.dispatch(moments, { x }, { eps }); … return { y, rstd }; }
 */
export function defineProgram<const I extends Specs, const O extends Specs, const S extends string = never>(program: {
  readonly id: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly scalars?: readonly S[];
  readonly record: TypedProgram<I, O, S>["record"];
}): TypedProgram<I, O, S> {
  return callable<I, O, S, object>({ ...program, scalars: program.scalars ?? [] } as never);
}

type Members<I extends Specs, O extends Specs, S extends string> = Omit<TypedProgram<I, O, S>, never>;

function callable<I extends Specs, O extends Specs, S extends string, More>(
  members: Members<I, O, S> & More,
): TypedProgram<I, O, S> & More & Members<I, O, S> {
  const face = (device: Device, values: Named<string, Tensor<Floats | Ints> | number>) =>
    call(device, members as unknown as Program, values);
  return Object.assign(face, members) as never;
}

/** [x, y] workgroups, at least n of them, each axis at most 65,535; [0, 1] for none. */
export function spread(n: number): [number, number] {
  if (n <= MOST_WORKGROUPS) return [n, 1];
  const y = Math.ceil(n / MOST_WORKGROUPS);
  return [Math.ceil(n / y), y];
}

/** WebGPU's default limit maxComputeWorkgroupsPerDimension. */
export const MOST_WORKGROUPS = 65_535;

/** Compares a declaration with a file's text, its own or a replacement. Throws RangeError. */
export function checkKernel(kernel: KernelDeclaration, module: WgslModule = kernel.module): void {
  const { file, inputs, outputs, scalars, overrides, entry } = kernel;
  const wrong = (what: string): RangeError => new RangeError(`${kernel.id}: ${what}`);
  if (!module.entries.includes(entry)) {
    throw wrong(`${file} has no entry point ${entry}, only ${module.entries.join(", ") || "none"}`);
  }
  for (const [name, spec] of [...Object.entries(inputs), ...Object.entries(outputs)]) {
    const bindings = module.bindings.filter((binding) => binding.name === name);
    if (bindings.length !== 1) throw wrong(`${file} has ${bindings.length} bindings ${name}, expected 1`);
    const { axes, access, line } = bindings[0]!;
    const declared = axesOf(spec).join(",");
    if (axes !== declared) {
      throw wrong(`${file}:${line} ${name} is commented [${axes ?? "nothing"}], declared [${declared}]`);
    }
    if (name in outputs && name in inputs) throw wrong(`${name} is both an input and an output; name one of them anew`);
    if (name in outputs && access !== "read_write")
      throw wrong(`${file}:${line} ${name} is ${access}, expected read_write`);
  }
  const axes = new Set(Object.values(inputs).flatMap(lettersOf));
  const outputAxes = new Set(Object.values(outputs).flatMap(lettersOf));
  const known = new Set([...axes, ...scalars]);
  for (const axis of outputAxes) {
    if (!known.has(axis)) throw wrong(`axis ${axis} of the outputs is neither an axis of an input nor a scalar`);
  }
  for (const { name } of module.dims) {
    if (!known.has(name))
      throw wrong(`${file} has the field ${name}, which is neither an axis of an input nor a scalar`);
  }
  for (const name of scalars) {
    if (!outputAxes.has(name) && !module.dims.some((field) => field.name === name)) {
      throw wrong(`scalar ${name} is not a field of ${file}'s uniform struct`);
    }
  }
  for (const name of kernel.wide) if (!(name in outputs)) throw wrong(`${name} is wide, but no output`);
  for (const name of Object.keys(overrides)) {
    if (!module.overrides.some((override) => override.name === name)) throw wrong(`${file} has no override ${name}`);
  }
}
