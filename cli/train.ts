// touchstone train: a LLaMA from a text or a mixture of sources.
import { type Command, Option } from "commander";
import { presets } from "../reference/config.ts";
import { engineNames } from "./engine.ts";
import { addStepOptions } from "./step-options.ts";
import type { TrainOptions } from "./train-run.ts";
import { LARGEST_SEED, real, whole } from "./numbers.ts";
import { defaults } from "./train-defaults.ts";

export function register(program: Command): void {
  addStepOptions(program.command("train"))
    .description("train a LLaMA on UTF-8 text or on a mixture of sources; without --out nothing is kept")
    .option("--text <files...>", "the text (default: the one that ships with this program)")
    .addOption(new Option("--mixture <file>", "sources and their weights, in JSON").conflicts("text"))
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: bytes as tokens)")
    .option("--steps <n>", `steps of the whole run (default: ${defaults.steps})`, whole(1))
    .option("--config <name>", `one of ${Object.keys(presets).join(", ")} (default: tiny)`)
    .option("--batch-size <n>", `sequences a step (default: ${defaults.batchSize})`, whole(1))
    .option(
      "--sequence-length <n>",
      `tokens a sequence (default: ${defaults.sequenceLength}); where given, the model's context too`,
      whole(1),
    )
    .option("--learning-rate <x>", "the peak (default: 0.48 / dim)", real(0, Infinity, true))
    .option("--out <dir>", "where checkpoints are kept")
    .option("--overwrite", "replace the checkpoint of another run in --out")
    .option("--seed <s>", `of the weights and the batches (default: ${defaults.seed})`, whole(0, LARGEST_SEED))
    .option("--resume <dir>", "go on from the checkpoint in this folder, and keep the next ones there or in --out")
    .addOption(new Option("--device <device>", "what computes the steps").choices(engineNames).default("cpu"))
    .option("--save-every <n>", "steps between two checkpoints", whole(1), 100)
    .action(async (options: TrainOptions) => {
      const { run } = await import("./train-run.ts");
      await run(options);
    });
}
