// What a checked run looks for: guards behind every tensor, outputs that start as NaN, inputs that must stay as they are.
import { isLow, type StoredType } from "./packed.ts";

/** Elements that are not as they were. */
export interface Offence {
  readonly tensor: string;
  readonly elements: number;
  /** Index of the first. */
  readonly first: number;
}

/** What a checked run found; all empty when the kernels kept to their tensors. */
export interface Hygiene {
  /** Tensors behind whose end something was written; the index counts from the tensor's start. */
  readonly writtenBeyondEnd: readonly Offence[];
  /** Inputs that the kernels changed. */
  readonly inputsChanged: readonly Offence[];
  /** Outputs with elements that were never written. */
  readonly neverWritten: readonly Offence[];
}

// Quiet NaNs with a payload for each tensor. Arithmetic hands payloads on, so a guard that is overwritten by what was
// computed from another tensor's guard must not look the same. Halves are NaN as bfloat16 and as float16.
const PAYLOADS = 2 ** 16;
const HALF_PAYLOADS = 2 ** 5;
export const guardOf = (serial: number, type: StoredType): number =>
  isLow(type) ? 0x7fc0 + (serial % HALF_PAYLOADS) : 0x7fc6_0000 + (serial % PAYLOADS);
export const unwrittenOf = (serial: number, type: StoredType): number =>
  isLow(type) ? 0x7fe0 + (serial % HALF_PAYLOADS) : 0x7fd5_0000 + (serial % PAYLOADS);

// The guard takes one workgroup's overhang (256 invocations at most) or one row. Dawn clamps an index beyond the binding
// to its last element, so a write however far behind the end lands in the guard too.
export const guardLength = (shape: readonly number[]): number => 256 + (shape.at(-1) ?? 0);

/** Adds an entry to the list when elements from..to offend. */
export function note(
  list: Offence[],
  tensor: string,
  all: Uint32Array | Uint16Array,
  from: number,
  to: number,
  offends: (element: number, i: number) => boolean,
): void {
  let elements = 0;
  let first = -1;
  for (let i = from; i < to; i++) {
    if (!offends(all[i]!, i)) continue;
    if (elements === 0) first = i;
    elements++;
  }
  if (elements > 0) list.push({ tensor, elements, first });
}

/** One line for each offence, e.g. "swiglu.forward y: 3 elements written behind its end, first at [130]"; none when clean. */
export function offences(hygiene: Hygiene): string[] {
  return [
    ...lines(hygiene.writtenBeyondEnd, "written behind its end"),
    ...lines(hygiene.inputsChanged, "of the input changed"),
    ...lines(hygiene.neverWritten, "never written"),
  ];
}

function lines(list: readonly Offence[], what: string): string[] {
  return list.map(({ tensor, elements, first }) => `${tensor}: ${elements} elements ${what}, first at [${first}]`);
}
