// A LLaMA's checkpoint, whatever its format: the configuration, and the weights of the one table (reference/weights.ts), each
// read on demand.
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkConfig, type LlamaConfig } from "../reference/config.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { checkWeights, countParameters, weightShapes } from "../reference/weights.ts";
import { type CheckpointSource, checkTable, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError, quote } from "./error.ts";
import { asFormatError } from "./system-error.ts";
import { ggufNames, openGguf, writeGguf } from "./gguf.ts";
import type { GgufMetadata } from "./gguf-header.ts";
import { huggingfaceNames, openHuggingface, writeHuggingface } from "./huggingface.ts";
import { openLlama2c, writeLlama2c } from "./llama2c.ts";
import { isMetaFolder, openMeta } from "./meta.ts";
import { openInput } from "./input.ts";
import { checkRoom } from "./memory.ts";
import { openSafetensors } from "./safetensors.ts";
import { type FloatDType, storedBytes, type StoredDType } from "./stored.ts";
import { openTouchstone, writeTouchstone } from "./touchstone.ts";

export type { FloatDType, StoredDType };

/**
 * The formats that are read: llama2.c's .bin, Hugging Face's folder, Meta's consolidated.*.pth, GGUF, and Touchstone's own.
 *
 * @example
 * ```ts
 * import { type CheckpointFormat, openCheckpoint } from "touchstone-llama/node";
 *
 * const opened = await openCheckpoint("model.safetensors");
 * const format: CheckpointFormat = opened.format; // "touchstone"
 * opened.close();
 * ```
 */
export type CheckpointFormat = "llama2c" | "huggingface" | "meta" | "gguf" | "touchstone";
/** The formats that are written as well as read. */
export const writtenFormats = ["llama2c", "huggingface", "gguf", "touchstone"] as const satisfies CheckpointFormat[];
/**
 * A format that is written as well as read.
 *
 * @example
 * ```ts
 * import type { WrittenFormat } from "touchstone-llama/node";
 *
 * const format: WrittenFormat = "gguf";
 * ```
 */
export type WrittenFormat = (typeof writtenFormats)[number];

/** A weight in a checkpoint. */
export interface ListedWeight {
  /** Its name in the table. */
  readonly name: string;
  /** Its name in the file. */
  readonly fileName: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDType;
  /** Its size in the file. */
  readonly bytes: number;
}

/**
 * An open checkpoint: its list in memory, its numbers on the disk. Close it after use.
 *
 * @example
 * ```ts
 * import { type Checkpoint, openCheckpoint } from "touchstone-llama/node";
 *
 * const checkpoint: Checkpoint = await openCheckpoint("model.safetensors");
 * checkpoint.config.dim; // C
 * checkpoint.readWeight("norm.weight").shape; // [C]
 * checkpoint.close();
 * ```
 */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  readonly config: LlamaConfig;
  /** Every weight of the configuration, in the order of the table. */
  readonly tensors: readonly ListedWeight[];
  /** The dtypes in which weights are stored, each once; the one of most numbers comes first. */
  readonly dtypes: readonly StoredDType[];
  /** The names of everything else in the files. */
  readonly ignored: readonly string[];
  /** A GGUF file's fields, including its tokenizer's. */
  readonly metadata?: GgufMetadata;
  /** One weight; each number is exact. Throws FormatError if there is no such weight, or the file has shrunk. */
  readWeight(name: string): Tensor<Float32Array>;
  /** All of them, in the order of the table. */
  readWeights(): Map<string, Tensor<Float32Array>>;
  close(): void;
}

