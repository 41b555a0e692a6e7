// Tensors on the device, and the words by which the host writes and reads them.
import { type Floats, type Ints, type Tensor, sizeOf } from "../../reference/tensor.ts";
import type { Memory } from "./buffers.ts";
import { elementsIn, fromHalves, isLow, type LowType, elementSize, type StoredType, toHalves } from "./packed.ts";

/**
 * A tensor on the device: contiguous, row-major.
 *
 * @example
 * ```ts
 * import type { DeviceTensor } from "touchstone-llama/webgpu";
 *
 * // The same numbers in one row.
 * const flat = (t: DeviceTensor): DeviceTensor => ({ ...t, shape: [t.shape.reduce((n, length) => n * length, 1)] });
 * ```
 */
export interface DeviceTensor {
  readonly memory: Memory;
  readonly shape: readonly number[];
  readonly type: StoredType;
  /** Where it comes from: "swiglu.forward y". */
  readonly label: string;
}

/** Elements as they lie in a buffer. */
export type Elements = Uint32Array | Uint16Array;

/** Words of 4 bytes that so many elements take. */
export function wordsFor(elements: number, type: StoredType): number {
  return Math.ceil((elements * elementSize(type)) / 4);
}

/** A host tensor's elements as they are stored. Throws TypeError for other storage, RangeError unless they fill the shape. */
export function elementsOf(
  { data, shape }: Tensor<Floats | Ints>,
  label: string,
  low?: LowType,
): { type: StoredType; elements: Elements } {
  if (!(data instanceof Float32Array || data instanceof Int32Array)) {
    throw new TypeError(`${label} is a ${data.constructor.name}, expected Float32Array or Int32Array`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`${label} has shape [${shape}] but holds ${data.length} numbers`);
  }
  if (data instanceof Float32Array && low !== undefined) return { type: low, elements: toHalves(data, low) };
  if (low !== undefined) throw new TypeError(`${label} holds integers, not ${low}`);
  const elements = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return { type: data instanceof Int32Array ? "i32" : "f32", elements };
}

/** Words as numbers of the tensor's type; u32 as Int32Array of the same bits. */
export function asTensor({ shape, type }: DeviceTensor, words: Uint32Array): Tensor<Float32Array | Int32Array> {
  if (isLow(type)) {
    const halves = elementsIn(words, type).subarray(0, sizeOf(shape)) as Uint16Array;
    return { data: fromHalves(halves, type), shape };
  }
  const Storage = type === "f32" ? Float32Array : Int32Array;
  return { data: new Storage(words.buffer as ArrayBuffer, words.byteOffset, sizeOf(shape)), shape };
}
