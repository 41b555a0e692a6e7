// touchstone trace: a recorded training step, computed again.
import { type Command, Option } from "commander";
import { writeSafetensors } from "../golden/formats/safetensors.ts";
import { readTraceInput } from "../golden/trace/input.ts";
import { replay } from "../golden/trace/replay.ts";
import type { OpenEngine } from "../reference/training/engine.ts";
import type { Policy } from "../reference/planning/policies.ts";
import { type EngineName, engineNames, engineOf } from "./engine.ts";
import { UserError } from "./errors.ts";
import { addRecompute, checkDType, checkMicroBatches, countOf } from "./step-options.ts";

interface Options {
  readonly replay: string;
  readonly dtype?: "float64" | "float32" | "bfloat16";
  readonly device: EngineName;
  readonly recompute: Policy;
  readonly microBatches?: number;
  readonly full?: boolean;
  readonly out: string;
}

export function register(program: Command): void {
  addRecompute(program.command("trace"))
    .description(
      "compute the training steps of a recorded trace again, and write the same tensors under the same names",
    )
    .requiredOption("--replay <file>", "the recording: weights, tokens, targets and configuration (safetensors)")
    .addOption(
      new Option(
        "--dtype <dtype>",
        "storage (default: float64 on the cpu, float32 on the gpu); bfloat16 is mixed precision, on the gpu",
      ).choices(["float64", "float32", "bfloat16"]),
    )
    .addOption(new Option("--device <device>", "what computes").choices(engineNames).default("cpu"))
    .option("--micro-batches <n>", "parts that each batch is computed in (default: as recorded, else 1)", countOf)
    .option("--full", "also what else an op takes or gives, and every step's gradients, weights and moments")
    .requiredOption("--out <file>", "where to write (safetensors)")
    .action(trace);
}

async function trace(options: Options): Promise<void> {
  const { device, recompute, full = false, out } = options;
  const dtype = options.dtype ?? (device === "gpu" ? "float32" : "float64");
  if (device === "gpu" && dtype === "float64") throw new UserError("--device gpu computes in float32, not in float64");
  if (dtype === "bfloat16") checkDType(dtype, device);
  const stepDType = dtype === "bfloat16" ? dtype : "float32";
  const open: OpenEngine = (config, state, given) =>
    engineOf(device)(config, state, { ...given, recompute, dtype: stepDType });
  const recorded = readTraceInput(options.replay);
  const { microBatches = recorded.microBatches } = options;
  checkMicroBatches(microBatches, recorded.batches[0].tokens.shape[0]);
  const input = { ...recorded, microBatches };
  const run = {
    float64: () => replay(input, Float64Array, full, open),
    float32: () => replay(input, Float32Array, full, open),
    bfloat16: () => replay(input, Float32Array, full, open), // the master weights
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
  process.stdout.write(`${out}: ${tensors.size} tensors, ${input.batches.length} steps in ${dtype} on the ${device}\n`);
}
