// A training step as a device offers it. Runs and replays use nothing else.
import type { LlamaConfig } from "../config.ts";
import type { DTypeName } from "../dtype.ts";
import type { Policy } from "../model/policies.ts";
import type { RecordTensor } from "./recorded.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import type { Batch, TrainingState } from "./step.ts";
import type { Tensor } from "../tensor.ts";

/** What changes how a step is computed and what it holds. */
export interface StepOptions {
  /** What the forward saves for the backward (reference/model/recompute.ts); gradients have the same bits under each. */
  readonly recompute?: Policy;
  /** How many parts a batch is split into, one after another; 1 by default. */
  readonly microBatches?: number;
  /** Bytes that a device's buffers may take together; a step that needs more throws RangeError. */
  readonly memoryLimit?: number;
  /** What weights and activations are stored in, and their gradients; an engine that has no such storage throws RangeError. */
  readonly dtype?: StepDType;
}

/**
 * float32: everything is. bfloat16: mixed precision (Micikevicius et al. 2018): the passes read and write bfloat16 and compute
 * in float32; statistics, losses, sums over micro-batches, the master weights and the moments are float32. There is no float16:
 * its range asks for a scaled loss.
 */
export const stepDTypes = ["float32", "bfloat16"] as const;
export type StepDType = (typeof stepDTypes)[number];

/** What a step took on a device. */
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
  /** In which dtype the engine stored a tensor that it recorded, if that is smaller than its storage here. */
  storedAs?(t: Tensor): DTypeName | undefined;
  /** Of the last step, or `differentiate` without a record, on a device. */
  measured?(): MeasuredStep;
  /** Releases what the engine holds. */
  close(): void;
}

/** Opens an engine that starts from a state; a device that has one storage rounds the state to it. */
export type OpenEngine = (config: LlamaConfig, state: TrainingState, options?: StepOptions) => Promise<StepEngine>;
