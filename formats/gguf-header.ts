// Reads and writes the header of a GGUF file (ggml, docs/gguf.md); a file is read as if an enemy had written it.
//
//     file   = "GGUF" [ version : uint32 ] [ tensors : uint64 ] [ fields : uint64 ] { field } { tensor } padding data
//     field  = [ key : string ] [ type : uint32 ] [ value ],      string = [ bytes : uint64 ] UTF-8
//     array  = [ type : uint32 ] [ length : uint64 ] { value }
//     tensor = [ name : string ] [ axes : uint32 ] { length : uint64 } [ ggml's type : uint32 ] [ offset : uint64 ]
//
// A tensor's axes are listed innermost first. Offsets count from the start of the data, which is aligned.
import { FormatError, quote } from "./error.ts";
import type { InputFile } from "./input.ts";

export const scalarTypes = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64",
] as const;
export type GgufType = Exclude<(typeof scalarTypes)[number], "array">;

export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** A value of the metadata, or an array of values of one type (bools as bytes). Integers of 64 bits are BigInts. */
export interface GgufField {
  readonly type: GgufType;
  readonly value: number | bigint | boolean | string | readonly string[] | GgufNumbers;
}

export type GgufMetadata = ReadonlyMap<string, GgufField>;

export interface GgufTensor {
  /** ggml's number for its type. */
  readonly type: number;
  /** Outermost axis first. */
  readonly shape: readonly number[];
  /** Bytes from the start of the data. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The byte of the file at which the data begin. */
  readonly dataStart: number;
}

/** Each type of a fixed length: its bytes, and the array that holds several. */
const numbers = {
  uint8: { size: 1, Memory: Uint8Array },
  int8: { size: 1, Memory: Int8Array },
  uint16: { size: 2, Memory: Uint16Array },
  int16: { size: 2, Memory: Int16Array },
  uint32: { size: 4, Memory: Uint32Array },
  int32: { size: 4, Memory: Int32Array },
  float32: { size: 4, Memory: Float32Array },
  bool: { size: 1, Memory: Uint8Array },
  uint64: { size: 8, Memory: BigUint64Array },
  int64: { size: 8, Memory: BigInt64Array },
  float64: { size: 8, Memory: Float64Array },
} as const;

export const magic = "GGUF";
const versions = new Set([2, 3]);
const defaultAlignment = 32;
/** ggml's limits. */
const mostAxes = 4;
const longestName = 64;
/** A vocabulary of 128 thousand pieces and its merges take some 10 MB. */
const longestHeader = 2 ** 26;
/** Fields, tensors, and strings of an array: each takes some hundred bytes of memory. */
const mostItems = 2 ** 20;

/** Reads and checks the header. Throws FormatError. */
export function readGgufHeader(file: InputFile): GgufHeader {
  const { path } = file;
  const read = scanner(file);
  const found = String.fromCharCode(...read.bytes(4, "the magic number"));
  if (found !== magic) throw new FormatError(path, `begins with ${quote(found)}, expected "GGUF"`);
  const version = read.uint32();
  if (!versions.has(version)) {
    const isSwapped = version > 0 && version % 2 ** 24 === 0;
    const what = isSwapped
      ? "is a big-endian GGUF file, expected a little-endian one"
      : `is GGUF version ${version}, expected 2 or 3`;
    throw new FormatError(path, what);
  }
  // The fewest bytes that a tensor or a field takes: those of an empty name and a number.
  const tensorCount = read.count("tensors", 8 + 4 + 4 + 8, mostItems);
  const fieldCount = read.count("fields", 8 + 4 + 1, mostItems);
  const metadata = new Map<string, GgufField>();
  for (let i = 0; i < fieldCount; i++) {
    const key = read.string(`the key of field ${i}`);
    if (metadata.has(key)) throw new FormatError(path, `has the field ${quote(key)} twice, expected it once`);
    metadata.set(key, readField(read, key, path));
  }
  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < tensorCount; i++) {
    const name = read.string(`the name of tensor ${i}`);
    if (tensors.has(name)) throw new FormatError(path, `has the tensor ${quote(name)} twice, expected it once`);
    tensors.set(name, readTensor(read, name, path));
  }
  const alignment = alignmentOf(path, metadata);
  for (const [name, { offset }] of tensors) {
    if (offset % alignment === 0) continue;
    throw new FormatError(path, `tensor ${quote(name)} lies at offset ${offset}, expected a multiple of ${alignment}`);
  }
  return { metadata, tensors, dataStart: alignedUp(read.position(), alignment) };
}

