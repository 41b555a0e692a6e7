// touchstone ops: every op, so that a candidate can be written without reading TypeScript.
import type { Command } from "commander";

export function register(program: Command): void {
  program
    .command("ops")
    .description(
      "list the ops, or tell everything of one: arguments, axes, scalars, variants covered, what can be declared",
    )
    .argument("[name...]", "such as attention or attention.forward")
    .option("--json", "as JSON")
    .action(async (names: string[], options: { readonly json?: boolean }) => {
      const { listOperations } = await import("./ops-list.ts");
      process.stdout.write(listOperations(names, options.json === true));
    });
}
