// touchstone trace: a recorded training step, computed again.
import { type Command, Option } from "commander";
import { engineNames } from "./engine.ts";
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
    .addOption(new Option("--device <device>", "what computes").choices(engineNames).default("cpu"))
    .option(
      "--micro-batches <n>",
      "parts that each batch is computed in (default: as recorded, else 1)",
      microBatchCount,
    )
    .option("--full", "also what else an op takes or gives, and every step's gradients, weights and moments")
    .requiredOption("--out <file>", "where to write (safetensors)")
    .action(async (options: TraceOptions) => {
      const { trace } = await import("./trace-run.ts");
      await trace(options);
    });
}