function alignmentOf(path: string, metadata: GgufMetadata): number {
  const field = metadata.get("general.alignment");
  if (field === undefined) return defaultAlignment;
  const { type, value } = field;
  if (type === "uint32" && typeof value === "number" && value > 0 && Number.isInteger(Math.log2(value))) return value;
  throw new FormatError(path, `general.alignment is ${describeField(field)}, expected a power of two (uint32)`);
}

export function alignedUp(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}

type Scanner = ReturnType<typeof scanner>;

/** Reads a file from its start, through a window. */
function scanner(file: InputFile) {
  const { path } = file;
  const limit = Math.min(file.size, longestHeader);
  let window = new Uint8Array(0);
  let windowStart = 0;
  let at = 0;

  /** The next bytes: a view that is valid until the next call. */
  function bytes(length: number, what: string): Uint8Array {
    if (!(at + length <= limit)) {
      const end = limit === file.size ? "where the file ends" : "beyond which no header is read";
      throw new FormatError(
        path,
        `has ${length} bytes of ${what} at byte ${at}, expected them before byte ${limit}, ${end}`,
      );
    }
    if (at < windowStart || at + length > windowStart + window.length) {
      window = new Uint8Array(Math.min(Math.max(length, 2 ** 16), limit - at));
      file.read(at, window);
      windowStart = at;
    }
    at += length;
    return window.subarray(at - length - windowStart, at - windowStart);
  }
  /** The next bytes in memory of their own, not in the window too. */
  function copy(length: number, what: string): Uint8Array<ArrayBuffer> {
    if (length <= 2 ** 16 || !(at + length <= limit)) return bytes(length, what).slice();
    const into = new Uint8Array(length);
    file.read(at, into);
    at += length;
    return into;
  }
  function view(length: number, what: string): DataView {
    const part = bytes(length, what);
    return new DataView(part.buffer, part.byteOffset, length);
  }
  function uint32(): number {
    return view(4, "a number").getUint32(0, true);
  }
  function natural(what: string): number {
    const value = view(8, what).getBigUint64(0, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new FormatError(path, `${what} is ${value}, expected at most 2⁵³ − 1`);
    return Number(value);
  }
  /** The number of items that follow, of at least `least` bytes each: no more than the header has room for, or `most`. */
  function count(what: string, least: number, most = Infinity): number {
    const value = natural(`the number of ${what}`);
    const room = Math.min(Math.floor((limit - at) / least), most);
    if (value > room) {
      throw new FormatError(path, `has ${value} ${what} from byte ${at} on, expected at most ${room}`);
    }
    return value;
  }
  function string(what: string): string {
    const part = bytes(count(`bytes of ${what}`, 1), what);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
    } catch {
      throw new FormatError(path, `has ${what} at byte ${at - part.length} that is not UTF-8`);
    }
  }
  return { bytes, copy, view, uint32, natural, count, string, position: () => at };
}

function typeName(path: string, key: string, type: number): (typeof scalarTypes)[number] {
  const name = scalarTypes[type];
  if (name !== undefined) return name;
  throw new FormatError(path, `the field ${quote(key)} has type ${type}, expected 0 to ${scalarTypes.length - 1}`);
}

function readField(read: Scanner, key: string, path: string): GgufField {
  const type = typeName(path, key, read.uint32());
  if (type !== "array") return { type, value: readScalar(read, key, type) };
  const element = typeName(path, key, read.uint32());
  if (element === "array")
    throw new FormatError(path, `the field ${quote(key)} is an array of arrays, which is not supported`);
  if (element === "string") {
    const value: string[] = [];
    const length = read.count(`strings of ${quote(key)}`, 8, mostItems);
    for (let i = 0; i < length; i++) value.push(read.string(`element ${i} of ${quote(key)}`));
    return { type: element, value };
  }
  const { size, Memory } = numbers[element];
  const length = read.count(`numbers of ${quote(key)}`, size);
  const bytes = read.copy(length * size, quote(key));
  return { type: element, value: new Memory(bytes.buffer, 0, length) };
}

