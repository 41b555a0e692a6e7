// touchstone order: the order in which a kernel adds the terms of its sums, from its outputs alone.
import { type Command, Option } from "commander";
import { adapterOption, addCandidate, addJson } from "./candidate-options.ts";
import { whole } from "./numbers.ts";
import type { OrderOptions } from "./order-run.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  const command = program
    .command("order")
    .description("the order in which a kernel adds up its sums, from its outputs alone")
    .argument("[op...]", "ops, such as linear or linear.forward (all that have sums without this)")
    .addOption(adapterOption())
    .addOption(
      new Option("--budget <seconds>", "time to spend in all; what it leaves out is listed").argParser(
        whole(1, 1_000_000),
      ),
    )
    .addOption(
      new Option("--dtype <dtype>", "how inputs and outputs are stored")
        .choices(["float32", "bfloat16", "float16"])
        .default("float32"),
    )
    .option("--sizes <terms>", "the sizes, such as 'C=4096 R=1' (default: sums of 256 terms)");
  addJson(addCandidate(command))
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (op: string[], options: Omit<OrderOptions, "op">) => {
      const { order } = await import("./order-run.ts");
      process.exitCode = await order({ ...options, ...(op.length > 0 && { op }) });
    });
}
