// The declaration of a kernel, and its check against the kernel's text.
import { type Specs, splitAxes, lettersOf } from "./axes.ts";
import type { ByName } from "./names.ts";
import type { WgslModule } from "./wgsl.ts";

/** WebGPU's default limit maxComputeWorkgroupsPerDimension. */
export const MOST_WORKGROUPS = 65_535;

/** One entry point of one WGSL text, its inputs and outputs with their axes: what a recorder needs to know of a kernel. */
export interface KernelDeclaration {
  /** "swiglu.forward", or "columns:finish" for an entry point other than main. */
  readonly id: string;
  /** The text's name in messages: "swiglu.forward.wgsl". */
  readonly file: string;
  readonly entry: string;
  readonly inputs: Specs;
  readonly outputs: Specs;
  readonly scalars: readonly string[];
  readonly wide: readonly string[];
  readonly overrides: Readonly<Record<string, number>>;
  readonly source: string;
  readonly module: WgslModule;
  workgroups(sizes: ByName<string, number>): readonly number[];
}

/**
 * [x, y] workgroups, at least n of them, each axis at most 65,535; [0, 1] for none. The kernel's index is then
 * `id.x + id.y * groups.x * WG`.
 *
 * @example
 * ```ts
 * import { spread } from "touchstone-llama/webgpu";
 *
 * spread(1000); // [1000, 1]
 * spread(70_000); // [35000, 2]
 * ```
 */
export function spread(n: number): [number, number] {
  if (n <= MOST_WORKGROUPS) return [n, 1];
  const y = Math.ceil(n / MOST_WORKGROUPS);
  return [Math.ceil(n / y), y];
}

/** Compares a declaration with a text, its own or a replacement. Throws RangeError. */
export function checkKernel(kernel: KernelDeclaration, module: WgslModule = kernel.module): void {
  const { id, file, entry } = kernel;
  if (!module.entries.includes(entry)) {
    throw wrong(id, `${file} has no entry point ${entry}, only ${module.entries.join(", ") || "none"}`);
  }
  checkBindings(kernel, module);
  checkFields(kernel, module);
  for (const name of kernel.wide) if (!(name in kernel.outputs)) throw wrong(id, `${name} is wide, but not an output`);
  for (const name of Object.keys(kernel.overrides)) {
    if (!module.overrides.some((override) => override.name === name))
      throw wrong(id, `${file} has no override ${name}`);
  }
}

/** Each tensor has one binding of its name, whose comment shows its axes; outputs can be written. */
function checkBindings({ id, file, inputs, outputs }: KernelDeclaration, module: WgslModule): void {
  for (const [name, spec] of [...Object.entries(inputs), ...Object.entries(outputs)]) {
    const bindings = module.bindings.filter((binding) => binding.name === name);
    if (bindings.length !== 1) throw wrong(id, `${file} has ${bindings.length} bindings ${name}, expected 1`);
    const { axes, access, line } = bindings[0]!;
    const declared = splitAxes(spec).join(",");
    if (axes !== declared) {
      throw wrong(id, `${file}:${line} ${name} is commented [${axes ?? "nothing"}], declared [${declared}]`);
    }
    if (!(name in outputs)) continue;
    if (name in inputs) throw wrong(id, `${name} is both an input and an output; rename one of them`);
    if (access !== "read_write") throw wrong(id, `${file}:${line} ${name} is ${access}, expected read_write`);
  }
}

/** Each axis of the outputs and each field of the uniform struct is an axis of an input or a scalar, and no scalar is unused. */
function checkFields({ id, file, inputs, outputs, scalars }: KernelDeclaration, module: WgslModule): void {
  const outputAxes = new Set(Object.values(outputs).flatMap(lettersOf));
  const known = new Set([...Object.values(inputs).flatMap(lettersOf), ...scalars]);
  for (const axis of outputAxes) {
    if (!known.has(axis)) throw wrong(id, `axis ${axis} of the outputs is neither an axis of an input nor a scalar`);
  }
  for (const { name } of module.dims) {
    if (!known.has(name)) {
      throw wrong(id, `${file} has the field ${name}, which is neither an axis of an input nor a scalar`);
    }
  }
  for (const name of scalars) {
    if (!outputAxes.has(name) && !module.dims.some((field) => field.name === name)) {
      throw wrong(id, `scalar ${name} is not a field of ${file}'s uniform struct`);
    }
  }
}

function wrong(id: string, what: string): RangeError {
  return new RangeError(`${id}: ${what}`);
}