function readScalar(read: Scanner, key: string, type: GgufType): GgufField["value"] {
  if (type === "string") return read.string(quote(key));
  const view = read.view(numbers[type].size, quote(key));
  if (type === "bool") return view.getUint8(0) !== 0;
  if (type === "uint8") return view.getUint8(0);
  if (type === "int8") return view.getInt8(0);
  if (type === "uint16") return view.getUint16(0, true);
  if (type === "int16") return view.getInt16(0, true);
  if (type === "uint32") return view.getUint32(0, true);
  if (type === "int32") return view.getInt32(0, true);
  if (type === "float32") return view.getFloat32(0, true);
  if (type === "uint64") return view.getBigUint64(0, true);
  return type === "int64" ? view.getBigInt64(0, true) : view.getFloat64(0, true);
}

function readTensor(read: Scanner, name: string, path: string): GgufTensor {
  const what = `tensor ${quote(name)}`;
  if (name.length > longestName)
    throw new FormatError(path, `${what} has a name of ${name.length} characters, expected ${longestName}`);
  const axes = read.uint32();
  if (axes > mostAxes) throw new FormatError(path, `${what} has ${axes} axes, expected at most ${mostAxes}`);
  const shape = Array.from({ length: axes }, () => read.natural(`an axis of ${what}`)).toReversed();
  const type = read.uint32();
  return { type, shape, offset: read.natural(`the offset of ${what}`) };
}

/** A field's value, short enough for a line. */
export function describeField(field: GgufField | undefined): string {
  if (field === undefined) return "missing";
  const { type, value } = field;
  if (typeof value === "object") return `an array of ${value.length} (${type})`;
  return `${typeof value === "string" ? quote(value) : String(value)} (${type})`;
}

/** The bytes of a header, padded to where the data begin. `tensors` are in the order of the file. Throws RangeError. */
export function encodeGgufHeader(metadata: GgufMetadata, tensors: ReadonlyMap<string, GgufTensor>): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  function put(bytes: Uint8Array): void {
    parts.push(bytes);
    length += bytes.length;
  }
  const uint32 = (value: number): void => put(scalarBytes("uint32", value));
  const uint64 = (value: number): void => put(scalarBytes("uint64", value));
  function string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    uint64(bytes.length);
    put(bytes);
  }
  put(new TextEncoder().encode(magic));
  uint32(3);
  uint64(tensors.size);
  uint64(metadata.size);
  for (const [key, { type, value }] of metadata) {
    string(key);
    if (typeof value === "object") {
      uint32(scalarTypes.indexOf("array"));
      uint32(scalarTypes.indexOf(type));
      uint64(value.length);
      if (!ArrayBuffer.isView(value)) for (const element of value) string(element);
      else put(new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice());
    } else {
      uint32(scalarTypes.indexOf(type));
      if (typeof value === "string") string(value);
      else if (type !== "string") put(scalarBytes(type, value));
    }
  }
  for (const [name, { type, shape, offset }] of tensors) {
    string(name);
    uint32(shape.length);
    for (const axis of shape.toReversed()) uint64(axis);
    uint32(type);
    uint64(offset);
  }
  const header = new Uint8Array(alignedUp(length, defaultAlignment));
  let at = 0;
  for (const part of parts) {
    header.set(part, at);
    at += part.length;
  }
  return header;
}

function scalarBytes(type: Exclude<GgufType, "string">, value: number | bigint | boolean): Uint8Array {
  const { size, Memory } = numbers[type];
  const array = new Memory(1);
  array[0] = array instanceof BigUint64Array || array instanceof BigInt64Array ? BigInt(value) : Number(value);
  return new Uint8Array(array.buffer, 0, size);
}
