// llama2.c's checkpoint, version 0 (github.com/karpathy/llama2.c, export.py, legacy_export; run.c, read_checkpoint):
//
//     file = [ dim, ffnDim, nLayers, nHeads, nKvHeads, ±vocabSize, maxSeqLen : 7 × int32 ] [ float32 … ]
//
// A negative vocabSize means that the head is not the embedding. One kind of weight follows another, each for all layers;
// two RoPE tables [maxSeqLen, HS/2] come before the head.
import { headSize, type LlamaConfig } from "../reference/config.ts";
import * as ropeTable from "../reference/ops/rope-table.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { countParameters, layerWeightName, type LayerWeights, weightShapes } from "../reference/weights.ts";
import { writeAtomically } from "./atomic.ts";
import { checkConfigOf, type CheckpointSource, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError } from "./error.ts";
import { openInput, type InputFile } from "./input.ts";
import { allocateWeight, checkFits, readStored, storedBytes, writeStored } from "./stored.ts";

/** Constants of run.c, for which the file has no place. */
export const fixed = { normEps: 1e-5, ropeTheta: 10_000 } as const;

const headerBytes = 7 * 4;
/** "ak42": the first number of versions 1 and 2. */
const laterMagic = 0x616b3432;

/** The order of the file. */
const layerOrder = ["attentionNorm", "wq", "wk", "wv", "wo", "ffnNorm", "w1", "w2", "w3"] as const;

/** A run of numbers: a weight's, or one of the RoPE tables', which have no name. */
interface Run {
  readonly name?: string;
  readonly shape: readonly number[];
}

/** Opens a version-0 file. Throws FormatError, which names any other version. */
export function openLlama2c(path: string): CheckpointSource {
  const file = openInput(path, "a llama2.c checkpoint of version 0");
  try {
    const config = readHeader(file);
    const weights = new Map<string, StoredWeight>();
    let position = headerBytes;
    for (const { name, shape } of runs(config)) {
      const count = sizeOf(shape);
      if (name !== undefined) weights.set(name, storedWeight(file, name, shape, position));
      position += storedBytes("float32", count);
    }
    return { config, weights, ignored: ["RoPE's cosines", "RoPE's sines"], close: file.close };
  } catch (error) {
    file.close();
    throw error;
  }
}

function storedWeight(file: InputFile, name: string, shape: readonly number[], position: number): StoredWeight {
  function read(): Float32Array {
    const data = allocateWeight(file.path, name, sizeOf(shape));
    readStored(file, position, "float32", data);
    return data;
  }
  return { fileName: name, shape, dtype: "float32", read };
}

function readHeader(file: InputFile): LlamaConfig {
  if (file.size < headerBytes) {
    throw new FormatError(
      file.path,
      `is ${file.size} bytes long, expected a checkpoint, of which llama2.c's header alone has ${headerBytes}`,
    );
  }
  const header = new Uint8Array(headerBytes);
  file.read(0, header);
  const field = (i: number): number => new DataView(header.buffer).getInt32(4 * i, true);
  if (field(0) === laterMagic) {
    throw new FormatError(
      file.path,
      `is llama2.c's version ${field(1)}, expected version 0, which has no magic number`,
    );
  }
  const config: LlamaConfig = {
    dim: field(0),
    ffnDim: field(1),
    nLayers: field(2),
    nHeads: field(3),
    nKvHeads: field(4),
    vocabSize: Math.abs(field(5)),
    maxSeqLen: field(6),
    tiedEmbeddings: field(5) > 0,
    ...fixed,
  };
  checkConfigOf(file.path, config, "is not a checkpoint of a known format; as llama2.c's version 0, its ");
  // The size says whether the header may be believed, before a list of that many layers is made.
  const wanted = headerBytes + storedBytes("float32", countNumbers(config));
  if (file.size !== wanted) {
    throw new FormatError(
      file.path,
      `is ${file.size} bytes long, expected ${wanted} for llama2.c's version 0 of dim ${config.dim}, ffnDim ${config.ffnDim}, ` +
        `${config.nLayers} layers, ${config.nHeads} heads, ${config.nKvHeads} key/value heads, ` +
        `vocabulary ${field(5)}, ${config.maxSeqLen} positions`,
    );
  }
  return config;
}

/** How many numbers the file holds, RoPE's tables included, without a walk over the layers. */
function countNumbers(config: LlamaConfig): number {
  const rest = countParameters({ ...config, nLayers: 0 });
  const layer = countParameters({ ...config, nLayers: 1 }) - rest;
  return rest + config.nLayers * layer + config.maxSeqLen * headSize(config);
}

function runs(config: LlamaConfig): Run[] {
  const shapes = weightShapes(config);
  const run = (name: string): Run => ({ name, shape: shapes.get(name)! });
  const layers = Array.from({ length: config.nLayers }, (_, i) => i);
  const ofEach = (weight: keyof LayerWeights): Run[] => layers.map((i) => run(layerWeightName(i, weight)));
  const table: Run = { shape: [config.maxSeqLen, headSize(config) / 2] };
  return [
    run("tok_embeddings.weight"),
    ...layerOrder.flatMap(ofEach),
    run("norm.weight"),
    table,
    table,
    ...(config.tiedEmbeddings ? [] : [run("output.weight")]),
  ];
}

/**
 * Writes version 0, in float32, weight by weight: `get` is called for one at a time. Throws RangeError for a normEps or
 * ropeTheta other than run.c's own.
 */
export function writeLlama2c(path: string, config: LlamaConfig, get: (name: string) => Tensor): void {
  for (const [name, value] of Object.entries(fixed)) {
    const given = config[name as keyof typeof fixed];
    if (given !== value)
      throw new RangeError(`${name} is ${given}, expected ${value}: llama2.c's format has no place for another`);
  }
  const header = Int32Array.of(
    config.dim,
    config.ffnDim,
    config.nLayers,
    config.nHeads,
    config.nKvHeads,
    config.tiedEmbeddings ? config.vocabSize : -config.vocabSize,
    config.maxSeqLen,
  );
  const { cos, sin } = ropeTable.forward(config.ropeTheta, headSize(config), 0, config.maxSeqLen);
  const tables = [cos, sin];
  writeAtomically(path, (write) => {
    write(new Uint8Array(header.buffer));
    for (const { name } of runs(config)) {
      const tensor = name === undefined ? tables.shift()! : get(name);
      if (name !== undefined) checkFits(name, tensor, "float32");
      writeStored(tensor.data, "float32", write);
    }
  });
}
