// The checks of a checked run: guards after every tensor, outputs that start as NaN, inputs that must stay unchanged.
import { sizeOf } from "../../reference/tensor.ts";
import type { Memory } from "./buffers.ts";
import { elementsIn, isLow, type StoredType } from "./packed.ts";
import type { DeviceTensor, Elements } from "./tensors.ts";
import { counted } from "../../reference/words.ts";

/** Elements of a tensor that are not as they should be. */
export interface Offence {
  readonly tensor: string;
  readonly elements: number;
  /** Index of the first. */
  readonly first: number;
}

/** The findings of a checked run; all empty if the kernels kept to their tensors. */
export interface MemoryReport {
  /** Tensors beyond whose end the kernels wrote; the index counts from the tensor's start. */
  readonly writtenBeyondEnd: readonly Offence[];
  /** Inputs that the kernels changed. */
  readonly inputsChanged: readonly Offence[];
  /** Outputs with elements that were never written. */
  readonly neverWritten: readonly Offence[];
}

// Quiet NaNs with a payload for each tensor. Arithmetic hands payloads on, so a guard that is overwritten by a number
// computed from another tensor's guard must not look the same. Halves are NaN as bfloat16 and as float16.
const PAYLOADS = 2 ** 16;
const HALF_PAYLOADS = 2 ** 5;
export const guardOf = (serial: number, type: StoredType): number =>
  isLow(type) ? 0x7fc0 + (serial % HALF_PAYLOADS) : 0x7fc6_0000 + (serial % PAYLOADS);
export const unwrittenOf = (serial: number, type: StoredType): number =>
  isLow(type) ? 0x7fe0 + (serial % HALF_PAYLOADS) : 0x7fd5_0000 + (serial % PAYLOADS);

// The guard holds one workgroup's overhang (256 invocations at most) and one row. Dawn clamps an index beyond the binding
// to its last element, so a write however far past the end lands in the guard too.
export const guardLength = (shape: readonly number[]): number => 256 + (shape.at(-1) ?? 0);

/** A tensor as it was before the kernels ran. */
export interface Guarded {
  readonly tensor: DeviceTensor;
  /** The elements that the host uploaded; false if none. */
  readonly upload: Elements | boolean;
  /** The number of the payload in its guard. */
  readonly serial: number;
}

/** Compares the words of every tensor with what they should be: guards and uploads as they were, outputs written. */
export function inspected(
  all: readonly Guarded[],
  words: ReadonlyMap<Memory, Uint32Array>,
  outputs: ReadonlySet<Memory>,
): MemoryReport {
  const report = { writtenBeyondEnd: [] as Offence[], inputsChanged: [] as Offence[], neverWritten: [] as Offence[] };
  for (const { tensor, upload, serial } of all) {
    const { label, memory, shape, type } = tensor;
    const elements = elementsIn(words.get(memory)!, type);
    const size = sizeOf(shape);
    const guard = guardOf(serial, type);
    const unwritten = unwrittenOf(serial, type);
    noteOffence(report.writtenBeyondEnd, label, elements.subarray(size), size, (element) => element !== guard);
    const own = elements.subarray(0, size);
    if (typeof upload === "object")
      noteOffence(report.inputsChanged, label, own, 0, (element, i) => element !== upload[i]);
    if (outputs.has(memory)) noteOffence(report.neverWritten, label, own, 0, (element) => element === unwritten);
  }
  return report;
}

/** Adds an entry to the list when elements offend; the first of them is element `from` of the tensor. */
function noteOffence(
  list: Offence[],
  tensor: string,
  elements: Elements,
  from: number,
  offends: (element: number, i: number) => boolean,
): void {
  let count = 0;
  let first = -1;
  for (let i = 0; i < elements.length; i++) {
    if (!offends(elements[i]!, i)) continue;
    if (count === 0) first = from + i;
    count++;
  }
  if (count > 0) list.push({ tensor, elements: count, first });
}

/** One line for each offence, e.g. "swiglu.forward y: 3 elements written past its end, first at [130]"; none when clean. */
export function offences(report: MemoryReport): string[] {
  return [
    ...lines(report.writtenBeyondEnd, "written past its end"),
    ...lines(report.inputsChanged, "of the input changed"),
    ...lines(report.neverWritten, "never written"),
  ];
}

function lines(list: readonly Offence[], what: string): string[] {
  return list.map(
    ({ tensor, elements, first }) => `${tensor}: ${counted(elements, "element")} ${what}, first at [${first}]`,
  );
}
