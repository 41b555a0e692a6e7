// touchstone generate: a text goes on.
import { type Command, Option } from "commander";
import { whole } from "./check.ts";
import { type EngineName, engineNames } from "./engine.ts";
import { UserError } from "./errors.ts";

export interface GenerateOptions {
  readonly tokenizer?: string;
  readonly prompt: string;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly tokens: number;
  readonly device: EngineName;
}

export function register(program: Command): void {
  program
    .command("generate")
    .description("continue a text: prompt and continuation to standard output, everything else to standard error")
    .argument("[checkpoint]", "a file or folder of any format that is read (default: the small model that ships)")
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: the checkpoint's own)")
    .option("--prompt <text>", "what to continue; the begin token stands before it", "")
    .option("--temperature <t>", "0 takes the likeliest token", numberFrom("--temperature", 0, 1e6), 1)
    .option("--top-p <p>", "choose among the likeliest tokens of this share", numberFrom("--top-p", 0, 1), 0.9)
    .addOption(new Option("--seed <n>", "of the choices").argParser(whole(0, 2 ** 32 - 1)).default(1))
    .addOption(
      new Option("--tokens <n>", "at most so many are generated").argParser(whole(1, 2 ** 31 - 1)).default(256),
    )
    .addOption(new Option("--device <device>", "what computes").choices(engineNames).default("cpu"))
    .action(async (checkpoint: string | undefined, options: GenerateOptions) => {
      const { generate } = await import("./generate-run.ts");
      process.exitCode = await generate(checkpoint, options);
    });
}

function numberFrom(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d*\.?\d+(e-?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new UserError(`${option} ${text}: expected a number from ${least} to ${most}`);
  };
}
