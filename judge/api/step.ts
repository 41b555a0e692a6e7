// Writes recordings of training steps, and finds the first op at fault in one.
import { checkConfig, type LlamaConfig } from "../../reference/config.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import type { OpenEngine } from "../../reference/training/engine.ts";
import { checkHyperparameters, type Hyperparameters } from "../../reference/training/hyperparameters.ts";
import type { Batch } from "../../reference/training/step.ts";
import { checkWeights, type Weights } from "../../reference/weights.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import type { TraceInput } from "../../trace/input.ts";
import { replayTrace } from "../../trace/replay.ts";
import type { Blame } from "../blame.ts";
import { blameRecording } from "../blame-recording.ts";
import { ALLOWED_UNJUDGED } from "../conclusion.ts";
import { withSums } from "../sums.ts";
import { checkArithmetic, declareStores, type Stores } from "../terms.ts";
import { checkFields, checkTensor, fieldsOf, shown } from "./input.ts";
import { checkShare, checkTarget, declareOrders, type TermsOptions } from "./terms.ts";

const dtypes: ReadonlySet<string> = new Set<DTypeName>(["float32", "bfloat16", "float16"]);

/**
 * The terms under which a recording is judged.
 *
 * @example
 * ```ts
 * import { targets } from "touchstone-llama";
 * import { blame, type BlameOptions } from "touchstone-llama/node";
 *
 * const options: BlameOptions = { target: targets.cuda };
 * const { faults } = blame("step.safetensors", options);
 * ```
 */
export interface BlameOptions {
  /** Whose accuracies are allowed; WGSL's for a recording that Touchstone made itself, otherwise `targets.ieee`. */
  readonly target?: Target;
  /** The dtype in which the step computed, if the recording holds wider numbers. */
  readonly dtype?: DTypeName;
  /** Intermediates that the step's kernels store, and inputs that they read, in a lower format. */
  readonly stores?: Stores;
  /** The order of summation that the step's kernels have, as in `TermsOptions`; any order if left out. */
  readonly sums?: TermsOptions["sums"];
  /** The share of a tensor's elements, from 0 to 1, that may lack a finite bound before the verdict is inconclusive; 0.1 if left out. */
  readonly allowUnjudged?: number;
}

/**
 * Judges every op of a recorded training step, of Touchstone or of any framework, on its own recorded inputs: `faults` lists
 * the ops outside their bounds, in the order of execution, so the first is the culprit. Tensors are named as in a trace
 * (docs). Throws FormatError for a file that is not a recording, TypeError or RangeError for bad options.
 *
 * @example
 * ```ts
 * import { blame } from "touchstone-llama/node";
 *
 * const { faults, judged } = blame("step.safetensors");
 * judged.length; // tensors that were judged
 * faults[0]; // undefined where all are inside: { op: "attention.backward", segment: "layer 1, attention", … }
 * ```
 */
export function blame(path: string, options: BlameOptions = {}): Blame {
  checkPath(path);
  const fields = ["target", "dtype", "stores", "sums", "allowUnjudged"];
  checkFields(fieldsOf(options, "options", `{ ${fields.join(", ")} }`), "options", fields);
  const { target, dtype, stores = {}, sums, allowUnjudged = ALLOWED_UNJUDGED } = options;
  checkShare(allowUnjudged, "options.allowUnjudged");
  if (target !== undefined) checkTarget(target, "options.target");
  if (target !== undefined) checkArithmetic(target, [...operations.values()]);
  const all = [...operations.values()];
  const declared = (isOurs: boolean): Target => {
    const stored = declareStores(target ?? (isOurs ? targets.wgsl : targets.ieee), stores, all);
    return sums === undefined ? stored : declareOrders(stored, sums, withSums(all), "options.sums");
  };
  if (dtype !== undefined && !dtypes.has(dtype)) {
    throw new RangeError(`options.dtype: got ${shown(dtype)}, expected one of ${[...dtypes].join(", ")}`);
  }
  return blameRecording(path, dtype, declared, allowUnjudged);
}

/**
 * The steps to record: model, weights and batches.
 *
 * @example
 * ```ts
 * import { reference, tensor } from "touchstone-llama";
 * import type { StepsToRecord } from "touchstone-llama/node";
 *
 * const config = reference.presets.tiny;
 * const tokens = tensor(Int32Array.of(1, 2, 3, 4), [1, 4]);
 * const weights = reference.initialWeights(config, 1, Float32Array);
 * const steps: StepsToRecord = { config, weights, batches: [{ tokens, targets: tokens }] };
 * ```
 */
