// How a training step is computed: what the forward saves, in how many parts, in how much memory.
import { type Command, Option } from "commander";
import type { LlamaConfig } from "../reference/config.ts";
import { ledgerOf } from "../reference/model/ledger.ts";
import { parsePolicy, type Policy, policyNames } from "../reference/model/policies.ts";
import { countParameters } from "../reference/weights.ts";
import { trainingState } from "../reference/planning/state.ts";
import { type StepDType, stepDTypes, type StepOptions } from "../reference/training/engine.ts";
import type { EngineName } from "./engine.ts";
import { UserError } from "./errors.ts";
import { bytes, quantity, whole } from "./numbers.ts";

const FLOAT32 = 4;

/** The parser of --micro-batches. */
export const microBatchCount = whole(1);

export interface StepFlags {
  readonly recompute: Policy;
  /** Undefined unless given: a resumed run keeps its own. */
  readonly microBatches?: number;
  readonly memoryLimit?: number;
  /** Undefined unless given: a resumed run keeps its own. */
  readonly dtype?: StepDType;
}

/** The value of --recompute. Throws UserError for what is neither a policy nor an output. */
export function policyOf(text: string): Policy {
  try {
    return parsePolicy(text);
  } catch (error) {
    throw new UserError(`--recompute ${text}: ${(error as Error).message}`, { cause: error });
  }
}

export function addRecompute(command: Command): Command {
  const what = `${policyNames.join(", ")}, or outputs to save, separated by commas; the rest are recomputed`;
  return command.option("--recompute <policy>", what, policyOf, "none");
}

/** --recompute, --micro-batches and --memory-limit. */
export function addStepOptions(command: Command): Command {
  return addRecompute(command)
    .option("--micro-batches <n>", "parts to compute a batch in, one after another (default: 1)", microBatchCount)
    .option("--memory-limit <bytes>", "refuse a step that needs more, such as 512M", quantity(bytes))
    .addOption(
      new Option(
        "--dtype <dtype>",
        "dtype of weights and activations: bfloat16 is mixed precision, on the gpu",
      ).choices(stepDTypes),
    );
}

/** The options of an engine. */
export function stepOptions({ recompute, microBatches = 1, memoryLimit, dtype = "float32" }: StepFlags): StepOptions {
  return { recompute, microBatches, dtype, ...(memoryLimit !== undefined && { memoryLimit }) };
}

/** Throws UserError for a dtype that only the kernels have. */
export function checkDType(dtype: StepDType, device: EngineName): void {
  if (dtype === "float32" || device === "gpu") return;
  throw new UserError(`--dtype ${dtype}: the reference computes in float32 and float64; add --device gpu`);
}

/** Bytes that a step holds by the ledger: weights, gradients, moments and in mixed precision master weights; activations and their gradients at the peak. */
export interface StepMemory {
  readonly state: number;
  readonly activations: number;
  readonly total: number;
}

export function stepMemory(
  config: LlamaConfig,
  batch: { B: number; T: number },
  policy: Policy,
  dtype: StepDType = "float32",
  accumulates = false,
): StepMemory {
  const sums = accumulates && dtype !== "float32" ? FLOAT32 * countParameters(config) : 0; // in addition to the gradients of one part
  const state = trainingState(config, dtype).total + sums;
  const activations = ledgerOf(config, batch, policy, dtype).peak.bytes;
  return { state, activations, total: state + activations };
}

/** Throws UserError unless the micro-batches divide the batch. */
export function checkMicroBatches(microBatches: number, batchSize: number): void {
  if (batchSize % microBatches === 0) return;
  throw new UserError(`--micro-batches ${microBatches}: expected a divisor of the ${batchSize} sequences of a batch`);
}

/** Throws UserError unless the micro-batches divide the batch and a step of one fits into the limit. */
export function checkStep(config: LlamaConfig, batchSize: number, T: number, flags: StepFlags): StepMemory {
  const { recompute, microBatches = 1, memoryLimit = Infinity, dtype = "float32" } = flags;
  checkMicroBatches(microBatches, batchSize);
  const memory = stepMemory(config, { B: batchSize / microBatches, T }, recompute, dtype, microBatches > 1);
  if (memory.total <= memoryLimit) return memory;
  const least = stepMemory(config, { B: 1, T }, "full", dtype, batchSize > 1).total;
  const advice =
    least <= memoryLimit
      ? `--recompute full and --micro-batches ${batchSize} need ${least}`
      : `no policy of recomputation needs less than ${least}`;
  throw new UserError(
    `--memory-limit ${memoryLimit}: a step needs ${memory.total} bytes, ${memory.state} of state and ` +
      `${memory.activations} of activations; ${advice}`,
  );
}
