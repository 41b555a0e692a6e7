// A folder as Hugging Face's transformers reads and writes it: config.json, and the weights in model.safetensors or in
// shards that model.safetensors.index.json lists.
//
// Transformers rotates the two halves of a head, Meta's LLaMA adjacent pairs, so the rows of wq and wk are in a different
// order (transformers, convert_llama_weights_to_hf.py, permute):  row j·HS/2 + i of a head there = row 2i + j here.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { headSize, type LlamaConfig } from "../reference/config.ts";
import { type Floats, sizeOf, type Tensor } from "../reference/tensor.ts";
import { weightShapes } from "../reference/weights.ts";
import { writeAtomically } from "./atomic.ts";
import { writeFolderAtomically } from "./atomic-folder.ts";
import { checkConfigOf, type CheckpointSource, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError, quote } from "./error.ts";
import { configText, parseConfig } from "./huggingface-config.ts";
import { readJson } from "./input.ts";
import { describeJson, isRecord } from "./json.ts";
import { openSafetensors, type SafetensorsFile, type TensorToWrite, writeSafetensors } from "./safetensors.ts";
import { checkFits, type FloatDType, floatDTypeOf, safetensorsNames, storedBytes } from "./stored.ts";
import { naming } from "./weight-names.ts";

const single = "model.safetensors";
const index = "model.safetensors.index.json";

/** config.json takes a few kB, an index a few hundred. */
const longestConfig = 2 ** 20;
const longestIndex = 2 ** 22;

/** The names in transformers. */
export const huggingfaceNames = naming(
  "model.layers.",
  {
    attentionNorm: "input_layernorm.weight",
    wq: "self_attn.q_proj.weight",
    wk: "self_attn.k_proj.weight",
    wv: "self_attn.v_proj.weight",
    wo: "self_attn.o_proj.weight",
    ffnNorm: "post_attention_layernorm.weight",
    w1: "mlp.gate_proj.weight",
    w2: "mlp.down_proj.weight",
    w3: "mlp.up_proj.weight",
  },
  {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
  },
);

/** RoPE's frequencies, which early versions stored. */
const isTable = (fileName: string): boolean => /(^|\.)rotary_emb\.inv_freq$/.test(fileName);