export interface StepsToRecord {
  readonly config: LlamaConfig;
  /** By the weights' names, as `reference.initialWeights` gives them. */
  readonly weights: Weights<Float32Array>;
  /** One for each step, of one shape: tokens and targets [B, T]. More than one needs hyperparameters. */
  readonly batches: readonly Batch[];
  /** Absent for one forward and backward without an update. */
  readonly hyperparameters?: Hyperparameters;
  /** Number of parts in which each batch is computed, one after another; 1 if left out. */
  readonly microBatches?: number;
}

/**
 * Computes training steps and writes every tensor of them to a safetensors file that `blame` reads: in float32 by the
 * reference, or by the engine that `open` opens, such as the kernels on a device. Throws TypeError or RangeError for bad
 * steps, FormatError where the file cannot be written.
 *
 * @example
 * ```ts
 * import { reference, tensor } from "touchstone-llama";
 * import { blame, recordSteps } from "touchstone-llama/node";
 *
 * const config = { ...reference.presets.tiny, nLayers: 1 };
 * const tokens = tensor(Int32Array.of(1, 2, 3, 4), [1, 4]);
 * const weights = reference.initialWeights(config, 1, Float32Array);
 * await recordSteps("mine.safetensors", { config, weights, batches: [{ tokens, targets: tokens }] });
 * blame("mine.safetensors").faults; // []
 * ```
 */
export async function recordSteps(path: string, steps: StepsToRecord, open?: OpenEngine): Promise<void> {
  checkPath(path);
  const known = ["config", "weights", "batches", "hyperparameters", "microBatches"];
  const fields = fieldsOf(steps, "steps", "{ config, weights, batches }");
  checkFields(fields, "steps", known);
  const { config, weights, batches, hyperparameters, microBatches = 1 } = steps;
  checkConfig(fieldsOf(config, "steps.config", "a configuration, such as reference.presets.tiny") as never);
  if (!(weights instanceof Map)) {
    throw new TypeError(`steps.weights: got ${shown(weights)}, expected a Map of tensors by the weights' names`);
  }
  checkWeights(config, weights);
  if (!Array.isArray(batches) || batches.length === 0) {
    throw new TypeError(`steps.batches: got ${shown(batches)}, expected an array of at least one batch`);
  }
  for (const [i, batch] of batches.entries()) checkBatch(batch, `steps.batches[${i}]`);
  if (hyperparameters !== undefined) {
    checkHyperparameters(fieldsOf(hyperparameters, "steps.hyperparameters", "those of a run") as never);
  } else if (batches.length > 1) {
    throw new TypeError("steps.hyperparameters: got undefined, expected them, as there is more than one batch");
  }
  if (open !== undefined && typeof open !== "function") {
    throw new TypeError(`open: got ${shown(open)}, expected a function that opens an engine`);
  }
  const configText = JSON.stringify({ ...config, ...hyperparameters });
  const input: TraceInput = {
    config,
    configText,
    weights: new Map(weights),
    batches,
    microBatches,
    ...(hyperparameters === undefined ? {} : { hyperparameters }),
  };
  const tensors = await replayTrace(input, Float32Array, true, open);
  writeSafetensors(path, tensors, {
    config: configText,
    dtype: "float32",
    rope: "adjacent pairs",
    ...(microBatches > 1 && { microBatches: String(microBatches) }),
    computedBy: "touchstone trace",
  });
}

/** Tokens and targets, int32 of one shape [B, T]. */
function checkBatch(batch: unknown, where: string): void {
  const given = fieldsOf(batch, where, "{ tokens, targets }");
  const shape = checkTensor(given["tokens"], `${where}.tokens`, [Int32Array]);
  const other = checkTensor(given["targets"], `${where}.targets`, [Int32Array]);
  if (shape.length !== 2) throw new RangeError(`${where}.tokens has shape [${shape}], expected [B,T]`);
  if (shape.join() !== other.join()) {
    throw new RangeError(`${where}.targets has shape [${other}], expected [${shape}] as of tokens`);
  }
}

function checkPath(path: unknown): asserts path is string {
  if (typeof path !== "string") throw new TypeError(`path: got ${shown(path)}, expected the path of a file`);
}
