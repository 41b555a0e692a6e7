// touchstone train: a LLaMA from a text or a mixture of sources.
import { type Command, Option } from "commander";
import { presets } from "../reference/config.ts";
import { type EngineName, engineNames } from "./engine.ts";
import { UserError } from "./errors.ts";
import { addStepOptions, type StepFlags } from "./step-options.ts";

/** Of a run that does not name them. */
export const defaults = { batchSize: 4, sequenceLength: 32, steps: 1000, seed: 1 } as const;

export interface TrainOptions extends StepFlags {
  readonly text?: readonly string[];
  readonly mixture?: string;
  readonly tokenizer?: string;
  readonly batchSize?: number;
  readonly sequenceLength?: number;
  readonly learningRate?: number;
  readonly steps?: number;
  readonly config?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly seed?: number;
  readonly resume?: string;
  readonly device: EngineName;
  readonly saveEvery: number;
}

export function register(program: Command): void {
  addStepOptions(program.command("train"))
    .description("train a LLaMA on UTF-8 text or on a mixture of sources; without --out nothing is kept")
    .option("--text <files...>", "the text (default: the one that ships with this program)")
    .addOption(new Option("--mixture <file>", "sources and their weights, in JSON").conflicts("text"))
    .option("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin (default: bytes as tokens)")
    .option("--steps <n>", `steps of the whole run (default: ${defaults.steps})`, integerFrom("--steps", 1))
    .option("--config <name>", `one of ${Object.keys(presets).join(", ")} (default: tiny)`)
    .option("--batch-size <n>", `sequences a step (default: ${defaults.batchSize})`, integerFrom("--batch-size", 1))
    .option(
      "--sequence-length <n>",
      `tokens a sequence (default: ${defaults.sequenceLength}); where given, the model's context too`,
      integerFrom("--sequence-length", 1),
    )
    .option("--learning-rate <x>", "the peak (default: 0.48 / dim)", positive("--learning-rate"))
    .option("--out <dir>", "where checkpoints are kept")
    .option("--overwrite", "replace the checkpoint of another run in --out")
    .option(
      "--seed <s>",
      `of the weights and the batches (default: ${defaults.seed})`,
      integerFrom("--seed", 0, 2 ** 32 - 1),
    )
    .option("--resume <dir>", "go on from the checkpoint in this folder, and keep the next ones there or in --out")
    .addOption(new Option("--device <device>", "what computes the steps").choices(engineNames).default("cpu"))
    .option("--save-every <n>", "steps between two checkpoints", integerFrom("--save-every", 1), 100)
    .action(async (options: TrainOptions) => {
      const { run } = await import("./train-run.ts");
      await run(options);
    });
}

function positive(option: string): (text: string) => number {
  return (text) => {
    const value = /^\d*\.?\d+(e-?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (value > 0 && value < Infinity) return value;
    throw new UserError(`${option} ${text}: expected a number above 0`);
  };
}

function integerFrom(option: string, least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const wanted =
      most === Number.MAX_SAFE_INTEGER ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
    throw new UserError(`${option} ${text}: expected ${wanted}`);
  };
}
