// A training step as a device offers it: whoever drives a run or a replay sees nothing else.
import type { LlamaConfig } from "../config.ts";
import type { Recorder } from "./recorded.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import type { Batch, TrainingState } from "./step.ts";

/** Holds a model's weights and moments and moves them. Methods are called one after another, each awaited. */
export interface StepEngine {
  /**
   * Both passes over a batch: the loss and the global gradient norm before clipping, as stored. Each tensor that was
   * computed goes to `record` under its name in a trace, if `record` is given. The state does not change.
   */
  differentiate(batch: Batch, record?: Recorder): Promise<{ loss: number; gradientNorm: number }>;
  /** Clips the gradients of the last `differentiate` and moves the state by AdamW's step t ≥ 1. */
  update(h: Hyperparameters, t: number, record?: Recorder): Promise<void>;
  /** A copy of the weights and moments, which later steps leave alone. */
  state(): Promise<TrainingState>;
  /** Gives back what the engine holds. */
  close(): void;
}

/** Makes an engine that starts from a state; a device with one storage rounds what it is given. */
export type OpenEngine = (config: LlamaConfig, state: TrainingState) => Promise<StepEngine>;
