// Which engine a command's --device names: the one place where a training step meets a device.
import type { LlamaConfig } from "../reference/config.ts";
import type { OpenEngine, StepEngine, StepOptions } from "../reference/training/engine.ts";
import { referenceEngine } from "../reference/training/reference-engine.ts";
import type { TrainingState } from "../reference/training/step.ts";

export const engineNames = ["cpu", "gpu"] as const;
export type EngineName = (typeof engineNames)[number];

/** The engine of that name: the reference, or the kernels on this machine's device (a GPU, else the software adapter). */
export function engineOf(name: EngineName): OpenEngine {
  return name === "cpu" ? openReference : openOnDevice;
}

async function openReference(config: LlamaConfig, state: TrainingState, options?: StepOptions): Promise<StepEngine> {
  return referenceEngine(config, state, options);
}

async function openOnDevice(config: LlamaConfig, state: TrainingState, options?: StepOptions): Promise<StepEngine> {
  const { openDevice } = await import("../kernels-gpu/device/dawn.ts");
  const { deviceEngine } = await import("../kernels-gpu/engine.ts");
  return deviceEngine(await openDevice(), config, state, options);
}
