// Which engine a command's --device names: the one place where a training step meets a device.
import type { LlamaConfig } from "../reference/config.ts";
import { type OpenEngine, referenceEngine, type StepEngine } from "../reference/training/engine.ts";
import type { TrainingState } from "../reference/training/step.ts";
import { UserError } from "./errors.ts";

export const engineNames = ["cpu", "gpu"] as const;
export type EngineName = (typeof engineNames)[number];

/** The engine of that name. Throws UserError where there is none. */
export function engineOf(name: EngineName): OpenEngine {
  if (name === "cpu") return openReference;
  throw new UserError("--device gpu: the training step has no kernels yet, wanted cpu");
}

async function openReference(config: LlamaConfig, state: TrainingState): Promise<StepEngine> {
  return referenceEngine(config, state);
}
