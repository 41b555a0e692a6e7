// GGUF files of architecture "llama" (ggml, docs/gguf.md; llama.cpp, src/llama-arch.cpp and gguf-py): the configuration in
// fields llama.*, the tokenizer in tokenizer.*, and tensors under llama.cpp's names.
//
// llama.cpp rotates adjacent pairs for this architecture, as Meta does, so the rows of wq and wk are in the order used here. A
// file without output.weight has a tied head. Norms stay float32 whatever the matrices are: ggml multiplies by them in float32.
import { headSize, type LlamaConfig } from "../reference/config.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { weightShapes } from "../reference/weights.ts";
import { writeAtomically } from "./atomic.ts";
import { checkConfigOf, type CheckpointSource, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError, quote } from "./error.ts";
import {
  alignedUp,
  describeField,
  encodeGgufHeader,
  type GgufField,
  type GgufMetadata,
  type GgufTensor,
  readGgufHeader,
} from "./gguf-header.ts";
import { openInput, type InputFile } from "./input.ts";
import {
  allocateWeight,
  checkFits,
  type FloatDType,
  q8Numbers,
  readStored,
  storedBytes,
  type StoredDType,
  writeStored,
} from "./stored.ts";
import { naming } from "./weight-names.ts";

/** ggml's numbers for the types that are read. */
const types = new Map<number, StoredDType>([
  [0, "float32"],
  [1, "float16"],
  [8, "q8_0"],
  [30, "bfloat16"],
]);
/** The types' names in ggml.h, from 0, for the message about one that is not read. */
const typeNames = "f32 f16 q4_0 q4_1 q4_2 q4_3 q5_0 q5_1 q8_0 q8_1 q2_K q3_K q4_K q5_K q6_K q8_K".split(" ");
const typeNumbers: Record<FloatDType, number> = { float32: 0, float16: 1, bfloat16: 30 };
/** general.file_type: the type of most matrices. */
const fileTypes: Record<FloatDType, number> = { float32: 0, float16: 1, bfloat16: 32 };

const alignment = 32;

/** llama.cpp's names. */
export const ggufNames = naming(
  "blk.",
  {
    attentionNorm: "attn_norm.weight",
    wq: "attn_q.weight",
    wk: "attn_k.weight",
    wv: "attn_v.weight",
    wo: "attn_output.weight",
    ffnNorm: "ffn_norm.weight",
    w1: "ffn_gate.weight",
    w2: "ffn_down.weight",
    w3: "ffn_up.weight",
  },
  {
    "tok_embeddings.weight": "token_embd.weight",
    "norm.weight": "output_norm.weight",
    "output.weight": "output.weight",
  },
);

export interface GgufSource extends CheckpointSource {
  readonly metadata: GgufMetadata;
}

/** Opens a file. Throws FormatError. */
export function openGguf(path: string): GgufSource {
  const file = openInput(path, "a GGUF file");
  try {
    const { metadata, tensors, dataStart } = readGgufHeader(file);
    checkArchitecture(path, metadata);
    const weights = new Map<string, StoredWeight>();
    for (const [fileName, tensor] of tensors) {
      weights.set(ggufNames.nameOf(fileName), storedWeight(file, fileName, tensor, dataStart));
    }
    checkApart(path, tensors);
    const config = configOf(path, metadata, weights);
    checkConfigOf(path, config);
    return { config, weights, metadata, ignored: [], close: file.close };
  } catch (error) {
    file.close();
    throw error;
  }
}

function storedWeight(file: InputFile, fileName: string, tensor: GgufTensor, dataStart: number): StoredWeight {
  const { shape, offset } = tensor;
  const what = `tensor ${quote(fileName)}`;
  const dtype = dtypeOf(file.path, fileName, tensor);
  const bytes = storedBytes(dtype, sizeOf(shape));
  const position = dataStart + offset;
  if (!(position + bytes <= file.size)) {
    throw new FormatError(
      file.path,
      `${what} ends at byte ${position + bytes}, expected at most ${file.size}, the file's end`,
    );
  }
  function read(): Float32Array {
    const data = allocateWeight(file.path, what, sizeOf(shape));
    readStored(file, position, dtype, data);
    return data;
  }
  return { fileName, shape, dtype, read };
}

