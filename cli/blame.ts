// touchstone blame: the first op of a recorded step that is outside its bound.
import { type Command, Option } from "commander";
import type { BlameOptions } from "./blame-run.ts";
import { allowUnjudged } from "./numbers.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  program
    .command("blame")
    .description("judge every op of a recorded step on its recorded inputs, and name the first outside its bound")
    .argument("<file>", "the recording (safetensors), with the names of `touchstone trace`")
    .addOption(
      new Option("--dtype <dtype>", "the dtype that the step computed in (default: as recorded)").choices([
        "float32",
        "bfloat16",
        "float16",
      ]),
    )
    .option(
      "--target <name or file>",
      "whose accuracies are allowed (default: wgsl for a trace of our own, otherwise ieee)",
    )
    .option("--store <list>", "intermediates declared as stored low, such as P=bfloat16")
    .option(
      "--sum <order>",
      "the order of summation that the step's kernels have, such as blocked:64; y=blocked:64,dw=pairwise for single sums (docs/orders.md)",
    )
    .option("--all", "list every judged tensor")
    .addOption(allowUnjudged())
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (file: string, options: BlameOptions) => {
      const { blameFile } = await import("./blame-run.ts");
      process.exitCode = await blameFile(file, options);
    });
}
