// What `touchstone trace` does.
import { writeSafetensors } from "../formats/safetensors.ts";
import { readTraceInput } from "../trace/input.ts";
import { replayTrace } from "../trace/replay.ts";
import type { OpenEngine } from "../reference/training/engine.ts";
import { type EngineName, engineOf } from "./engine.ts";
import { UserError } from "./errors.ts";
import { say } from "./output.ts";
import { checkOutput } from "./outputs.ts";
import { checkDType, checkMicroBatches } from "./step-options.ts";
import type { Policy } from "../reference/model/policies.ts";
import { counted } from "./words.ts";

export interface TraceOptions {
  readonly replay: string;
  readonly dtype?: "float64" | "float32" | "bfloat16";
  readonly device: EngineName;
  readonly recompute: Policy;
  readonly microBatches?: number;
  readonly full?: boolean;
  readonly out: string;
  readonly overwrite?: boolean;
}

/** Computes the steps again and writes what they computed. */
export async function trace(options: TraceOptions): Promise<void> {
  const { device, recompute, full = false, out } = options;
  const dtype = options.dtype ?? (device === "gpu" ? "float32" : "float64");
  if (device === "gpu" && dtype === "float64")
    throw new UserError("--dtype float64: --device gpu has no float64, expected float32 or bfloat16");
  if (dtype === "bfloat16") checkDType(dtype, device);
  const stepDType = dtype === "bfloat16" ? dtype : "float32";
  const open: OpenEngine = (config, state, given) =>
    engineOf(device)(config, state, { ...given, recompute, dtype: stepDType });
  const recorded = readTraceInput(options.replay);
  checkOutput("--out", out, { overwrite: options.overwrite, inputs: [options.replay] });
  const { microBatches = recorded.microBatches } = options;
  checkMicroBatches(microBatches, recorded.batches[0].tokens.shape[0]);
  const input = { ...recorded, microBatches };
  const run = {
    float64: () => replayTrace(input, Float64Array, full, open),
    float32: () => replayTrace(input, Float32Array, full, open),
    bfloat16: () => replayTrace(input, Float32Array, full, open), // the master weights
  };
  const tensors = await run[dtype]();
  const metadata = {
    config: input.configText,
    dtype,
    device,
    rope: "adjacent pairs",
    ...(microBatches > 1 && { microBatches: String(microBatches) }),
    computedBy: "touchstone trace",
  };
  writeSafetensors(out, tensors, metadata);
  say(
    `${out}: ${counted(tensors.size, "tensor")}, ${counted(input.batches.length, "step")} in ${dtype} on the ${device}`,
  );
}
