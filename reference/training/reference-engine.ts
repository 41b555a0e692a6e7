// The step of this folder as an engine.
import type { LlamaConfig } from "../config.ts";
import type { Floats } from "../tensor.ts";
import type { StepEngine } from "./engine.ts";
import { recordPasses, recordUpdate } from "./recorded.ts";
import { differentiate, type TrainingState, update } from "./step.ts";

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
