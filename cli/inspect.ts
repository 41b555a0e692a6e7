// touchstone inspect: what a checkpoint holds.
import type { Command } from "commander";
import type { InspectOptions } from "./inspect-run.ts";

export function register(program: Command): void {
  program
    .command("inspect")
    .description("show a checkpoint: its configuration, parameters and tensors, their dtypes and norms")
    .argument("<file>", "llama2.c's .bin, a Hugging Face folder, Meta's folder or .pth, .gguf, or .safetensors")
    .option("--norms", "read every weight for its norms (default: for checkpoints below 2 GB)")
    .option("--no-norms", "read no weights")
    .option("--json", "as JSON")
    .action(async (path: string, options: InspectOptions) => {
      const { inspect } = await import("./inspect-run.ts");
      await inspect(path, options);
    });
}
