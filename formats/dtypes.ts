// How each dtype of safetensors is stored in a file, and which storage of reference/tensor.ts holds it in memory.
import type { Floats, Ints } from "../reference/tensor.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../reference/halves.ts";

export type DType =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

type Raw = Float64Array | Float32Array | Uint16Array | Int16Array | Int8Array | Uint8Array | Words;
type Words = Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

/** `stored` is an element of Raw, `value` one of Memory. */
interface Codec {
  /** Bytes an element. */
  readonly size: number;
  readonly Raw: new (length: number) => Raw;
  readonly Memory: { new (length: number): Floats | Ints; readonly BYTES_PER_ELEMENT: number };
  readonly decode: (stored: number | bigint) => number;
  readonly encode: (value: number) => number | bigint;
  /** The values that both the file and the memory can hold; floats round instead. */
  readonly range?: readonly [least: number, largest: number];
}

const int32 = [-(2 ** 31), 2 ** 31 - 1] as const;
const natural = [0, int32[1]] as const;
const same = (value: number): number => value;

/** Integers are held as int32, the storage of tokens: a number outside is an error, never wrapped. */
export const dtypes: Readonly<Record<DType, Codec>> = {
  F64: { size: 8, Raw: Float64Array, Memory: Float64Array, decode: Number, encode: same },
  F32: { size: 4, Raw: Float32Array, Memory: Float32Array, decode: Number, encode: same },
  F16: { size: 2, Raw: Uint16Array, Memory: Float32Array, decode: half(decodeFloat16), encode: encodeFloat16 },
  BF16: { size: 2, Raw: Uint16Array, Memory: Float32Array, decode: half(decodeBfloat16), encode: encodeBfloat16 },
  I64: { size: 8, Raw: BigInt64Array, Memory: Int32Array, decode: Number, encode: BigInt, range: int32 },
  I32: { size: 4, Raw: Int32Array, Memory: Int32Array, decode: Number, encode: same, range: int32 },
  I16: { size: 2, Raw: Int16Array, Memory: Int32Array, decode: Number, encode: same, range: [-(2 ** 15), 2 ** 15 - 1] },
  I8: { size: 1, Raw: Int8Array, Memory: Int32Array, decode: Number, encode: same, range: [-128, 127] },
  U64: { size: 8, Raw: BigUint64Array, Memory: Int32Array, decode: Number, encode: BigInt, range: natural },
  U32: { size: 4, Raw: Uint32Array, Memory: Int32Array, decode: Number, encode: same, range: natural },
  U16: { size: 2, Raw: Uint16Array, Memory: Int32Array, decode: Number, encode: same, range: [0, 2 ** 16 - 1] },
  U8: { size: 1, Raw: Uint8Array, Memory: Int32Array, decode: Number, encode: same, range: [0, 255] },
  BOOL: { size: 1, Raw: Uint8Array, Memory: Int32Array, decode: Number, encode: same, range: [0, 1] },
};

/** The names, for messages. */
export const dtypeNames = Object.keys(dtypes).join(", ");

export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** The dtype that stores the numbers as they are. */
export function dtypeOf(data: Floats | Ints): DType {
  if (data instanceof Float64Array) return "F64";
  return data instanceof Float32Array ? "F32" : "I32";
}

/** Whether the numbers can be stored as dtype: floats as floats (rounded), integers as integers (range-checked). */
export function isStorableAs(data: Floats | Ints, dtype: DType): boolean {
  return data instanceof Int32Array === (dtypes[dtype].Memory === Int32Array);
}

// 65,536 numbers, decoded once.
function half(decode: (bits: number) => number): Codec["decode"] {
  let table: Float32Array | undefined;
  return (stored) => (table ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => decode(bits)))[Number(stored)];
}
