// Everything that a run needs to continue with the same bits, in one file:  FOLDER/checkpoint.safetensors
//
//   weights.*  firstMoment.*  secondMoment.*        float32
//   metadata: config (configuration and hyperparameters, as in a trace), run (step, how batches are placed and split),
//             generators (seed and next number of each stream), text (SHA-256), and, if used,
//             tokenizer (SHA-256), dtype (what the passes stored), mixture (where each source's next sequence begins)
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FormatError, quote } from "../formats/error.ts";
import { type Fields, fieldsOf, isRecord, type JsonRecord, parseRecord } from "../formats/json.ts";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "../formats/safetensors.ts";
import { parseRunConfig, readWeights } from "../trace/input.ts";
import type { LlamaConfig } from "../reference/config.ts";
import type { Tensor } from "../reference/tensor.ts";
import { BATCH_STREAM } from "../reference/text/batches.ts";
import type { MixtureState } from "../reference/text/mixture.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";
import type { TrainingState } from "../reference/training/step.ts";

const MOST = Number.MAX_SAFE_INTEGER;

/** Everything except the text that determines a run; counts of sequences and tokens. */
export interface RunPlan {
  readonly config: LlamaConfig;
  readonly hyperparameters: Hyperparameters;
  readonly batchSize: number;
  /** Parts of a batch, one after another; their gradients' sums are stored, so a different number gives different bits. */
  readonly microBatches: number;
  readonly sequenceLength: number;
  readonly seed: number;
  /** SHA-256 of the text, or of the mixture, in hexadecimal. */
  readonly text: string;
  /** SHA-256 of the tokenizer's file; absent for bytes. */
  readonly tokenizer?: string;
  /** The dtype that the passes store; absent for float32. */
  readonly dtype?: "bfloat16";
}

export interface RunCheckpoint {
  readonly plan: RunPlan;
  /** Steps done. */
  readonly step: number;
  readonly state: TrainingState;
  /** Only of a run on a mixture: its place in each source. */
  readonly mixture?: MixtureState;
}

/** Where a folder keeps its checkpoint. */
export function checkpointPath(folder: string): string {
  return join(folder, "checkpoint.safetensors");
}

export function hasCheckpoint(folder: string): boolean {
  return existsSync(checkpointPath(folder));
}

/** Replaces the folder's checkpoint, whole or not at all. Throws FormatError when the operating system refuses. */
export function saveCheckpoint(folder: string, { plan, step, state, mixture }: RunCheckpoint): void {
  const { config, hyperparameters, batchSize, microBatches, sequenceLength, seed, text, tokenizer, dtype } = plan;
  const tensors = new Map<string, Tensor>();
  for (const [prefix, named] of Object.entries(state)) {
    for (const [name, t] of named as TrainingState["weights"]) tensors.set(`${prefix}.${name}`, t);
  }
  writeSafetensors(checkpointPath(folder), tensors, {
    config: sortedJson({ ...config, ...hyperparameters }),
    run: JSON.stringify({ step, batchSize, microBatches, sequenceLength }),
    generators: JSON.stringify({ [BATCH_STREAM]: { seed, next: step * batchSize } }),
    text,
    ...(tokenizer !== undefined && { tokenizer }),
    ...(dtype !== undefined && { dtype }),
    ...(mixture !== undefined && { mixture: JSON.stringify(mixture) }),
  });
}

/** Reads and checks the folder's checkpoint. Throws FormatError. */
export function loadCheckpoint(folder: string): RunCheckpoint {
  return inCheckpoint(folder, (file) => {
    const planned = planIn(file);
    const { config } = planned.plan;
    const read = (prefix: string): Map<string, Tensor> => readFloat32(file, config, prefix);
    const state = {
      weights: read("weights"),
      firstMoment: read("firstMoment"),
      secondMoment: read("secondMoment"),
    };
    const { mixture } = file.metadata;
    return { ...planned, state, ...(mixture !== undefined && { mixture: mixtureIn(file.path, mixture) }) };
  });
}

/** Whose checkpoint a folder holds, and how far it is, without its tensors. Throws FormatError. */
export function readPlan(folder: string): Pick<RunCheckpoint, "plan" | "step"> {
  return inCheckpoint(folder, planIn);
}

