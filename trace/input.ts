// The start of a replay: the weights, the batches and the configuration that a trace file holds.
import { checkConfig, type LlamaConfig } from "../reference/config.ts";
import { IGNORE_INDEX } from "../reference/ops/cross-entropy.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import {
  checkHyperparameters,
  hyperparameterNames,
  type Hyperparameters,
} from "../reference/training/hyperparameters.ts";
import type { Batch } from "../reference/training/step.ts";
import { weightShapes } from "../reference/weights.ts";
import { FormatError, quote } from "../formats/error.ts";
import { type Fields, fieldsOf, type JsonRecord, parseRecord } from "../formats/json.ts";
import { checkRoomFor, openSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import { traceTensor } from "./names.ts";
import { checkTwice } from "./twice.ts";

/** Steps of a recording; blame lists two ops a weight in each that is not recorded. */
const MOST_STEPS = 2 ** 12;

export interface TraceInput {
  readonly config: LlamaConfig;
  /** Absent where the recording is one forward and backward. */
  readonly hyperparameters?: Hyperparameters;
  /** The configuration as the file has it: JSON. */
  readonly configText: string;
  /** By the weights' names, in the order of the table, in the file's storage. */
  readonly weights: Map<string, Tensor>;
  /** One for each step. */
  readonly batches: readonly Batch[];
  /** Parts that each batch was computed in, one after another. */
  readonly microBatches: number;
}

/**
 * Reads and checks the inputs in a trace file. Throws FormatError: the path, what, where and what was expected; also where the
 * recording has one quantity under two names with two values.
 */
export function readTraceInput(path: string): TraceInput {
  const file = openSafetensors(path);
  try {
    const configText = file.metadata.config;
    if (configText === undefined)
      throw new FormatError(path, 'metadata has no "config", expected a configuration in JSON');
    const fields = parseObject(path, configText);
    checkRope(path, file.metadata.rope);
    const { batches, T } = readBatches(file);
    const config = readConfig(path, fields, T);
    const weights = readWeights(file, config, "weights");
    checkIds(path, batches, config.vocabSize);
    const microBatches = readMicroBatches(file, batches[0].tokens.shape[0]);
    const input = { config, configText, weights, batches, microBatches };
    const told = { steps: batches.length, microBatches };
    if (hyperparameterNames.some((name) => fields[name] !== undefined)) {
      const hyperparameters = readHyperparameters(path, fields);
      checkTwice(file, { ...told, hyperparameters });
      return { ...input, hyperparameters };
    }
    checkTwice(file, told);
    if (batches.length === 1) return input;
    const wanted = "expected learningRate and the others, or one step";
    throw new FormatError(path, `tokens hold ${batches.length} steps but there are no hyperparameters, ${wanted}`);
  } finally {
    file.close();
  }
}

/** The configuration and hyperparameters in the metadata of a file that has both. Throws FormatError. */
export function parseRunConfig(path: string, text: string): { config: LlamaConfig; hyperparameters: Hyperparameters } {
  const fields = parseObject(path, text);
  return { config: readConfig(path, fields, undefined), hyperparameters: readHyperparameters(path, fields) };
}

function parseObject(path: string, text: string): JsonRecord {
  return parseRecord(path, 'metadata "config"', text);
}

function readConfig(path: string, json: JsonRecord, T: number | undefined): LlamaConfig {
  const fields = configuration(path, json);
  const config = {} as Record<keyof LlamaConfig, unknown>;
  const numbers = ["dim", "nLayers", "nHeads", "nKvHeads", "ffnDim", "vocabSize", "normEps", "ropeTheta"] as const;
  for (const name of numbers) config[name] = fields.number(name);
  // A recording need not say how long its sequences could have been.
  config.maxSeqLen = fields.has("maxSeqLen") || T === undefined ? fields.number("maxSeqLen") : T;
  config.tiedEmbeddings = fields.flag("tiedEmbeddings");
  return checked(path, config as LlamaConfig, checkConfig);
}

function readHyperparameters(path: string, json: JsonRecord): Hyperparameters {
  const fields = configuration(path, json);
  const h = Object.fromEntries(hyperparameterNames.map((name) => [name, fields.number(name)]));
  return checked(path, h as unknown as Hyperparameters, checkHyperparameters);
}

function configuration(path: string, json: JsonRecord): Fields {
  return fieldsOf(json, (name, is, expected) => {
    throw new FormatError(path, `configuration: ${name} is ${is}, expected ${expected}`);
  });
}

function checked<T>(path: string, value: T, check: (value: T) => void): T {
  try {
    check(value);
    return value;
  } catch (error) {
    if (error instanceof RangeError) throw new FormatError(path, error.message, { cause: error });
    throw error;
  }
}

function checkRope(path: string, rope: string | undefined): void {
  if (rope !== undefined && rope !== "adjacent pairs") {
    throw new FormatError(path, `metadata "rope" is ${quote(rope)}, expected "adjacent pairs" or nothing`);
  }
}

/**
 * The tensors `prefix.…` of a file, which must be those of the configuration's weights, in the order of their table. Throws
 * FormatError naming the first that is missing, left over, or of another shape.
 */
export function readWeights(file: SafetensorsFile, config: LlamaConfig, prefix: string): Map<string, Tensor> {
  const held = file.names.filter((name) => name.startsWith(`${prefix}.`));
  if (config.nLayers > held.length) {
    // Checked before the table of weights is made, which would be as long as the configuration says.
    const wanted = `expected at least one ${prefix} tensor a layer, found ${held.length}`;
    throw new FormatError(file.path, `configuration: nLayers is ${config.nLayers}, ${wanted}`);
  }
  const shapes = weightShapes(config);
  for (const [name, shape] of shapes) {
    const entry = file.tensors.get(`${prefix}.${name}`);
    if (entry === undefined) {
      throw new FormatError(file.path, `tensor "${prefix}.${name}" is missing, expected shape [${shape}]`);
    }
    if (entry.shape.join() !== shape.join()) {
      throw new FormatError(file.path, `tensor "${prefix}.${name}" has shape [${entry.shape}], expected [${shape}]`);
    }
  }
  for (const name of held) {
    if (!shapes.has(name.slice(prefix.length + 1))) {
      throw new FormatError(file.path, `tensor ${quote(name)} is not a weight of this configuration`);
    }
  }
  checkRoomFor(file, held);
  return new Map([...shapes.keys()].map((name) => [name, file.readFloats(`${prefix}.${name}`)]));
}

function readBatches(file: SafetensorsFile): { batches: Batch[]; T: number } {
  for (const name of ["tokens", "targets"]) {
    const shape = file.tensors.get(name)?.shape;
    if (shape === undefined) throw new FormatError(file.path, `tensor "${name}" is missing, expected shape [step,B,T]`);
    if (shape.length !== 3 || shape.includes(0)) {
      throw new FormatError(file.path, `tensor "${name}" has shape [${shape}], expected [step,B,T] with no length 0`);
    }
  }
  const [steps] = file.tensors.get("tokens")!.shape;
  if (steps > MOST_STEPS) {
    throw new FormatError(file.path, `tensor "tokens" holds ${steps} steps, expected at most ${MOST_STEPS}`);
  }
  const tokens = file.readInts("tokens");
  const targets = file.readInts("targets");
  if (tokens.shape.join() !== targets.shape.join()) {
    throw new FormatError(
      file.path,
      `tensor "targets" has shape [${targets.shape}], expected [${tokens.shape}] as "tokens"`,
    );
  }
  const [S, B, T] = tokens.shape;
  const stepOf = ({ data }: Tensor<Ints>, s: number): Tensor<Ints> => ({
    data: data.slice(s * B * T, (s + 1) * B * T),
    shape: [B, T],
  });
  const batches = Array.from({ length: S }, (_, s) => ({ tokens: stepOf(tokens, s), targets: stepOf(targets, s) }));
  return { batches, T };
}

/** The number in the metadata, or 1 where neither it nor any name mentions micro-batches. */
function readMicroBatches({ path, metadata, names }: SafetensorsFile, B: number): number {
  const text = metadata.microBatches ?? "1";
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (!(value > 0 && B % value === 0)) {
    const wanted = `expected a divisor of the ${B} sequences of a batch`;
    throw new FormatError(path, `metadata "microBatches" is ${quote(text)}, ${wanted}`);
  }
  for (const name of names) {
    const { microBatch } = traceTensor(name);
    if (microBatch === undefined || (value > 1 && microBatch >= 0 && microBatch < value)) continue;
    const said = metadata.microBatches === undefined ? 'metadata has no "microBatches"' : `there are ${value}`;
    throw new FormatError(path, `tensor ${quote(name)} is of no micro-batch: ${said}`);
  }
  return value;
}

function checkIds(path: string, batches: readonly Batch[], V: number): void {
  for (const [s, batch] of batches.entries()) {
    for (const name of ["tokens", "targets"] as const) {
      const { data, shape } = batch[name];
      const at = data.findIndex((id) => !((id >= 0 && id < V) || (name === "targets" && id === IGNORE_INDEX)));
      if (at < 0) continue;
      const where = `${name}[${s},${Math.floor(at / shape[1])},${at % shape[1]}]`;
      const or = name === "targets" ? ` or ${IGNORE_INDEX}` : "";
      throw new FormatError(path, `${where} is ${data[at]}, expected an id in [0, ${V})${or}`);
    }
  }
}

/** The weights in another storage: each number is rounded once. */
export function storedAs<P extends Floats>(
  weights: ReadonlyMap<string, Tensor>,
  Storage: new (data: Floats) => P,
): Map<string, Tensor<P>> {
  return new Map([...weights].map(([name, { data, shape }]) => [name, { data: new Storage(data), shape }]));
}
