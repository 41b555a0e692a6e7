// touchstone diff: how far two files of tensors are apart.
import type { Command } from "commander";
import { real } from "./numbers.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  program
    .command("diff")
    .description("compare two files of tensors: ‖a−b‖/‖b‖ and units in the last place; exit 1 if any exceeds the limit")
    .argument("<a>", "a safetensors file")
    .argument("<b>", "the one to which it is compared")
    .option("--max-relative <x>", "the largest relative distance that counts as equal", real(0), 0)
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (a: string, b: string, { maxRelative }: { readonly maxRelative: number }) => {
      const { diff } = await import("./diff-run.ts");
      process.exitCode = await diff(a, b, maxRelative);
    });
}
