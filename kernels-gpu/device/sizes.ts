// How much of a buffer a tensor takes, held against what the device binds before anything is allocated.
import { sizeOf } from "../../reference/tensor.ts";
import { guardLength } from "./guards.ts";
import { elementSize, type StoredType } from "./packed.ts";
import { wordsFor } from "./tensors.ts";

/** A whole vec4: bindings are made of them, and none is empty. */
const VEC4 = 16;

/** Bytes that one tensor may take on a device, its guard included. */
export function mostBytesOf({ limits }: Pick<GPUDevice, "limits">): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** A guard is as long as a row and 256 numbers: room for those of rows up to 260,000. */
const ROOM_FOR_GUARD = 2 ** 20;

/** Bytes that the numbers of one tensor may take on a device, next to their guard. */
export function heldBytesOf(device: Pick<GPUDevice, "limits">): number {
  return mostBytesOf(device) - ROOM_FOR_GUARD;
}

/** Bytes of a tensor's buffer, in checked mode with its guard. */
export function bufferBytes(shape: readonly number[], type: StoredType, isChecked: boolean): number {
  const words = wordsFor(sizeOf(shape) + (isChecked ? guardLength(shape) : 0), type);
  return Math.max(VEC4, Math.ceil((4 * words) / VEC4) * VEC4);
}

/** The same. Throws RangeError, with the size that would fit, where it is more than `most`. */
export function checkedBytes(
  label: string,
  shape: readonly number[],
  type: StoredType,
  isChecked: boolean,
  most: number,
): number {
  const bytes = bufferBytes(shape, type, isChecked);
  if (bytes <= most) return bytes;
  const guard = isChecked ? guardLength(shape) : 0;
  const elements = Math.max(0, Math.floor(most / VEC4) * (VEC4 / elementSize(type)) - guard);
  throw new RangeError(
    `${label} [${shape}] takes ${bytes} bytes, this device binds at most ${most}, expected at most ${elements} elements`,
  );
}
