// safetensors (https://huggingface.co/docs/safetensors):
//     file = [ n : little-endian uint64 ] [ header : JSON, n bytes ] [ data : each tensor's numbers, little-endian, row-major ]
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import { sizeOf } from "../reference/tensor.ts";
import { writeAtomically } from "./atomic.ts";
import { bytesOf, piecesOf } from "./bytes.ts";
import { type DType, dtypeOf, dtypes, isStorableAs } from "./dtypes.ts";
import { FormatError, quote } from "./error.ts";
import { openInput } from "./input.ts";
import { checkRoom } from "./memory.ts";
import { type Header, headerLength, longestHeader, parseHeader, type TensorEntry } from "./safetensors-header.ts";

export type { DType, TensorEntry };

/**
 * The contents of a whole file: tensors of any storage, in the order of the header.
 *
 * @example
 * ```ts
 * import { readSafetensors, type SafetensorsContent } from "touchstone-llama/node";
 *
 * const { tensors, metadata }: SafetensorsContent = readSafetensors("step.safetensors");
 * ```
 */
export interface SafetensorsContent {
  readonly metadata: Record<string, string>;
  readonly tensors: Map<string, Tensor<Floats | Ints>>;
}

/** An open file: its header in memory, its numbers on the disk. */
export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** In the order of the header. */
  readonly names: readonly string[];
  /**
   * One tensor: F64 as float64, other floats as float32, exactly; integers as int32. Throws FormatError if there is no
   * such tensor, if an integer lies outside int32, or if the file ends before its numbers do.
   */
  read(name: string): Tensor<Floats | Ints>;
  /** The same for real numbers: FormatError if the dtype is an integer's. */
  readFloats(name: string): Tensor;
  /** The same for integers: FormatError if the dtype is a float's. */
  readInts(name: string): Tensor<Ints>;
  close(): void;
}

/**
 * A tensor to write; `dtype` only if it differs from its storage's own (F64, F32 or I32).
 *
 * @example
 * ```ts
 * import { tensor } from "touchstone-llama";
 * import { type TensorToWrite, writeSafetensors } from "touchstone-llama/node";
 *
 * const y: TensorToWrite = { tensor: tensor(new Float32Array([1, 2]), [2]), dtype: "BF16" };
 * writeSafetensors("y.safetensors", new Map([["y", y]]));
 * ```
 */
export type TensorToWrite = Tensor<Floats | Ints> | { readonly tensor: Tensor<Floats | Ints>; readonly dtype: DType };

/** Elements converted at a time between a file's dtype and the storage in memory. */
const chunk = 2 ** 16;