/**
 * Opens a file or a folder: reads and checks the description of the weights, and no weight. The format is recognised by the
 * content: llama2.c's .bin (version 0), Hugging Face's folder, Meta's consolidated.*.pth with params.json, GGUF, or the
 * project's own safetensors. Throws FormatError if it is none of these or ill-formed, if its configuration is not
 * supported, or if a weight is missing, left over or not of the shape that the configuration gives.
 *
 * @example
 * ```ts
 * import { openCheckpoint } from "touchstone-llama/node";
 *
 * const checkpoint = await openCheckpoint("model.safetensors");
 * const weights = checkpoint.readWeights(); // Map of name → float32 tensor
 * checkpoint.close();
 * ```
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const { format, place } = detect(path);
  const source = await openers[format](place);
  try {
    const nameInFile = fileNames[format];
    checkTable(place, source, nameInFile);
    return checkpoint(path, format, source);
  } catch (error) {
    source.close();
    throw error;
  }
}

const openers: Record<CheckpointFormat, (path: string) => CheckpointSource | Promise<CheckpointSource>> = {
  llama2c: openLlama2c,
  huggingface: openHuggingface,
  meta: openMeta,
  gguf: openGguf,
  touchstone: openTouchstone,
};

const fileNames: Record<CheckpointFormat, (name: string) => string> = {
  llama2c: (name) => name,
  huggingface: huggingfaceNames.fileNameOf,
  meta: (name) => name,
  gguf: ggufNames.fileNameOf,
  touchstone: (name) => `weights.${name}`,
};

function checkpoint(path: string, format: CheckpointFormat, source: CheckpointSource): Checkpoint {
  const { config, weights, ignored, close } = source;
  const shapes = weightShapes(config);
  const tensors = [...shapes.keys()].map((name): ListedWeight => {
    const { fileName, shape, dtype } = weights.get(name)!;
    return { name, fileName, shape, dtype, bytes: storedBytes(dtype, sizeOf(shape)) };
  });
  function readWeight(name: string): Tensor<Float32Array> {
    const weight = weights.get(name);
    if (weight === undefined) throw new FormatError(path, `has no weight ${quote(name)} among its ${weights.size}`);
    return { data: weight.read(), shape: weight.shape };
  }
  function readWeights(): Map<string, Tensor<Float32Array>> {
    checkRoom(path, "the weights in float32", Float32Array.BYTES_PER_ELEMENT * countParameters(config));
    return new Map(tensors.map(({ name }) => [name, readWeight(name)]));
  }
  const metadata = "metadata" in source ? { metadata: source.metadata as GgufMetadata } : {};
  return {
    path,
    format,
    config,
    tensors,
    dtypes: dtypesOf(weights),
    ignored,
    ...metadata,
    readWeight,
    readWeights,
    close,
  };
}

function dtypesOf(weights: ReadonlyMap<string, StoredWeight>): StoredDType[] {
  const counts = new Map<StoredDType, number>();
  for (const { dtype, shape } of weights.values()) counts.set(dtype, (counts.get(dtype) ?? 0) + sizeOf(shape));
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([dtype]) => dtype);
}

/** The format, and the file or folder to be opened as such. */
function detect(path: string): { format: CheckpointFormat; place: string } {
  try {
    return statSync(path).isDirectory() ? detectFolder(path) : detectFile(path);
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a checkpoint");
  }
}

function detectFolder(path: string): { format: CheckpointFormat; place: string } {
  if (existsSync(join(path, "config.json"))) return { format: "huggingface", place: path };
  if (isMetaFolder(path)) return { format: "meta", place: path };
  const own = join(path, "checkpoint.safetensors");
  if (existsSync(own)) return { format: "touchstone", place: own };
  throw new FormatError(
    path,
    "is not a checkpoint, expected a folder with config.json, params.json or checkpoint.safetensors",
  );
}

