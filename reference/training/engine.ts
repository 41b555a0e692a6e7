// A training step as a device offers it, and the one that this folder is: whoever drives a run or a replay sees no other.
import type { LlamaConfig } from "../config.ts";
import { recordPasses, recordUpdate, type Recorder } from "./recorded.ts";
import type { Floats } from "../tensor.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { type Batch, differentiate, type TrainingState, update } from "./step.ts";

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

/** The reference as an engine, in the storage of the state that it is given. */
export function referenceEngine<P extends Floats>(config: LlamaConfig, initial: TrainingState<P>): StepEngine {
  let state = initial;
  let passes: ReturnType<typeof differentiate<P>> | undefined;
  return {
    async differentiate(batch, record) {
      passes = differentiate(config, state.weights, batch);
      if (record !== undefined) recordPasses(passes, record);
      return { loss: passes.loss.data[0], gradientNorm: passes.norm.data[0] };
    },
    async update(h, t, record) {
      if (passes === undefined) throw new RangeError("update needs the gradients of a batch: differentiate one first");
      const next = update(h, t, state, passes.gradients.weights, passes.norm);
      state = next.state;
      passes = undefined;
      if (record !== undefined) recordUpdate(next.clipped, state, record);
    },
    state: async () => state,
    close() {},
  };
}
