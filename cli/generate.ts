// touchstone generate: a text goes on.
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
    .option("--prompt <text>", "what to continue; the begin token stands before it", "")
    .option("--temperature <t>", "0 takes the likeliest token", real(0, 1e6), 1)
    .option("--top-p <p>", "choose among the likeliest tokens of this share", real(0, 1), 0.9)
    .addOption(new Option("--seed <n>", "of the choices").argParser(whole(0, LARGEST_SEED)).default(1))
    .addOption(
      new Option("--tokens <n>", "at most so many are generated").argParser(whole(1, 2 ** 31 - 1)).default(256),
    )
    .addOption(new Option("--device <device>", "what computes").choices(engineNames).default("cpu"))
    .action(async (checkpoint: string | undefined, options: GenerateOptions) => {
      const { generate } = await import("./generate-run.ts");
      process.exitCode = await generate(checkpoint, options);
    });
}