function dtypeOf(path: string, fileName: string, { type, shape }: GgufTensor): StoredDType {
  const dtype = types.get(type);
  if (dtype === undefined) {
    const name = typeNames[type] ?? `ggml's type ${type}`;
    const wanted = [...types.values()].join(", ");
    throw new FormatError(path, `tensor ${quote(fileName)} is stored as ${name}, expected one of ${wanted}`);
  }
  if (dtype === "q8_0" && (shape.at(-1) ?? 1) % q8Numbers !== 0) {
    throw new FormatError(
      path,
      `tensor ${quote(fileName)} has rows of ${shape.at(-1)}, expected whole blocks of ${q8Numbers}`,
    );
  }
  return dtype;
}

function checkApart(path: string, tensors: ReadonlyMap<string, GgufTensor>): void {
  const placed = [...tensors].toSorted(([, a], [, b]) => a.offset - b.offset);
  let end = 0;
  let last = "";
  for (const [name, tensor] of placed) {
    if (tensor.offset < end) {
      throw new FormatError(
        path,
        `tensor ${quote(name)} lies at offset ${tensor.offset}, inside ${quote(last)}, expected ${end}`,
      );
    }
    end = tensor.offset + storedBytes(dtypeOf(path, name, tensor), sizeOf(tensor.shape));
    last = name;
  }
}

function checkArchitecture(path: string, metadata: GgufMetadata): void {
  const architecture = metadata.get("general.architecture");
  if (architecture?.value !== "llama") {
    throw new FormatError(path, `general.architecture is ${describeField(architecture)}, expected "llama"`);
  }
}

/** Fields llama.* that do not affect the numbers. */
const harmless = new Set(["llama.tensor_data_layout", "llama.context_length"]);

function configOf(path: string, metadata: GgufMetadata, weights: ReadonlyMap<string, StoredWeight>): LlamaConfig {
  const seen = new Set<string>(harmless);
  function number(key: string, otherwise?: number): number {
    seen.add(key);
    const field = metadata.get(key);
    if (field === undefined && otherwise !== undefined) return otherwise;
    const value = field === undefined ? undefined : numberOf(field);
    if (value === undefined) throw new FormatError(path, `${key} is ${describeField(field)}, expected a number`);
    return value;
  }
  /** A field that must have this value, or be absent. */
  function same(key: string, wanted: number | string | boolean): void {
    seen.add(key);
    const field = metadata.get(key);
    if (field === undefined || (numberOf(field) ?? field.value) === wanted) return;
    throw new FormatError(path, `${key} is ${describeField(field)}, which is not supported, expected ${wanted}`);
  }
  const embedding = weights.get("tok_embeddings.weight");
  if (embedding === undefined) throw new FormatError(path, 'has no tensor "token_embd.weight", expected one');
  const dim = number("llama.embedding_length");
  const nHeads = number("llama.attention.head_count");
  const config: LlamaConfig = {
    dim,
    nLayers: number("llama.block_count"),
    nHeads,
    nKvHeads: number("llama.attention.head_count_kv", nHeads),
    ffnDim: number("llama.feed_forward_length"),
    vocabSize: embedding.shape[0] ?? 0,
    normEps: number("llama.attention.layer_norm_rms_epsilon"),
    ropeTheta: number("llama.rope.freq_base", 10_000),
    tiedEmbeddings: !weights.has("output.weight"),
    maxSeqLen: number("llama.context_length"),
  };
  for (const key of ["llama.rope.dimension_count", "llama.attention.key_length", "llama.attention.value_length"]) {
    same(key, headSize(config));
  }
  same("llama.vocab_size", config.vocabSize);
  same("llama.rope.scaling.type", "none");
  same("llama.rope.scaling.factor", 1);
  same("llama.rope.scale_linear", 1);
  same("llama.expert_count", 0);
  same("llama.expert_used_count", 0);
  same("llama.attention.causal", true);
  same("llama.use_parallel_residual", false);
  for (const key of metadata.keys()) {
    if (!key.startsWith("llama.") || seen.has(key)) continue;
    throw new FormatError(path, `the field ${quote(key)} is not supported, it may change what the model computes`);
  }
  const tokens = metadata.get("tokenizer.ggml.tokens")?.value;
  if (Array.isArray(tokens) && tokens.length !== config.vocabSize) {
    throw new FormatError(
      path,
      `tokenizer.ggml.tokens holds ${tokens.length} pieces, expected ${config.vocabSize}, the embedding's rows`,
    );
  }
  return config;
}

