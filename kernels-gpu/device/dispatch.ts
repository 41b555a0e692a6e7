// A dispatch before it is recorded: do the inputs fit the kernel, how are its outputs stored, how many workgroups run?
import { resolveAxes, shapeFrom } from "./axes.ts";
import { type KernelDeclaration, MOST_WORKGROUPS } from "./declaration.ts";
import { type ByName, sameNames } from "./names.ts";
import { isLow, type LowType, packedSource, type StoredType } from "./packed.ts";
import { bindingsOf } from "./pipelines.ts";
import type { KernelText } from "./substitutes.ts";
import type { DeviceTensor } from "./tensors.ts";
import { type Binding, packDims } from "./wgsl.ts";

/** The arguments of a dispatch. */
export interface Given {
  readonly text: KernelText;
  readonly constants: Readonly<Record<string, number>>;
  readonly inputs: ByName<string, DeviceTensor>;
  readonly scalars: ByName<string, number>;
  /** Storage of non-wide float32 outputs, whatever the inputs are. */
  readonly stored?: LowType | "f32" | undefined;
  /** Storage of those outputs when no input determines it. */
  readonly otherwise?: LowType | undefined;
}

/** A dispatch, ready to be recorded. */
export interface DispatchPlan {
  /** In the order of the kernel's inputs, then its outputs. */
  readonly bindings: readonly Binding[];
  readonly outputs: ByName<string, { readonly shape: readonly number[]; readonly type: StoredType }>;
  /** The text, changed where a tensor is stored in 16 bits. */
  readonly source: KernelText;
  readonly groups: readonly number[];
  readonly dims: ArrayBuffer | undefined;
}

/** Throws RangeError when names, types or shapes do not fit the kernel, SyntaxError where its text cannot store 16 bits. */
export function planDispatch(kernel: KernelDeclaration, given: Given): DispatchPlan {
  const { text, constants, inputs, scalars } = given;
  const { id } = kernel;
  sameNames(`${id}: inputs`, Object.keys(kernel.inputs), Object.keys(inputs));
  sameNames(`${id}: scalars`, kernel.scalars, Object.keys(scalars));
  const bindings = bindingsOf(kernel, text.module);
  const low = lowInputs(id, bindings, inputs);
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const lengths = within(id, () => resolveAxes(kernel.inputs, shapes, scalars));
  const defaults = Object.fromEntries(text.module.overrides.map(({ name, value }) => [name, value]));
  const groups = checkGroups(id, kernel.workgroups({ ...lengths, ...defaults, ...constants } as never));
  const { dimsIndex, dims: fields } = text.module;
  const dims = dimsIndex === undefined ? undefined : within(id, () => packDims(fields, lengths));

  const outputs: Record<string, { shape: number[]; type: StoredType }> = {};
  const [ofInputs] = low.values();
  for (const [name, spec] of Object.entries(kernel.outputs)) {
    const { type: declared } = bindings.find((binding) => binding.name === name)!;
    const isWide = declared !== "f32" || kernel.wide.includes(name);
    const type = isWide ? declared : (given.stored ?? ofInputs ?? given.otherwise ?? declared);
    if (isLow(type)) low.set(name, type);
    outputs[name] = { shape: within(id, () => shapeFrom(name, spec, lengths)), type };
  }
  return { bindings, outputs, source: within(id, () => packedSource(kernel.file, text, low)), groups, dims };
}

/** The inputs of float32 that are stored low, all alike. */
function lowInputs(
  id: string,
  bindings: readonly Binding[],
  inputs: ByName<string, DeviceTensor>,
): Map<string, LowType> {
  const low = new Map<string, LowType>();
  for (const { name, type } of bindings) {
    const input = inputs[name];
    if (input === undefined) continue;
    if (isLow(input.type) && type === "f32") low.set(name, input.type);
    else if (input.type !== type) {
      throw new RangeError(`${id}: ${name} (${input.label}) is ${input.type}, expected ${type}`);
    }
  }
  const [first, ...others] = new Set(low.values());
  if (others.length > 0) throw new RangeError(`${id}: inputs are stored as ${first} and ${others[0]}, expected one`);
  return low;
}

function within<T>(id: string, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw new RangeError(`${id}: ${(error as Error).message}`, { cause: error });
  }
}

function checkGroups(id: string, groups: readonly number[]): readonly number[] {
  const fits = groups.length >= 1 && groups.length <= 3;
  if (!fits || !groups.every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_WORKGROUPS)) {
    throw new RangeError(
      `${id}: workgroups are [${groups}], expected 1 to 3 whole numbers from 0 to ${MOST_WORKGROUPS}`,
    );
  }
  return groups;
}
