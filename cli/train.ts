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
    .description("train a LLaMA on UTF-8 text or on a mixture of sources; without --out, no checkpoint is kept")
    .option("--text <files...>", "the text, .gz or not (default: the text that ships with Touchstone)")
    .addOption(new Option("--mixture <file>", "sources and their weights, in JSON").conflicts("text"))
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: bytes as tokens)")
    .option("--steps <n>", `steps of the whole run (default: ${defaults.steps})`, whole(1))
    .option("--config <name>", `one of ${Object.keys(presets).join(", ")} (default: tiny)`)
    .option("--batch-size <n>", `sequences a step (default: ${defaults.batchSize})`, whole(1))
    .option(
      "--sequence-length <n>",
      `tokens a sequence (default: ${defaults.sequenceLength}); if given, also the model's context`,
      whole(1),
    )
    .option("--learning-rate <x>", "the peak (default: 0.48 / dim)", real(0, Infinity, true))
    .option("--out <dir>", "folder for checkpoints")
    .option("--overwrite", "replace another run in --out, at the first checkpoint of this one")
    .option("--seed <s>", `seed of weights and batches (default: ${defaults.seed})`, whole(0, LARGEST_SEED))
    .option("--resume <dir>", "continue from the checkpoint in this folder; later ones go there or to --out")
    .addOption(new Option("--device <device>", "where to compute").choices(engineNames).default("cpu"))
    .option("--save-every <n>", "steps between two checkpoints", whole(1), 100)
    .action(async (options: TrainOptions) => {
      const { run } = await import("./train-run.ts");
      await run(options);
    });
}
