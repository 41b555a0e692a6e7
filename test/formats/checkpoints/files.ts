// Small checkpoints of every format for the tests, and a writer of PyTorch's zips, which the project itself only reads.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, expect } from "vitest";
import { bytesOf } from "../../../formats/bytes.ts";
import { FormatError } from "../../../formats/error.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../../../reference/halves.ts";
import type { FloatDType } from "../../../formats/stored.ts";
import type { LlamaConfig } from "../../../reference/config.ts";
import { streamOf, uniform } from "../../../reference/random.ts";
import { sizeOf, type Tensor } from "../../../reference/tensor.ts";
import { weightShapes } from "../../../reference/weights.ts";

export const small: LlamaConfig = {
  dim: 8,
  nLayers: 2,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 12,
  vocabSize: 5,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 6,
};

/** A temporary folder for a test file's life: a function that gives paths in it. */
export function scratch(): (name: string) => string {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "touchstone-checkpoints-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name) => join(folder, name);
}

/** The bits that every format has: signs, zeros, subnormals, infinities; any pattern but a NaN's. */
export function randomWeights(
  config: LlamaConfig,
  dtype: FloatDType = "float32",
  seed = 1,
): Map<string, Tensor<Float32Array>> {
  const weights = new Map<string, Tensor<Float32Array>>();
  const word = new DataView(new ArrayBuffer(4));
  for (const [name, shape] of weightShapes(config)) {
    const data = new Float32Array(sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      const bits = Math.floor(uniform(seed, streamOf(name), i) * 2 ** 32);
      word.setUint32(0, bits);
      const value =
        dtype === "float32" ? word.getFloat32(0) : (dtype === "float16" ? decodeFloat16 : decodeBfloat16)(bits >>> 16);
      data[i] = Number.isNaN(value) ? -0 : value;
    }
    weights.set(name, { data, shape });
  }
  return weights;
}

/** The bits of every weight, by name: equal strings, equal bits. */
export function bitsOf(weights: ReadonlyMap<string, Tensor>): Record<string, string> {
  return Object.fromEntries(
    [...weights].map(([name, { data, shape }]) => [name, `[${shape}] ${Buffer.from(bytesOf(data)).toString("hex")}`]),
  );
}

/** The one line with which something is refused. */
export async function refusal(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    const { message } = error as Error;
    expect(message).not.toMatch(/[\n\r]/);
    return message;
  }
  throw new Error("nothing was refused");
}

// PyTorch's zips --------------------------------------------------------------------------------------------------------

const utf8 = (text: string): Buffer => Buffer.from(text, "utf8");

