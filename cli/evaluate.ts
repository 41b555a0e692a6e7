// touchstone evaluate: a model on tasks, as in the paper.
import { type Command, Option } from "commander";
import { LARGEST_SEED, list, whole } from "./numbers.ts";
import { engineNames } from "./engine.ts";
import type { EvaluateOptions } from "./evaluate-run.ts";

export function register(program: Command): void {
  program
    .command("evaluate")
    .description("measure a model: multiple choice, exact match, pass@k, perplexity")
    .argument("[checkpoint]", "a file or folder of any format that is read (default: the small model that ships)")
    .option("--tasks <files...>", "items as JSON lines (fields: training/README.md)")
    .option("--text <files...>", "texts to measure perplexity on")
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: the checkpoint's own)")
    .option(
      "--k <list>",
      "values of k for pass@k, such as 1,10 (default: 1, 10 and 100, as far as there are samples)",
      list(whole(1)),
    )
    .addOption(new Option("--seed <n>", "seed of the samples").argParser(whole(0, LARGEST_SEED)).default(1))
    .option("--json", "print the figures as JSON")
    .addOption(new Option("--device <device>", "where to compute").choices(engineNames).default("cpu"))
    .action(async (checkpoint: string | undefined, options: EvaluateOptions) => {
      const { evaluateFiles } = await import("./evaluate-run.ts");
      process.exitCode = await evaluateFiles(checkpoint, options);
    });
}
