// touchstone evaluate: a model on tasks, as in the paper.
import { type Command, Option } from "commander";
import { whole } from "./check.ts";
import { type EngineName, engineNames } from "./engine.ts";
import { UserError } from "./errors.ts";

export interface EvaluateOptions {
  readonly tasks?: readonly string[];
  readonly text?: readonly string[];
  readonly tokenizer?: string;
  readonly k?: readonly number[];
  readonly seed: number;
  readonly json?: boolean;
  readonly device: EngineName;
}

export function register(program: Command): void {
  program
    .command("evaluate")
    .description("measure a model: multiple choice, exact match, pass@k, perplexity")
    .argument("[checkpoint]", "a file or folder of any format that is read (default: the small model that ships)")
    .option("--tasks <files...>", "items as JSON lines; training/README.md lists the fields")
    .option("--text <files...>", "texts whose perplexity is measured")
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: the checkpoint's own)")
    .option(
      "--k <list>",
      "pass@k of these, such as 1,10 (default: those of 1, 10, 100 that the samples allow)",
      listOfK,
    )
    .addOption(new Option("--seed <n>", "of the samples").argParser(whole(0, 2 ** 32 - 1)).default(1))
    .option("--json", "the figures as JSON")
    .addOption(new Option("--device <device>", "what computes").choices(engineNames).default("cpu"))
    .action(async (checkpoint: string | undefined, options: EvaluateOptions) => {
      const { evaluateFiles } = await import("./evaluate-run.ts");
      process.exitCode = await evaluateFiles(checkpoint, options);
    });
}

function listOfK(text: string): number[] {
  const list = text.split(",").map((word) => (/^[1-9]\d{0,8}$/.test(word) ? Number(word) : NaN));
  if (!list.some(Number.isNaN)) return list;
  throw new UserError(`--k ${text}: expected positive integers such as 1,10`);
}