/** Opcodes of a pickle, as torch.save emits them. */
export const pickle = {
  begin: Buffer.from([0x80, 2]),
  stop: Buffer.from("."),
  mark: Buffer.from("("),
  tuple: Buffer.from("t"),
  reduce: Buffer.from("R"),
  none: Buffer.from("N"),
  false: Buffer.from([0x89]),
  setItems: Buffer.from("u"),
  emptyTuple: Buffer.from(")"),
  persistentId: Buffer.from("Q"),
  global: (module: string, name: string): Buffer => utf8(`c${module}\n${name}\n`),
  text: (value: string): Buffer => {
    const bytes = utf8(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([utf8("X"), length, bytes]);
  },
  integer: (value: number): Buffer => {
    const bytes = Buffer.alloc(5, "J");
    bytes.writeInt32LE(value, 1);
    return bytes;
  },
  tupleOf: (...values: Buffer[]): Buffer => Buffer.concat([pickle.mark, ...values, pickle.tuple]),
};

export interface TorchEntry {
  readonly name: string;
  readonly key: string;
  readonly type: string;
  /** Numbers in the storage. */
  readonly length: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides?: readonly number[];
}

/** The pickle of a state dictionary. */
export function pickled(entries: readonly TorchEntry[]): Buffer {
  const { begin, global, text, integer, tupleOf, reduce, emptyTuple, mark, setItems, stop } = pickle;
  const orderedDict = [global("collections", "OrderedDict"), emptyTuple, reduce];
  const items = entries.flatMap(({ name, key, type, length, offset = 0, shape, strides }) => [
    text(name),
    global("torch._utils", "_rebuild_tensor_v2"),
    tupleOf(
      tupleOf(text("storage"), global("torch", type), text(key), text("cpu"), integer(length)),
      pickle.persistentId,
      integer(offset),
      tupleOf(...shape.map(integer)),
      tupleOf(...(strides ?? contiguous(shape)).map(integer)),
      pickle.false,
      ...orderedDict,
    ),
    reduce,
  ]);
  return Buffer.concat([begin, ...orderedDict, mark, ...items, setItems, stop]);
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** An entry of a zip: its bytes, or a length for as many that are left as a hole. */
type ZipEntry = Uint8Array | number;
type Piece = readonly [position: number, bytes: Buffer];

/** A zip of stored entries, with the 64-bit end record that torch.save writes: its pieces, and the file's size. */
function zipPieces(entries: Readonly<Record<string, ZipEntry>>): { pieces: Piece[]; size: number } {
  const pieces: Piece[] = [];
  let at = 0;
  function put(bytes: Uint8Array): void {
    pieces.push([at, Buffer.from(bytes)]);
    at += bytes.length;
  }
  const central: Buffer[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const size = typeof entry === "number" ? entry : entry.length;
    const extra = Buffer.alloc(28); // id, length, size twice, offset: each where 32 bits are not enough
    extra.writeUInt16LE(1, 0);
    let used = 4;
    const wide = (value: number): number => {
      if (value < 0xffffffff) return value;
      extra.writeBigUInt64LE(BigInt(value), used);
      used += 8;
      return 0xffffffff;
    };
    const common = Buffer.alloc(26); // version, flags, method, time, date, crc, sizes, lengths of name and extra field
    common.writeUInt32LE(typeof entry === "number" ? 0 : crc32(entry), 10);
    common.writeUInt32LE(wide(size), 14);
    common.writeUInt32LE(wide(size), 18);
    common.writeUInt16LE(utf8(name).length, 22);
    const record = Buffer.alloc(14); // comment's length, disk, attributes, offset
    record.writeUInt32LE(wide(at), 10);
    const local = Buffer.from(common);
    extra.writeUInt16LE(used - 4, 2);
    const fields = used > 4 ? extra.subarray(0, used) : Buffer.alloc(0);
    common.writeUInt16LE(fields.length, 24);
    central.push(Buffer.concat([Buffer.from("PK\u0001\u0002\0\0"), common, record, utf8(name), fields]));
    put(Buffer.concat([Buffer.from("PK\u0003\u0004"), local, utf8(name)]));
    if (typeof entry === "number") at += entry;
    else put(entry);
  }
  const directory = Buffer.concat(central);
  const begin = at;
  put(directory);
  const end = Buffer.alloc(56 + 20 + 22);
  end.write("PK\u0006\u0006");
  end.writeBigUInt64LE(44n, 4);
  end.writeBigUInt64LE(BigInt(central.length), 24);
  end.writeBigUInt64LE(BigInt(central.length), 32);
  end.writeBigUInt64LE(BigInt(directory.length), 40);
  end.writeBigUInt64LE(BigInt(begin), 48);
  end.write("PK\u0006\u0007", 56);
  end.writeBigUInt64LE(BigInt(at), 64);
  end.writeUInt32LE(1, 72);
  end.write("PK\u0005\u0006", 76);
  end.fill(0xff, 84, 96);
  put(end);
  return { pieces, size: at };
}

export function zipped(entries: Readonly<Record<string, Uint8Array>>): Buffer {
  const { pieces, size } = zipPieces(entries);
  const bytes = Buffer.alloc(size);
  for (const [position, piece] of pieces) bytes.set(piece, position);
  return bytes;
}

/** The same as a file, with holes. */
export function writeZip(path: string, entries: Readonly<Record<string, ZipEntry>>): void {
  const file = openSync(path, "w");
  for (const [position, piece] of zipPieces(entries).pieces) writeSync(file, piece, 0, piece.length, position);
  closeSync(file);
}

const storages: Record<FloatDType, string> = {
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
};

/** The bytes of numbers in a dtype. */
export function stored(data: Float32Array, dtype: FloatDType): Uint8Array {
  if (dtype === "float32") return bytesOf(data.slice());
  return bytesOf(Uint16Array.from(data, dtype === "float16" ? encodeFloat16 : encodeBfloat16));
}

/** A file as torch.save writes it. */
export function torchFile(weights: ReadonlyMap<string, Tensor<Float32Array>>, dtype: FloatDType = "float32"): Buffer {
  const named = [...weights].map(([name, { data, shape }], i) => ({ name, data, shape, key: String(i) }));
  return zipped({
    "small/data.pkl": pickled(
      named.map(({ name, shape, data, key }) => ({ name, key, shape, type: storages[dtype], length: data.length })),
    ),
    "small/byteorder": utf8("little"),
    ...Object.fromEntries(named.map(({ data, key }) => [`small/data/${key}`, stored(data, dtype)])),
    "small/version": utf8("3\n"),
  });
}

/** Such a file of a configuration in float32, its numbers left as holes. */
export function writeHollowTorchFile(path: string, config: LlamaConfig): void {
  const named = [...weightShapes(config)].map(([name, shape], i) => ({
    name,
    shape,
    key: String(i),
    length: sizeOf(shape),
  }));
  writeZip(path, {
    "small/data.pkl": pickled(named.map((entry) => ({ ...entry, type: "FloatStorage" }))),
    ...Object.fromEntries(named.map(({ key, length }) => [`small/data/${key}`, 4 * length])),
  });
}

/** params.json of a configuration whose ffnDim is a multiple of 4. */
export function paramsOf(config: LlamaConfig): Record<string, number> {
  const plain = Math.floor((8 * config.dim) / 3);
  return {
    dim: config.dim,
    n_layers: config.nLayers,
    n_heads: config.nHeads,
    n_kv_heads: config.nKvHeads,
    vocab_size: -1,
    multiple_of: 4,
    ffn_dim_multiplier: (config.ffnDim - 0.5) / plain,
    norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    max_seq_len: config.maxSeqLen,
  };
}

export function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value));
}
