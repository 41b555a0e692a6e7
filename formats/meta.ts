// Meta's own checkpoints: consolidated.00.pth, 01, … with params.json (github.com/meta-llama/llama, llama/model.py,
// ModelArgs and FeedForward):
//
//     ffnDim = ⌈⌊m · ⌊2 · 4 dim / 3⌋⌋ / multiple_of⌉ · multiple_of,   m = ffn_dim_multiplier, or 1 if it is absent
//
// Where there are several files, each is a rank of tensor parallelism (fairscale): wq, wk, wv, w1, w3 and the head are split by
// rows, wo and w2 by columns, norms are copies. LLaMA 1 and 2 split the embedding by columns, LLaMA 3 by rows.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { LlamaConfig } from "../reference/config.ts";
import { sizeOf } from "../reference/tensor.ts";
import { checkConfigOf, type CheckpointSource, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError, quote } from "./error.ts";
import { describeJson, fieldsOf, isRecord } from "./json.ts";
import { asFormatError } from "./system-error.ts";
import { readJson } from "./input.ts";
import { allocateWeight, type FloatDType, readStored } from "./stored.ts";
import { isContiguous, openTorch, type TorchFile, type TorchTensor } from "./torch-zip.ts";

const shardName = /^consolidated\.\d+\.pth$/;
const longestParams = 2 ** 20;

const dtypeOfStorage: Readonly<Record<string, FloatDType>> = {
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
};

/** Buffers that some versions stored: RoPE's frequencies and the causal mask. */
const isBuffer = (name: string): boolean => /(^|\.)rope\.freqs$|^layers\.\d+\.attention\.mask$/.test(name);

/** Whether a folder or a file name is that of such a checkpoint. */
export function isMetaFolder(folder: string): boolean {
  return existsSync(join(folder, "params.json")) || readdirSync(folder).some((name) => shardName.test(name));
}

/**
 * Opens a folder, any of its shards (all are read), or a file of another name with its parameters next to it: for model.pth, in
 * model.json or params.json. Throws FormatError.
 */
export async function openMeta(path: string): Promise<CheckpointSource> {
  const { shards, paramsPath } = filesOf(path);
  const files: TorchFile[] = [];
  const close = (): void => {
    for (const { file } of files) file.close();
  };
  try {
    for (const shard of shards) files.push(await openTorch(shard));
    const config = parseParams(paramsPath, vocabularyOf(files));
    checkConfigOf(paramsPath, config);
    const weights = new Map<string, StoredWeight>();
    const ignored: string[] = [];
    for (const name of files[0].tensors.keys()) {
      if (isBuffer(name)) ignored.push(name);
      else weights.set(name, merged(name, files, config));
    }
    checkSameNames(files);
    return { config, weights, ignored, close };
  } catch (error) {
    close();
    throw error;
  }
}

function filesOf(path: string): { shards: string[]; paramsPath: string } {
  try {
    const isFolder = statSync(path).isDirectory();
    if (!isFolder && !shardName.test(basename(path))) {
      const own = path.replace(/\.[^./]*$/, ".json");
      return { shards: [path], paramsPath: own !== path && existsSync(own) ? own : join(dirname(path), "params.json") };
    }
    const folder = isFolder ? path : dirname(path);
    const names = readdirSync(folder).filter((name) => shardName.test(name));
    if (names.length === 0) throw new FormatError(folder, "has no consolidated.00.pth, expected Meta's checkpoint");
    const shards = names.toSorted().map((name) => join(folder, name));
    return { shards, paramsPath: join(folder, "params.json") };
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "Meta's checkpoint");
  }
}

/** The number of the head's rows in all shards. */
function vocabularyOf(files: readonly TorchFile[]): number {
  return files.reduce((sum, { tensors }) => sum + (tensors.get("output.weight")?.shape[0] ?? 0), 0);
}

/** ModelArgs' fields, their types, and what they mean here; any other is refused, since it may change the mathematics. */
const fields = new Set([
  "dim",
  "n_layers",
  "n_heads",
  "n_kv_heads",
  "vocab_size",
  "multiple_of",
  "ffn_dim_multiplier",
  "norm_eps",
  "rope_theta",
  "max_seq_len",
  "max_batch_size",
  "use_scaled_rope",
]);

