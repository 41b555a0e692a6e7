// touchstone generate: continues a text.
import { type Command, Option } from "commander";
import { LARGEST_SEED, real, whole } from "./numbers.ts";
import { engineNames } from "./engine.ts";
import type { GenerateOptions } from "./generate-run.ts";

export function register(program: Command): void {
  program
    .command("generate")
    .description("continue a text: prompt and continuation to standard output, everything else to standard error")
    .argument("[checkpoint]", "a file or folder of any format that is read (default: the small model that ships)")
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: the checkpoint's own)")
    .option("--prompt <text>", "the text to continue, after the begin token", "")
    .option("--temperature <t>", "sampling temperature; 0 takes the likeliest token", real(0, 1e6), 1)
    .option("--top-p <p>", "sample from the likeliest tokens that hold this share", real(0, 1), 0.9)
    .addOption(new Option("--seed <n>", "seed of the samples").argParser(whole(0, LARGEST_SEED)).default(1))
    .addOption(new Option("--tokens <n>", "the most tokens to generate").argParser(whole(1, 2 ** 31 - 1)).default(256))
    .addOption(new Option("--device <device>", "where to compute").choices(engineNames).default("cpu"))
    .action(async (checkpoint: string | undefined, options: GenerateOptions) => {
      const { generate } = await import("./generate-run.ts");
      process.exitCode = await generate(checkpoint, options);
    });
}
