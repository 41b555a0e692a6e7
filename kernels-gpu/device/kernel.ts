// Kernels and programs are declared: a kernel is one entry point of a WGSL text, checked against that text.
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Specs } from "./axes.ts";
import { checkKernel, type KernelDeclaration } from "./declaration.ts";
import type { Device } from "./device.ts";
import { call } from "./launch.ts";
import type { ByName } from "./names.ts";
import type { Kernel, KernelProgram, KernelSizes, TypedProgram } from "./program.ts";
import { parseWgsl } from "./wgsl.ts";

/**
 * The declaration of a kernel.
 *
 * @example
 * ```ts
 * import { type KernelOptions, spread } from "touchstone-llama/webgpu";
 *
 * type Add = KernelOptions<{ a: "N"; b: "N" }, { y: "N" }, never, { WG: number }>;
 * const workgroups: Add["workgroups"] = ({ N, WG }) => spread(Math.ceil(N / WG));
 * ```
 */
export interface KernelOptions<I extends Specs, O extends Specs, S extends string, V> {
  /** The op that it computes, "swiglu.forward", or another name for its messages; the text is then called `${id}.wgsl`. */
  readonly id: string;
  /** The WGSL text. */
  readonly source: string;
  /** The entry point; "main" if left out. */
  readonly entry?: string;
  /** Each input's axes, as in the comment on its binding. */
  readonly inputs: I;
  readonly outputs: O;
  /** The outputs that stay float32 when inputs are stored in 16 bits: statistics, losses, partial sums. */
  readonly wide?: readonly (keyof O & string)[];
  /** The fields of the uniform struct that are not axes of an input: eps, or T where only an output has it. */
  readonly scalars?: readonly S[];
  /** Values that replace the text's defaults. */
  readonly overrides?: V;
  /** One to three numbers of workgroups, each at most 65,535, from every length by name; zero dispatches nothing. */
  readonly workgroups: (sizes: KernelSizes<I, O, S, V>) => readonly number[];
}

/**
 * Declares a kernel and checks it against its text: each tensor has a binding of its name whose comment shows its axes,
 * outputs can be written, each field of the uniform struct is an axis or a scalar, each override exists.
 *
 * @example
 * ```ts
 * import { tensor } from "touchstone-llama";
 * import { openDevice } from "touchstone-llama/node";
 * import { defineKernel, spread } from "touchstone-llama/webgpu";
 *
 * const add = defineKernel({
 *   id: "add.forward",
 *   source: `
 *     override WG: u32 = 64;
 *     struct Dims { N: u32 }
 *     @group(0) @binding(0) var<uniform>             dims: Dims;
 *     @group(0) @binding(1) var<storage, read>       a: array<f32>;  // [N]
 *     @group(0) @binding(2) var<storage, read>       b: array<f32>;  // [N]
 *     @group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [N]
 *     @compute @workgroup_size(WG)
 *     fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
 *       let i = id.x + id.y * groups.x * WG;
 *       if (i < dims.N) { y[i] = a[i] + b[i]; }
 *     }`,
 *   inputs: { a: "N", b: "N" },
 *   outputs: { y: "N" },
 *   overrides: { WG: 64 },
 *   workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
 * });
 * const device = await openDevice(); // or a browser's GPUDevice
 * const a = tensor(new Float32Array([1, 2]), [2]);
 * const { y } = await add(device, { a, b: a }); // y.data: [2, 4]
 * device.close();
 * ```
 *
 * Throws TypeError if id, source or workgroups are missing, RangeError or SyntaxError, which name the text and the mismatch, if
 * they do not fit.
 */
export function defineKernel<
  const I extends Specs,
  const O extends Specs,
  const S extends string = never,
  const V extends Readonly<Record<string, number>> = Readonly<Record<never, number>>,