/** The configuration in params.json, with `vocabulary` in place of a vocab_size of −1. Throws FormatError naming the field. */
export function parseParams(path: string, vocabulary: number): LlamaConfig {
  const json = readJson(path, "params.json of Meta's checkpoint", longestParams);
  if (!isRecord(json)) throw new FormatError(path, "is not a JSON object, expected params.json");
  const unknown = Object.keys(json).find((name) => !fields.has(name));
  if (unknown !== undefined) {
    throw new FormatError(path, `${quote(unknown)} is not supported, expected only ${[...fields].join(", ")}`);
  }
  if ((json.use_scaled_rope ?? false) !== false) {
    throw new FormatError(
      path,
      `use_scaled_rope is ${describeJson(json.use_scaled_rope)}, which is not supported, expected false`,
    );
  }
  const { number } = fieldsOf(json, (name, is, expected) => {
    throw new FormatError(path, `${name} is ${is}, expected ${expected}`);
  });
  const dim = number("dim");
  const nHeads = number("n_heads");
  const vocabSize = number("vocab_size", -1);
  if (vocabSize === -1 && vocabulary === 0) {
    throw new FormatError(path, 'vocab_size is -1, expected a number, or a tensor "output.weight" whose rows count it');
  }
  const multipleOf = number("multiple_of", 256);
  if (!(Number.isSafeInteger(multipleOf) && multipleOf > 0)) {
    throw new FormatError(path, `multiple_of is ${multipleOf}, expected a positive integer`);
  }
  const width = Math.floor(number("ffn_dim_multiplier", 1) * Math.floor((2 * 4 * dim) / 3));
  return {
    dim,
    nLayers: number("n_layers"),
    nHeads,
    nKvHeads: number("n_kv_heads", nHeads),
    ffnDim: Math.ceil(width / multipleOf) * multipleOf,
    vocabSize: vocabSize === -1 ? vocabulary : vocabSize,
    normEps: number("norm_eps", 1e-5),
    ropeTheta: number("rope_theta", 10_000),
    tiedEmbeddings: false,
    maxSeqLen: number("max_seq_len", 2048),
  };
}

function checkSameNames([first, ...others]: readonly TorchFile[]): void {
  for (const { file, tensors } of others) {
    const stray = [...tensors.keys()].find((name) => !first.tensors.has(name));
    if (stray !== undefined) {
      throw new FormatError(file.path, `has a tensor ${quote(stray)}, which ${basename(first.file.path)} lacks`);
    }
  }
}

type Split = "rows" | "columns" | "copies";

function splitOf(name: string, shape: readonly number[], dim: number): Split {
  if (name === "tok_embeddings.weight") return shape[1] === dim ? "rows" : "columns";
  if (/\.(wo|w2)\.weight$/.test(name)) return "columns";
  return shape.length === 2 ? "rows" : "copies";
}

interface Shard {
  readonly file: TorchFile["file"];
  readonly tensor: TorchTensor;
}

/** A weight, joined from its parts in all files. */
function merged(name: string, files: readonly TorchFile[], config: LlamaConfig): StoredWeight {
  const shards = files.map(({ file, tensors }): Shard => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return { file, tensor };
    throw new FormatError(
      file.path,
      `has no tensor ${quote(name)}, which ${basename(files[0].file.path)} has, expected one`,
    );
  });
  const [first] = shards;
  const { shape } = first.tensor;
  const dtype = dtypeOf(name, first);
  if (files.length === 1) return { fileName: name, shape, dtype, read: () => readShard(name, first) };
  for (const shard of shards) {
    if (dtypeOf(name, shard) === dtype && shard.tensor.shape.join() === shape.join()) continue;
    const { path } = shard.file;
    throw new FormatError(
      path,
      `${quote(name)} has shape [${shard.tensor.shape}], expected ${dtype} of [${shape}] as ${basename(first.file.path)} has`,
    );
  }
  const split = splitOf(name, shape, config.dim);
  if (split === "copies") return { fileName: name, shape, dtype, read: () => readShard(name, first) };
  const [rows, columns] = shape;
  const whole = split === "rows" ? [rows * shards.length, columns] : [rows, columns * shards.length];
  function read(): Float32Array {
    const data = allocateWeight(first.file.path, name, sizeOf(whole));
    for (const [rank, shard] of shards.entries()) {
      const part = readShard(name, shard);
      if (split === "rows") data.set(part, rank * part.length);
      else {
        for (let row = 0; row < rows; row++) {
          data.set(part.subarray(row * columns, (row + 1) * columns), row * whole[1] + rank * columns);
        }
      }
    }
    return data;
  }
  return { fileName: name, shape: whole, dtype, read };
}

function dtypeOf(name: string, { file, tensor }: Shard): FloatDType {
  const { type } = tensor.storage;
  if (Object.hasOwn(dtypeOfStorage, type)) return dtypeOfStorage[type];
  const wanted = Object.keys(dtypeOfStorage).join(", ");
  throw new FormatError(file.path, `${quote(name)} is stored as ${type}, expected one of ${wanted}`);
}

function readShard(name: string, shard: Shard): Float32Array {
  const { file, tensor } = shard;
  const { offset, position, shape, strides } = tensor;
  const dtype = dtypeOf(name, shard);
  const begin = position + offset * (dtype === "float32" ? 4 : 2);
  const data = allocateWeight(file.path, name, sizeOf(shape));
  if (data.length === 0) return data;
  if (isContiguous(tensor)) {
    readStored(file, begin, dtype, data);
    return data;
  }
  // A transposed or sliced tensor: the whole range that it spans is read, then each number is taken from its place.
  const span = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 1);
  const reach = allocateWeight(file.path, name, span);
  readStored(file, begin, dtype, reach);
  const index = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < data.length; i++) {
    data[i] = reach[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return data;
}
