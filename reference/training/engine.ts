// A training step as a device offers it. Runs and replays use nothing else.
import type { LlamaConfig } from "../config.ts";
import type { DTypeName } from "../dtype.ts";
import type { Policy } from "../model/policies.ts";
import type { RecordTensor } from "./recorded.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import type { Batch, TrainingState } from "./step.ts";
import type { Tensor } from "../tensor.ts";

/** Options that change how a step is computed and how much it holds. */
export interface StepOptions {
  /** Which tensors the forward saves (reference/model/recompute.ts); gradients have the same bits under every policy. */
  readonly recompute?: Policy;
  /** How many parts a batch is split into, one after another; 1 by default. */
  readonly microBatches?: number;
  /** Bytes that a device's buffers may take together; a step that needs more throws RangeError. */
  readonly memoryLimit?: number;
  /** Awaited within a step, wherever the engine can wait, so that the caller can look at signals. The reference waits between blocks. */
  readonly pause?: () => Promise<void>;
  /** The storage of weights, activations and their gradients; an engine without this storage throws RangeError. */
  readonly dtype?: StepDType;
}

/**
 * float32: everything is. bfloat16: mixed precision (Micikevicius et al. 2018): the passes read and write bfloat16 and compute
 * in float32; statistics, losses, sums over micro-batches, the master weights and the moments are float32. There is no float16,
 * because its range requires a scaled loss.
 */
export const stepDTypes = ["float32", "bfloat16"] as const;
export type StepDType = (typeof stepDTypes)[number];

/** The cost of a step on a device. */
export interface MeasuredStep {
  /** Bytes that the activations of a micro-batch and their gradients held at once, at most. */
  readonly activations: number;
  /** Bytes of all buffers together: the state, gradients and activations, which share what they can. */
  readonly buffers: number;
  /** Submissions since the engine began. */
  readonly submissions: number;
}

/** Holds a model's weights and moments and moves them. Methods are called one after another, each awaited. */
export interface StepEngine {
  /**
   * Both passes over a batch: the loss and the global gradient norm before clipping, as stored. Each tensor that was
   * computed goes to `record` under its name in a trace, if `record` is given. The state does not change.
   */
  differentiate(batch: Batch, record?: RecordTensor): Promise<{ loss: number; gradientNorm: number }>;
  /** Clips the gradients of the last `differentiate` and moves the state by AdamW's step t ≥ 1. */
  update(h: Hyperparameters, t: number, record?: RecordTensor): Promise<void>;
  /** Both, as one step without a record: the loss and the norm. A device computes it in one submission. */
  step(batch: Batch, h: Hyperparameters, t: number): Promise<{ loss: number; gradientNorm: number }>;
  /** A copy of the weights and moments, which later steps leave alone. */
  state(): Promise<TrainingState>;
  /** The dtype in which the engine stored a tensor that it recorded, if it is smaller than the tensor's storage here. */
  storedAs?(t: Tensor): DTypeName | undefined;
  /** The cost of the last step, or of `differentiate` without a record, on a device. */
  measured?(): MeasuredStep;
  /** Releases what the engine holds. */
  close(): void;
}

/** Opens an engine that starts from a state; a device that has one storage rounds the state to it. */
export type OpenEngine = (config: LlamaConfig, state: TrainingState, options?: StepOptions) => Promise<StepEngine>;
