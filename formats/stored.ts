// How weights are stored in checkpoints: float32, float16, bfloat16, and ggml's blocks of 8-bit integers.
//
//     q8_0:  32 numbers = [ d : float16 ] [ q : 32 × int8 ],   w = d · q,   which float32 holds exactly (11 + 7 bits)
import type { Floats, Tensor } from "../reference/tensor.ts";
import { piecesOf } from "./bytes.ts";
import { dtypes } from "./dtypes.ts";
import { FormatError, quote } from "./error.ts";
import { decodeFloat16 } from "../reference/halves.ts";
import type { InputFile } from "./input.ts";
import { checkRoom } from "./memory.ts";

/** The dtypes all of whose numbers are float32 numbers. */
export type FloatDType = "float32" | "float16" | "bfloat16";
/** The forms in which a checkpoint's weights may be stored. */
export type StoredDType = FloatDType | "q8_0";

export const floatDTypes: readonly FloatDType[] = ["float32", "float16", "bfloat16"];

/** Their names in safetensors. */
export const safetensorsNames = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** The dtype of a tensor of a safetensors file, by the name that the file gives it. Throws FormatError if no weight may have it. */
export function floatDTypeOf(path: string, fileName: string, stored: string): FloatDType {
  for (const [dtype, name] of Object.entries(safetensorsNames)) if (name === stored) return dtype as FloatDType;
  const wanted = Object.values(safetensorsNames).join(", ");
  throw new FormatError(path, `${quote(fileName)} has dtype ${stored}, expected one of ${wanted}`);
}

/** Numbers in a block of q8_0, and its bytes. */
export const q8Numbers = 32;
const q8Bytes = 2 + q8Numbers;

/** Numbers converted at a time: a multiple of a block. */
const chunk = 2 ** 16;

/** The bytes of `count` numbers; q8_0 holds whole blocks. */
export function storedBytes(dtype: StoredDType, count: number): number {
  return dtype === "q8_0" ? (count / q8Numbers) * q8Bytes : count * dtypes[safetensorsNames[dtype]].size;
}

/** Fills `into` with the numbers stored from `position` on, each exactly. Throws FormatError if the file ends too early. */
export function readStored(file: InputFile, position: number, dtype: StoredDType, into: Float32Array): void {
  if (dtype === "float32") {
    let at = position;
    for (const piece of piecesOf(into)) {
      file.read(at, piece);
      at += piece.length;
    }
    return;
  }
  for (let i = 0; i < into.length; i += chunk) {
    const part = into.subarray(i, i + chunk);
    const bytes = new Uint8Array(storedBytes(dtype, part.length));
    file.read(position + storedBytes(dtype, i), bytes);
    if (dtype === "q8_0") decodeBlocks(bytes, part);
    else decodeHalves(bytes, dtype, part);
  }
}

function decodeHalves(bytes: Uint8Array, dtype: "float16" | "bfloat16", into: Float32Array): void {
  const { decode } = dtypes[safetensorsNames[dtype]];
  const raw = new Uint16Array(bytes.buffer, bytes.byteOffset, into.length);
  for (let j = 0; j < into.length; j++) into[j] = decode(raw[j]);
}

function decodeBlocks(bytes: Uint8Array, into: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < into.length / q8Numbers; block++) {
    const at = block * q8Bytes;
    const d = decodeFloat16(view.getUint16(at, true));
    for (let j = 0; j < q8Numbers; j++) into[block * q8Numbers + j] = d * view.getInt8(at + 2 + j);
  }
}

/** An array of `count` numbers for a weight of a file. Throws FormatError if this machine has no room for it. */
export function allocateWeight(path: string, name: string, count: number): Float32Array {
  checkRoom(path, name, Float32Array.BYTES_PER_ELEMENT * count);
  try {
    return new Float32Array(count);
  } catch (error) {
    throw new FormatError(path, `${name} has ${count} numbers, expected few enough for one array`, { cause: error });
  }
}

/** Writes numbers, each rounded once. The pieces are valid until `write` returns. */
export function writeStored(data: Floats, dtype: FloatDType, write: (bytes: Uint8Array) => void): void {
  if (dtype === "float32" && data instanceof Float32Array) {
    for (const piece of piecesOf(data)) write(piece);
    return;
  }
  const { Raw, encode } = dtypes[safetensorsNames[dtype]];
  for (let i = 0; i < data.length; i += chunk) {
    const raw = new Raw(Math.min(chunk, data.length - i));
    for (let j = 0; j < raw.length; j++) raw[j] = encode(data[i + j]);
    for (const piece of piecesOf(raw)) write(piece);
  }
}

// The least number that rounding to a dtype makes infinite: half a last place above the dtype's largest.
const overflow: Record<FloatDType, number> = {
  float32: (2 - 2 ** -24) * 2 ** 127,
  float16: (2 - 2 ** -11) * 2 ** 15,
  bfloat16: (2 - 2 ** -8) * 2 ** 127,
};

/** Throws RangeError, naming the weight, if rounding to dtype would make a finite number infinite. */
export function checkFits(name: string, { data }: Tensor, dtype: FloatDType): void {
  const least = overflow[dtype];
  for (let i = 0; i < data.length; i++) {
    const magnitude = Math.abs(data[i]);
    if (magnitude >= least && magnitude < Infinity) {
      throw new RangeError(`${name} holds ${data[i]} at element ${i}, expected what ${dtype} can hold`);
    }
  }
}