/** Opens a folder. Throws FormatError. */
export function openHuggingface(folder: string): CheckpointSource {
  const configPath = join(folder, "config.json");
  const config = parseConfig(configPath, readJson(configPath, "config.json of a LLaMA", longestConfig));
  checkConfigOf(configPath, config);
  const files = new Map<string, SafetensorsFile>();
  const close = (): void => {
    for (const file of files.values()) file.close();
  };
  try {
    const weights = new Map<string, StoredWeight>();
    const ignored: string[] = [];
    for (const [fileName, file] of openFiles(folder, files)) {
      const name = huggingfaceNames.nameOf(fileName);
      // transformers ties the head whatever the file holds.
      if (isTable(fileName) || (name === "output.weight" && config.tiedEmbeddings)) ignored.push(fileName);
      else weights.set(name, storedWeight(file, fileName, name, config));
    }
    return { config, weights, ignored, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Each tensor with the file that holds it, by the index where there is one. Fills `files`. */
function openFiles(folder: string, files: Map<string, SafetensorsFile>): Map<string, SafetensorsFile> {
  const placed = new Map<string, SafetensorsFile>();
  if (existsSync(join(folder, single)) || !existsSync(join(folder, index))) {
    const file = openSafetensors(join(folder, single));
    files.set(single, file);
    for (const name of file.names) placed.set(name, file);
    return placed;
  }
  const indexPath = join(folder, index);
  const json = readJson(indexPath, "an index of shards", longestIndex);
  const map = isRecord(json) ? json.weight_map : undefined;
  if (!isRecord(map)) {
    throw new FormatError(indexPath, `weight_map is ${describeJson(map)}, expected an object of names and files`);
  }
  for (const [name, fileName] of Object.entries(map)) {
    if (typeof fileName !== "string" || !/^[\w.-]+\.safetensors$/.test(fileName)) {
      throw new FormatError(
        indexPath,
        `${quote(name)} is in ${describeJson(fileName)}, expected a .safetensors file next to it`,
      );
    }
    const file = files.get(fileName) ?? openSafetensors(join(folder, fileName));
    files.set(fileName, file);
    if (!file.tensors.has(name)) {
      throw new FormatError(file.path, `has no tensor ${quote(name)}, which ${index} says is in it, expected one`);
    }
    placed.set(name, file);
  }
  for (const file of files.values()) {
    const stray = file.names.find((name) => placed.get(name) !== file);
    if (stray === undefined) continue;
    throw new FormatError(file.path, `has a tensor ${quote(stray)}, which ${index} does not list there`);
  }
  return placed;
}

function storedWeight(file: SafetensorsFile, fileName: string, name: string, config: LlamaConfig): StoredWeight {
  const { dtype: stored, shape } = file.tensors.get(fileName)!;
  const dtype = floatDTypeOf(file.path, fileName, stored);
  const read = (): Float32Array => {
    const data = file.readFloats(fileName).data as Float32Array;
    return isTurned(name) ? reordered(data, shape, headSize(config), "to pairs") : data;
  };
  return { fileName, shape, dtype, read };
}

/** Whether RoPE rotates the output of this weight. */
function isTurned(name: string): boolean {
  return name.endsWith(".attention.wq.weight") || name.endsWith(".attention.wk.weight");
}

/** data: [heads · HS, C] with each head's rows as halves → as adjacent pairs, or the reverse. */
function reordered<P extends Floats>(
  data: P,
  [rows, C]: readonly number[],
  HS: number,
  direction: "to pairs" | "to halves",
): P {
  const moved = new (data.constructor as new (length: number) => P)(data.length);
  for (let head = 0; head < rows; head += HS) {
    for (let i = 0; i < HS / 2; i++) {
      for (const j of [0, 1]) {
        const half = head + j * (HS / 2) + i;
        const pair = head + 2 * i + j;
        const [from, to] = direction === "to pairs" ? [half, pair] : [pair, half];
        moved.set(data.subarray(from * C, (from + 1) * C), to * C);
      }
    }
  }
  return moved;
}

export interface HuggingfaceOptions {
  /** Bytes of weights in a file before another shard begins; a shard is in memory while it is written. */
  readonly shardBytes?: number;
}

/**
 * Writes a new folder, whole or not at all. `get` is called for one weight at a time, in the order of the table. Throws
 * FormatError if the folder exists and is not empty, or the operating system refuses.
 */
export function writeHuggingface(
  folder: string,
  config: LlamaConfig,
  get: (name: string) => Tensor,
  dtype: FloatDType,
  { shardBytes = 2 ** 31 }: HuggingfaceOptions = {},
): void {
  const shards = planShards(config, dtype, shardBytes);
  writeFolderAtomically(folder, (inside) => {
    writeText(join(inside, "config.json"), configText(config, dtype));
    const weightMap: Record<string, string> = {};
    let total = 0;
    for (const [i, shard] of shards.entries()) {
      const fileName = shards.length === 1 ? single : `model-${pad(i + 1)}-of-${pad(shards.length)}.safetensors`;
      const tensors = new Map<string, TensorToWrite>();
      for (const name of shard) {
        const tensor = forFile(name, get(name), config);
        checkFits(name, tensor, dtype);
        const tensorName = huggingfaceNames.fileNameOf(name);
        tensors.set(tensorName, { tensor, dtype: safetensorsNames[dtype] });
        weightMap[tensorName] = fileName;
        total += storedBytes(dtype, tensor.data.length);
      }
      writeSafetensors(join(inside, fileName), tensors, { format: "pt" });
    }
    if (shards.length > 1) {
      const json = { metadata: { total_size: total }, weight_map: weightMap };
      writeText(join(inside, index), `${JSON.stringify(json, null, 2)}\n`);
    }
  });
}

/** The names in each file: as many weights as fit, in the table's order. */
function planShards(config: LlamaConfig, dtype: FloatDType, shardBytes: number): string[][] {
  const shards: string[][] = [[]];
  let bytes = 0;
  for (const [name, shape] of weightShapes(config)) {
    const size = storedBytes(dtype, sizeOf(shape));
    if (bytes > 0 && bytes + size > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(name);
    bytes += size;
  }
  return shards;
}

function forFile(name: string, { data, shape }: Tensor, config: LlamaConfig): Tensor {
  return { data: isTurned(name) ? reordered(data, shape, headSize(config), "to halves") : data, shape };
}

function writeText(path: string, text: string): void {
  writeAtomically(path, (write) => write(new TextEncoder().encode(text)));
}

function pad(i: number): string {
  return String(i).padStart(5, "0");
}