>(options: KernelOptions<I, O, S, V>): Kernel<I, O, S> {
  checkOptions(options);
  const { source, entry = "main", inputs, outputs, wide = [], scalars = [], overrides = {}, workgroups } = options;
  const file = `${options.id}.wgsl`;
  const kernel: KernelDeclaration = {
    id: entry === "main" ? options.id : `${options.id}:${entry}`,
    file,
    entry,
    inputs,
    outputs,
    scalars,
    wide,
    overrides,
    source,
    module: parseWgsl(file, source),
    workgroups: (sizes) => workgroups(sizes as KernelSizes<I, O, S, V>),
  };
  checkKernel(kernel);
  const record: TypedProgram<I, O, S>["record"] = (run, given, values) =>
    run.dispatch(result, given, ...([values] as unknown as [ByName<S, number>]));
  const result = callable<I, O, S, KernelDeclaration>({ ...kernel, record } as never);
  return result;
}

/**
 * Declares an op that takes several dispatches. `record` may look at shapes, release what it no longer needs, and call
 * another program's `record`.
 *
 * @example
 * ```ts
 * import { defineProgram, kernels } from "touchstone-llama/webgpu";
 *
 * // y = silu(gate) · up + gate, by two kernels.
 * const gated = defineProgram({
 *   id: "gated",
 *   inputs: { gate: "1,F", up: "1,F" },
 *   outputs: { y: "F" },
 *   record(run, { gate, up }) {
 *     const F = gate.shape[1]!;
 *     const { y } = run.dispatch(kernels["swiglu.forward"], { gate, up }); // [1, F]
 *     const sum = run.dispatch(kernels["add.forward"], { a: { ...y, shape: [F] }, b: { ...gate, shape: [F] } });
 *     run.release(y);
 *     return sum; // { y: [F] }
 *   },
 * });
 * gated.scalars; // []
 * ```
 *
 * Throws TypeError if id or record is missing.
 */
export function defineProgram<const I extends Specs, const O extends Specs, const S extends string = never>(program: {
  /** The op that it computes: "swiglu.forward". */
  readonly id: string;
  readonly inputs: I;
  readonly outputs: O;
  readonly scalars?: readonly S[];
  /** Records its dispatches, returns its outputs. */
  readonly record: TypedProgram<I, O, S>["record"];
}): TypedProgram<I, O, S> {
  if (typeof program.id !== "string" || program.id === "") throw new TypeError("a program has no id, expected its op");
  if (typeof program.record !== "function") throw new TypeError(`${program.id}: record is not a function`);
  return callable<I, O, S, object>({ ...program, scalars: program.scalars ?? [] } as never);
}

function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("a kernel is declared by an object, expected { id, source, inputs, outputs, workgroups }");
  }
  const { id, source, workgroups, inputs, outputs } = options as Partial<Record<string, unknown>>;
  if (typeof id !== "string" || id === "")
    throw new TypeError("a kernel has no id, expected its op, or its file's name");
  if (typeof source !== "string") throw new TypeError(`${id}: source is ${typeof source}, expected WGSL text`);
  if (typeof workgroups !== "function") throw new TypeError(`${id}: workgroups is not a function of the sizes`);
  for (const [part, specs] of Object.entries({ inputs, outputs })) {
    if (typeof specs !== "object" || specs === null) {
      throw new TypeError(`${id}: ${part} is ${typeof specs}, expected axes by name, such as { x: "R,C" }`);
    }
  }
}

type Members<I extends Specs, O extends Specs, S extends string> = Omit<TypedProgram<I, O, S>, never>;

function callable<I extends Specs, O extends Specs, S extends string, More>(
  members: Members<I, O, S> & More,
): TypedProgram<I, O, S> & More & Members<I, O, S> {
  const face = (device: GPUDevice | Device, values: ByName<string, Tensor<Floats | Ints> | number>) =>
    call(device, members as unknown as KernelProgram, values);
  return Object.assign(face, members) as never;
}