/** The number in a field; for a float32 the shortest decimal that rounds to it, which its writer meant. */
function numberOf({ type, value }: GgufField): number | undefined {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "number") return undefined;
  return type === "float32" ? shortest(value) : value;
}

function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

export interface GgufOptions {
  /** Fields tokenizer.*, such as those of another file, or of tokenizerFields. */
  readonly tokenizer?: GgufMetadata;
  readonly name?: string;
}

/**
 * Writes a file of version 3, weight by weight: `get` is called for one at a time. Matrices are stored as dtype, norms as
 * float32. Throws RangeError if the tokenizer does not have as many pieces as the embedding has rows, or a number does
 * not fit; FormatError when the operating system refuses.
 */
export function writeGguf(
  path: string,
  config: LlamaConfig,
  get: (name: string) => Tensor,
  dtype: FloatDType,
  { tokenizer = new Map(), name = "llama" }: GgufOptions = {},
): void {
  const pieces = tokenizer.get("tokenizer.ggml.tokens")?.value;
  if (Array.isArray(pieces) && pieces.length !== config.vocabSize) {
    throw new RangeError(
      `the tokenizer has ${pieces.length} pieces, but the model's vocabulary is ${config.vocabSize}`,
    );
  }
  const tensors = new Map<string, GgufTensor>();
  const plan = new Map<string, FloatDType>();
  let offset = 0;
  for (const [weight, shape] of weightShapes(config)) {
    const stored = shape.length > 1 ? dtype : "float32";
    plan.set(weight, stored);
    tensors.set(ggufNames.fileNameOf(weight), { type: typeNumbers[stored], shape, offset });
    offset = alignedUp(offset + storedBytes(stored, sizeOf(shape)), alignment);
  }
  const header = encodeGgufHeader(new Map([...fieldsOf(config, dtype, name), ...tokenizer]), tensors);
  writeAtomically(path, (write) => {
    write(header);
    for (const [weight, stored] of plan) {
      const tensor = get(weight);
      checkFits(weight, tensor, stored);
      writeStored(tensor.data, stored, write);
      const bytes = storedBytes(stored, tensor.data.length);
      write(new Uint8Array(alignedUp(bytes, alignment) - bytes));
    }
  });
}

const uint32 = (value: number): GgufField => ({ type: "uint32", value });
const float32 = (value: number): GgufField => ({ type: "float32", value });
const string = (value: string): GgufField => ({ type: "string", value });

/** The fields of a configuration. */
export function fieldsOf(config: LlamaConfig, dtype: FloatDType, name: string): [string, GgufField][] {
  return [
    ["general.architecture", string("llama")],
    ["general.name", string(name)],
    ["general.file_type", uint32(fileTypes[dtype])],
    ["llama.context_length", uint32(config.maxSeqLen)],
    ["llama.embedding_length", uint32(config.dim)],
    ["llama.block_count", uint32(config.nLayers)],
    ["llama.feed_forward_length", uint32(config.ffnDim)],
    ["llama.attention.head_count", uint32(config.nHeads)],
    ["llama.attention.head_count_kv", uint32(config.nKvHeads)],
    ["llama.attention.layer_norm_rms_epsilon", float32(config.normEps)],
    ["llama.rope.dimension_count", uint32(headSize(config))],
    ["llama.rope.freq_base", float32(config.ropeTheta)],
    ["llama.vocab_size", uint32(config.vocabSize)],
  ];
}
