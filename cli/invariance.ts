// touchstone invariance: whether a kernel's bits depend on what surrounds them, and at which sizes they change.
import { type Command, Option } from "commander";
import { adapterOption, addCandidate, addJson, addTerms, seedOption } from "./candidate-options.ts";
import type { InvarianceOptions } from "./invariance-options.ts";
import { whole } from "./numbers.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  const command = program
    .command("invariance")
    .description(
      "whether a row's bits depend on the batch, its place, padding or pieces, and at which sizes they change",
    )
    .argument("[op...]", "ops, such as attention or attention.forward (all of them without this)")
    .addOption(adapterOption())
    .addOption(
      new Option("--budget <seconds>", "time to spend in all; what it leaves out is listed").argParser(
        whole(1, 1_000_000),
      ),
    )
    .addOption(seedOption());
  addJson(command).addOption(
    new Option(
      "--sizes <terms>",
      "the sizes, such as 'C=4096 O=11008 R<=257', or the name of a model (7B, 13B, 33B, 65B, 8B); small enough for a software adapter without this",
    ),
  );
  addTerms(addCandidate(command))
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (op: string[], options: Omit<InvarianceOptions, "op">) => {
      const { invariance } = await import("./invariance-run.ts");
      process.exitCode = await invariance({ ...options, ...(op.length > 0 && { op }) });
    });
}