function inCheckpoint<T>(folder: string, read: (file: SafetensorsFile) => T): T {
  const file = openSafetensors(checkpointPath(folder));
  try {
    return read(file);
  } finally {
    file.close();
  }
}

function planIn(file: SafetensorsFile): Pick<RunCheckpoint, "plan" | "step"> {
  const { path, metadata } = file;
  const { config, hyperparameters } = parseRunConfig(path, inMetadata(file, "config"));
  const run = fieldsIn(path, "run", parseObject(path, "run", inMetadata(file, "run")));
  const step = run.whole("step", 0, MOST);
  const [batchSize, microBatches, sequenceLength] = (["batchSize", "microBatches", "sequenceLength"] as const).map(
    (name) => run.whole(name, 1, MOST),
  );
  const generators = fieldsIn(path, "generators", parseObject(path, "generators", inMetadata(file, "generators")));
  const stream = fieldsIn(path, "generators", generators.record(BATCH_STREAM));
  const seed = stream.whole("seed", 0, MOST);
  const next = stream.whole("next", 0, MOST);
  if (batchSize % microBatches !== 0) {
    throw new FormatError(
      path,
      `metadata: microBatches is ${microBatches}, expected a divisor of batchSize=${batchSize}`,
    );
  }
  if (!(step <= hyperparameters.totalSteps)) {
    throw new FormatError(path, `metadata: step is ${step}, expected at most totalSteps=${hyperparameters.totalSteps}`);
  }
  if (next !== step * batchSize) {
    throw new FormatError(path, `metadata: next is ${next}, expected step · batchSize = ${step * batchSize}`);
  }
  const text = metadata.text ?? "";
  const { tokenizer, dtype } = metadata;
  if (dtype !== undefined && dtype !== "bfloat16") {
    throw new FormatError(path, `metadata: dtype is ${quote(dtype)}, expected "bfloat16", or none for float32`);
  }
  const named: Pick<RunPlan, "tokenizer" | "dtype"> = {
    ...(tokenizer !== undefined && { tokenizer }),
    ...(dtype !== undefined && { dtype }),
  };
  const plan = { config, hyperparameters, batchSize, microBatches, sequenceLength, seed, text, ...named };
  return { plan, step };
}

function mixtureIn(path: string, text: string): MixtureState {
  const { sources } = parseObject(path, "mixture", text);
  const counts = ["sequences", "epoch", "document", "part", "token"] as const;
  const isSource = (source: unknown): boolean => {
    if (!isRecord(source) || typeof source.name !== "string") return false;
    return counts.every((name) => Number.isSafeInteger(source[name]) && (source[name] as number) >= 0);
  };
  if (Array.isArray(sources) && sources.length > 0 && sources.every(isSource)) return { sources };
  throw new FormatError(path, `metadata "mixture" is ${quote(text)}, expected each source's name and place`);
}

/** The same text for the same fields, in whatever order they were set. */
function sortedJson(fields: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/** The tensors must be float32, or the run would not continue with the same bits. */
function readFloat32(file: SafetensorsFile, config: LlamaConfig, prefix: string): Map<string, Tensor> {
  const tensors = readWeights(file, config, prefix);
  for (const name of tensors.keys()) {
    const dtype = file.tensors.get(`${prefix}.${name}`)?.dtype;
    if (dtype !== "F32") throw new FormatError(file.path, `tensor "${prefix}.${name}" is ${dtype}, expected F32`);
  }
  return tensors;
}

function inMetadata({ path, metadata }: SafetensorsFile, key: string): string {
  const text = metadata[key];
  if (text === undefined) throw new FormatError(path, `metadata has no "${key}", expected the checkpoint of a run`);
  return text;
}

function parseObject(path: string, key: string, text: string): JsonRecord {
  return parseRecord(path, `metadata "${key}"`, text);
}

function fieldsIn(path: string, key: string, json: JsonRecord): Fields {
  return fieldsOf(json, (name, is, expected) => {
    throw new FormatError(path, `metadata "${key}": ${name} is ${is}, expected ${expected}`);
  });
}
