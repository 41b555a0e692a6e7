// A run: one batch after another through an engine, from the step of a checkpoint to the last.
import { setImmediate } from "node:timers/promises";
import type { LlamaConfig } from "../reference/config.ts";
import type { Weights } from "../reference/weights.ts";
import { consecutive } from "../reference/text/batches.ts";
import type { StepEngine } from "../reference/training/engine.ts";
import { learningRateAt } from "../reference/training/schedule.ts";
import { type Batch, lossOf } from "../reference/training/step.ts";
import type { RunPlan } from "./checkpoint.ts";

export interface StepReport {
  /** Counted from 1. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
}

/** The functions that a run calls, and how often it saves. */
export interface RunHooks {
  readonly report: (step: StepReport) => void;
  /** Called with the number of steps done: every `saveEvery` steps, at the end, and when stopped. */
  readonly save: (step: number) => Promise<void>;
  readonly saveEvery: number;
  /** Called between steps. */
  readonly stopped: () => boolean;
}

/**
 * Runs steps `from` to totalSteps; returns how many were done when it ended or was stopped. `batchOf` gives the batch of each
 * step, counted from 0. Throws RangeError, and saves nothing more, if a loss or a gradient norm is not finite.
 */
export async function train(
  plan: RunPlan,
  engine: StepEngine,
  batchOf: (step: number) => Batch,
  from: number,
  hooks: RunHooks,
): Promise<number> {
  const { hyperparameters: h } = plan;
  let step = from;
  let saved = -1;
  while (step < h.totalSteps && !hooks.stopped()) {
    const batch = batchOf(step);
    const { loss, gradientNorm } = await engine.step(batch, h, step + 1);
    for (const [name, value] of Object.entries({ loss, "gradient norm": gradientNorm })) {
      if (!Number.isFinite(value))
        throw new RangeError(`the ${name} of step ${step + 1} is ${value}, expected a number`);
    }
    step++;
    hooks.report({ step, loss, learningRate: learningRateAt(h, step), gradientNorm });
    if (step % hooks.saveEvery === 0) {
      await hooks.save(step);
      saved = step;
    }
    await setImmediate(); // a signal is delivered between two turns of the event loop
  }
  if (saved !== step) await hooks.save(step);
  return step;
}

/** Loss, in nats, of every token but the first, in windows of T tokens. */
export function totalLoss(config: LlamaConfig, weights: Weights, tokens: Int32Array, T: number): number {
  let sum = 0;
  for (const batch of consecutive(tokens, T)) {
    sum += batch.targets.data.length * lossOf(config, weights, batch).data[0];
  }
  return sum;
}
