// touchstone plan: what a configuration needs on a cluster, before anyone rents one.
import { type Command, Option } from "commander";
import { presets } from "../reference/config.ts";
import { devices } from "../reference/planning/devices.ts";
import { storageNames } from "../reference/model/storage.ts";
import { binary, decimal, quantity, whole } from "./numbers.ts";
import type { PlanOptions } from "./plan-run.ts";

const MOST = 1_000_000;

export function register(program: Command): void {
  const count = whole(1, MOST);
  program
    .command("plan")
    .description("memory, time, energy of a training run on a cluster, and what inference holds")
    .addOption(new Option("--model <size>", "model size").choices(Object.keys(presets)).makeOptionMandatory())
    .addOption(new Option("--gpus <n>", "number of GPUs").argParser(count).default(2048))
    .addOption(new Option("--gpu <name>", "kind of GPU").choices(Object.keys(devices)).default("a100-80gb"))
    .addOption(
      new Option("--tokens <n>", "tokens of the run, such as 1.4T (default: the paper's for this model)").argParser(
        quantity(decimal),
      ),
    )
    .addOption(
      new Option("--batch-tokens <n>", "tokens of a step; here M is 2^20, so 4M is 2,048 sequences of 2,048")
        .argParser(quantity(binary))
        .default(4 * Number(binary.M), "4M"),
    )
    .addOption(new Option("--tensor <n>", "GPUs that share each layer").argParser(count).default(1))
    .option("--sequence-parallel", "also split the positions between those products", false)
    .addOption(new Option("--data <n>", "data-parallel ranks (default: as many as fill the GPUs)").argParser(count))
    .addOption(
      new Option(
        "--zero <stage>",
        "what data ranks shard: 0 nothing, 1 optimizer, 2 gradients, 3 weights (default: the first that fits)",
      ).argParser(whole(0, 3)),
    )
    .option("--recompute <policy>", "none, selective, full, or outputs to save, separated by commas", "selective")
    .addOption(new Option("--context <n>", "tokens of a sequence (default: the model's)").argParser(count))
    .addOption(new Option("--micro-batch <n>", "sequences that a data rank takes at once").argParser(count).default(1))
    .addOption(
      new Option("--dtype <dtype>", "dtype of weights, gradients and activations")
        .choices(storageNames)
        .default("bfloat16"),
    )
    .addOption(
      new Option("--network <Gb/s>", "bandwidth of one GPU between nodes, instead of the data sheet's").argParser(
        count,
      ),
    )
    .addOption(
      new Option("--inference-batch <n...>", "sequences that inference holds at once (default: 1 8 64)").argParser(
        (text, before: number[] | undefined) => [...(before ?? []), count(text)],
      ),
    )
    .option("--svg <file>", "draw one block's timeline and the memory")
    .option(
      "--json <file>",
      "write all figures, with - to standard output; earlier ones and drawings are replaced, other files are not",
    )
    .option("--overwrite", "with --svg and --json: replace any file that is there")
    .action(async (options: PlanOptions) => {
      const { run } = await import("./plan-run.ts");
      run(options);
    });
}