function detectFile(path: string): { format: CheckpointFormat; place: string } {
  const file = openInput(path, "a checkpoint");
  let begin: string;
  try {
    const bytes = new Uint8Array(Math.min(9, file.size));
    file.read(0, bytes);
    begin = String.fromCharCode(...bytes);
  } finally {
    file.close();
  }
  const suffix = /\.[^./]*$/.exec(basename(path))?.[0];
  if (begin.startsWith("GGUF") || suffix === ".gguf") return { format: "gguf", place: path };
  if (begin.startsWith("PK\u0003\u0004") || suffix === ".pth" || suffix === ".pt")
    return { format: "meta", place: path };
  // A header of less than 4 GB: in llama2c's format bytes 4 to 7 are ffnDim, which is not 0.
  if (/^.{4}\0{4}\{/s.test(begin) || suffix === ".safetensors") {
    const { metadata, close } = openSafetensors(path);
    close();
    // A file in one of Hugging Face's folders means the whole folder.
    if (metadata.config === undefined && existsSync(join(dirname(path), "config.json"))) {
      return { format: "huggingface", place: dirname(path) };
    }
    return { format: "touchstone", place: path };
  }
  return { format: "llama2c", place: path };
}

/** A table of weights: a Map of tensors, or anything else that gives a tensor by its name. */
export interface WeightTable {
  get(name: string): Tensor | undefined;
}

/**
 * Options that only some formats take.
 *
 * @example
 * ```ts
 * import type { WriteOptions } from "touchstone-llama/node";
 *
 * const options: WriteOptions = { shardBytes: 2 ** 30 };
 * ```
 */
export interface WriteOptions {
  /** GGUF: fields tokenizer.*, as another file's metadata or tokenizerFields gives them. */
  readonly tokenizer?: GgufMetadata;
  /** Hugging Face: bytes of weights in a file before another begins. */
  readonly shardBytes?: number;
}

/** The weights of an open checkpoint, read one at a time, on demand. */
export function weightsOf(opened: Checkpoint): WeightTable {
  return { get: (name) => opened.readWeight(name) };
}

/** The dtypes that a format stores: only float32 in llama2.c's. */
export function dtypesOfFormat(format: WrittenFormat): readonly FloatDType[] {
  return format === "llama2c" ? ["float32"] : ["float32", "float16", "bfloat16"];
}

/**
 * Writes a checkpoint whole or not at all; a Map's shapes are checked first, and weights are fetched one at a time (the
 * project's own format holds all of them in memory, Hugging Face's a shard). Each number is rounded once to dtype, except
 * that a GGUF's norms stay float32. Throws RangeError if the format cannot hold the configuration, the dtype or a number,
 * or a weight is missing or of another shape; FormatError if the operating system refuses, or a folder is not empty.
 *
 * @example
 * ```ts
 * import { openCheckpoint, writeCheckpoint } from "touchstone-llama/node";
 *
 * const { config, readWeights, close } = await openCheckpoint("model.safetensors");
 * writeCheckpoint("model.gguf", "gguf", config, readWeights(), "float16");
 * close();
 * ```
 */
export function writeCheckpoint(
  path: string,
  format: WrittenFormat,
  config: LlamaConfig,
  weights: WeightTable,
  dtype: FloatDType = "float32",
  { tokenizer, shardBytes = Infinity }: WriteOptions = {},
): void {
  if (!writtenFormats.includes(format)) {
    throw new RangeError(`format: got ${String(format)}, expected one of ${writtenFormats.join(", ")}`);
  }
  if (!(shardBytes > 0)) throw new RangeError(`shardBytes: got ${shardBytes}, expected a positive number`);
  checkConfig(config);
  if (weights instanceof Map) checkWeights(config, weights);
  if (!dtypesOfFormat(format).includes(dtype)) {
    throw new RangeError(`${format} stores ${dtypesOfFormat(format).join(" or ")}, not ${dtype}`);
  }
  const shapes = weightShapes(config);
  const get = (name: string): Tensor => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new RangeError(`${name} is missing, expected shape [${shapes.get(name)}]`);
    if (tensor.shape.join() === shapes.get(name)?.join() && tensor.data.length === sizeOf(tensor.shape)) return tensor;
    throw new RangeError(`${name} has shape [${tensor.shape}], expected [${shapes.get(name)}]`);
  };
  if (format === "llama2c") writeLlama2c(path, config, get);
  else if (format === "touchstone") writeTouchstone(path, config, get, dtype);
  else if (format === "gguf") writeGguf(path, config, get, dtype, tokenizer === undefined ? {} : { tokenizer });
  else writeHuggingface(path, config, get, dtype, shardBytes === Infinity ? {} : { shardBytes });
}
