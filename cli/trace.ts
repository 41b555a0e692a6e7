// touchstone trace: a recorded training step, computed again.
import { type Command, Option } from "commander";
import { engineNames } from "./engine.ts";
import { overwriteHelp } from "./outputs.ts";
import { addRecompute, microBatchCount } from "./step-options.ts";
import type { TraceOptions } from "./trace-run.ts";

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
    .addOption(new Option("--device <device>", "where to compute").choices(engineNames).default("cpu"))
    .option("--micro-batches <n>", "parts to compute each batch in (default: as recorded, else 1)", microBatchCount)
    .option("--full", "also every other input and output of an op, and each step's gradients, weights and moments")
    .requiredOption("--out <file>", "where to write (safetensors)")
    .option("--overwrite", overwriteHelp)
    .action(async (options: TraceOptions) => {
      const { trace } = await import("./trace-run.ts");
      await trace(options);
    });
}