/** Reads and checks the header only, whatever the file's length. Close it after use. Throws FormatError. */
export function openSafetensors(path: string): SafetensorsFile {
  const { size, read, close } = openInput(path, "a readable safetensors file");
  try {
    return { ...reader(path, size, read), close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Reads a whole file. Throws FormatError.
 *
 * @example
 * ```ts
 * import { readSafetensors } from "touchstone-llama/node";
 *
 * const { tensors } = readSafetensors("step.safetensors");
 * tensors.get("tokens")?.shape;
 * ```
 */
export function readSafetensors(path: string): SafetensorsContent {
  const file = openSafetensors(path);
  try {
    return content(file);
  } finally {
    file.close();
  }
}

/** The same from bytes in memory; `path` is named in messages. */
export function parseSafetensors(bytes: Uint8Array, path = "safetensors bytes"): SafetensorsContent {
  return content(
    reader(path, bytes.length, (position, into) => into.set(bytes.subarray(position, position + into.length))),
  );
}

/**
 * Writes through writeAtomically, tensor by tensor. The same arguments give the same bytes: names in the given order,
 * metadata sorted by code unit, the header padded with spaces to a multiple of 8. The data lie in descending element
 * size, so that every tensor is aligned for a reader that maps the file. Throws FormatError if the operating system
 * refuses; TypeError or RangeError, naming the tensor, if it cannot be stored so.
 *
 * @example
 * ```ts
 * import { ops, replay } from "touchstone-llama";
 * import { writeSafetensors } from "touchstone-llama/node";
 *
 * const { inputs } = replay("add.forward N=4 profile=unit seed=1", "add.forward");
 * const { y } = ops["add.forward"].reference(inputs, {});
 * writeSafetensors("outputs.safetensors", new Map([["y", y]]), { by: "me" });
 * ```
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const plan = layOut(tensors, metadata);
  writeAtomically(path, (write) => writePlan(plan, write));
}

/** The bytes that writeSafetensors would write, piece by piece; a piece is valid until `write` returns. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorToWrite>,
  metadata: Readonly<Record<string, string>>,
  write: (bytes: Uint8Array) => void,
): void {
  writePlan(layOut(tensors, metadata), write);
}

type ReadBytes = (position: number, into: Uint8Array) => void;

function reader(path: string, length: number, readBytes: ReadBytes): SafetensorsFile {
  const prefix = new Uint8Array(8);
  if (length >= 8) readBytes(0, prefix);
  const headerBytes = new Uint8Array(headerLength(path, prefix, length));
  readBytes(8, headerBytes);
  const dataStart = 8 + headerBytes.length;
  const { metadata, tensors }: Header = parseHeader(path, headerBytes, length - dataStart);

  function read(name: string): Tensor<Floats | Ints> {
    const entry = tensors.get(name);
    if (entry === undefined) {
      throw new FormatError(path, `has no tensor ${quote(name)} among its ${tensors.size}, expected one`);
    }
    return readTensor(path, name, entry, (position, into) => readBytes(dataStart + position, into));
  }
  function readFloats(name: string): Tensor {
    const { data, shape } = read(name);
    if (!(data instanceof Int32Array)) return { data, shape };
    throw new FormatError(path, `tensor ${quote(name)} has dtype ${tensors.get(name)?.dtype}, expected real numbers`);
  }
  function readInts(name: string): Tensor<Ints> {
    const { data, shape } = read(name);
    if (data instanceof Int32Array) return { data, shape };
    throw new FormatError(path, `tensor ${quote(name)} has dtype ${tensors.get(name)?.dtype}, expected integers`);
  }
  return { path, metadata, tensors, names: [...tensors.keys()], read, readFloats, readInts, close: () => {} };
}

function content(file: SafetensorsFile): SafetensorsContent {
  checkRoomFor(file, file.names);
  return { metadata: file.metadata, tensors: new Map(file.names.map((name) => [name, file.read(name)])) };
}

/** Throws FormatError where these tensors together are more than this machine has memory for; before any of them is read. */
export function checkRoomFor(
  { path, tensors }: Pick<SafetensorsFile, "path" | "tensors">,
  names: Iterable<string>,
): void {
  let bytes = 0;
  let count = 0;
  for (const name of names) {
    const entry = tensors.get(name);
    if (entry === undefined) continue;
    bytes += bytesInMemory(entry);
    count++;
  }
  if (count > 1) checkRoom(path, `${count} tensors`, bytes);
}

function bytesInMemory({ dtype, begin, end }: Pick<TensorEntry, "dtype" | "begin" | "end">): number {
  const { size, Memory } = dtypes[dtype];
  return ((end - begin) / size) * Memory.BYTES_PER_ELEMENT;
}

function readTensor(
  path: string,
  name: string,
  { dtype, shape, begin, end }: TensorEntry,
  readBytes: ReadBytes,
): Tensor<Floats | Ints> {
  const { size, Raw, Memory, decode, range } = dtypes[dtype];
  const length = (end - begin) / size;
  checkRoom(path, `tensor ${quote(name)}`, bytesInMemory({ dtype, begin, end }));
  const data = allocate(path, name, Memory, length);
  if (dtype === dtypeOf(data)) {
    let at = begin;
    for (const piece of piecesOf(data)) {
      readBytes(at, piece);
      at += piece.length;
    }
    return { data, shape };
  }
  const raw = new Raw(Math.min(length, chunk));
  for (let i = 0; i < length; i += chunk) {
    const count = Math.min(chunk, length - i);
    readBytes(begin + i * size, bytesOf(raw).subarray(0, count * size));
    for (let j = 0; j < count; j++) {
      const value = decode(raw[j]);
      if (range !== undefined && !(range[0] <= value && value <= range[1])) {
        throw new FormatError(path, outOfRange(name, i + j, raw[j], dtype, range));
      }
      data[i + j] = value;
    }
  }
  return { data, shape };
}

function allocate<T>(path: string, name: string, Memory: new (length: number) => T, length: number): T {
  try {
    return new Memory(length);
  } catch (error) {
    throw new FormatError(path, `tensor ${quote(name)} has ${length} elements, expected few enough for one array`, {
      cause: error,
    });
  }
}

function outOfRange(
  name: string,
  index: number,
  value: number | bigint,
  dtype: DType,
  [least, largest]: readonly [number, number],
): string {
  return `tensor ${quote(name)} holds ${value} at element ${index}, expected ${least} to ${largest} (${dtype} as int32)`;
}

interface Plan {
  readonly header: Uint8Array;
  /** In the order of the data. */
  readonly parts: readonly Part[];
}

interface Part {
  readonly name: string;
  readonly data: Floats | Ints;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

function layOut(tensors: ReadonlyMap<string, TensorToWrite>, metadata: Readonly<Record<string, string>>): Plan {
  if (!(tensors instanceof Map)) throw new TypeError("the tensors are not in a Map, expected one by their names");
  const given = [...tensors].map(([name, what]) => checkedPart(name, what));
  const parts = given.toSorted((a, b) => dtypes[b.dtype].size - dtypes[a.dtype].size);
  const begins = new Map<Part, number>();
  let at = 0;
  for (const part of parts) {
    begins.set(part, at);
    at += part.data.length * dtypes[part.dtype].size;
  }
  const fields = given.map((part) => {
    const begin = begins.get(part) ?? 0;
    const end = begin + part.data.length * dtypes[part.dtype].size;
    return `${key(part.name)}:{"dtype":"${part.dtype}","shape":[${part.shape}],"data_offsets":[${begin},${end}]}`;
  });
  const text = metadataText(metadata);
  const header = new TextEncoder().encode(`{${[...(text === "" ? [] : [text]), ...fields].join(",")}}`);
  const padded = new Uint8Array(Math.ceil(header.length / 8) * 8).fill(0x20);
  if (padded.length > longestHeader) {
    throw new RangeError(`the header would be ${padded.length} bytes long, expected at most ${longestHeader}`);
  }
  padded.set(header);
  return { header: padded, parts };
}

function checkedPart(name: string, what: TensorToWrite): Part {
  if (name === "__metadata__")
    throw new TypeError(`a tensor is named ${quote(name)}, expected a name that is not reserved`);
  const isTyped = typeof what === "object" && what !== null && "tensor" in what;
  const { data, shape } = (isTyped ? what.tensor : (what ?? {})) as Tensor<Floats | Ints>;
  if (!ArrayBuffer.isView(data) || !Array.isArray(shape)) {
    throw new TypeError(`tensor ${quote(name)} is not a tensor, expected { data, shape } or { tensor, dtype }`);
  }
  const dtype = isTyped ? what.dtype : dtypeOf(data);
  if (!Object.hasOwn(dtypes, dtype)) {
    throw new RangeError(
      `tensor ${quote(name)}: dtype ${String(dtype)} is unknown, expected one of ${Object.keys(dtypes).join(", ")}`,
    );
  }
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new RangeError(`tensor ${quote(name)} has shape [${shape}], expected non-negative integers`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`tensor ${quote(name)} has shape [${shape}] but holds ${data.length} numbers`);
  }
  if (!isStorableAs(data, dtype)) {
    throw new TypeError(`tensor ${quote(name)} is ${dtypeOf(data)}, expected what ${dtype} can store`);
  }
  return { name, data, shape, dtype };
}

function metadataText(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fields = pairs.map(([name, value]) => {
    if (typeof value !== "string")
      throw new TypeError(`metadata ${quote(name)} is a ${typeof value}, expected a string`);
    return `${key(name)}:${key(value)}`;
  });
  return fields.length > 0 ? `"__metadata__":{${fields.join(",")}}` : "";
}

// Half a surrogate pair has no UTF-8, so no other reader could take it.
function key(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new TypeError(`${quote(text)} holds half a surrogate pair, expected Unicode text`);
  return JSON.stringify(text);
}

function writePlan({ header, parts }: Plan, write: (bytes: Uint8Array) => void): void {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true);
  write(prefix);
  write(header);
  for (const part of parts) writePart(part, write);
}

function writePart({ name, data, dtype }: Part, write: (bytes: Uint8Array) => void): void {
  if (dtype === dtypeOf(data)) {
    for (const piece of piecesOf(data)) write(piece);
    return;
  }
  const { size, Raw, encode, range } = dtypes[dtype];
  const raw = new Raw(Math.min(data.length, chunk));
  for (let i = 0; i < data.length; i += chunk) {
    const count = Math.min(chunk, data.length - i);
    for (let j = 0; j < count; j++) {
      const value = data[i + j];
      if (range !== undefined && !(range[0] <= value && value <= range[1])) {
        throw new RangeError(outOfRange(name, i + j, value, dtype, range));
      }
      raw[j] = encode(value);
    }
    write(bytesOf(raw).subarray(0, count * size));
  }
}
