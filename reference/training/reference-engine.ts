// The step of this folder as an engine.
import type { LlamaConfig } from "../config.ts";
import type { Floats, Tensor } from "../tensor.ts";
import type { StepEngine, StepOptions } from "./engine.ts";
import { splitBatch } from "./micro-batches.ts";
import { recordParts, recordUpdate } from "./recorded.ts";
import { withPauses } from "../turns.ts";
import { differentiateInTurns, passesOverParts } from "./in-parts.ts";
import { type TrainingState, update } from "./step.ts";

/** The reference as an engine, in the storage of the state that it is given. */
export function referenceEngine<P extends Floats>(
  config: LlamaConfig,
  initial: TrainingState<P>,
  { recompute = "none", microBatches = 1, dtype = "float32", pause = async () => {} }: StepOptions = {},
): StepEngine {
  if (dtype !== "float32") throw new RangeError(`the reference stores no ${dtype}, expected float32, or a device`);
  let state = initial;
  let last: { gradients: ReadonlyMap<string, Tensor<P>>; norm: Tensor<P> } | undefined;
  const engine: StepEngine = {
    async differentiate(batch, record) {
      const parts = splitBatch(batch, microBatches);
      if (record === undefined) {
        const found = await withPauses(differentiateInTurns(config, state.weights, parts, recompute), pause);
        last = found;
        return { loss: found.loss, gradientNorm: found.norm.data[0] };
      }
      const passes = passesOverParts(config, state.weights, parts, recompute);
      recordParts(passes, record);
      last = { gradients: passes.sums.at(-1)!, norm: passes.norm };
      return { loss: passes.loss.data[0], gradientNorm: passes.norm.data[0] };
    },
    async update(h, t, record) {
      if (last === undefined) throw new RangeError("update needs the gradients of a batch: differentiate one first");
      const next = update(h, t, state, last.gradients, last.norm);
      state = next.state;
      last = undefined;
      if (record !== undefined) recordUpdate(next.clipped, state, record);
    },
    async step(batch, h, t) {
      const found = await engine.differentiate(batch);
      await engine.update(h, t);
      return found;
    },
    state: async () => state,
    close() {},
  };
  return engine;
}
