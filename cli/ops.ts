// touchstone ops: every op, so that a candidate can be written without reading TypeScript.
import type { Command } from "commander";

export function register(program: Command): void {
  program
    .command("ops")
    .description(
      "list the ops, or show everything about one: arguments, axes, scalars, variants covered, what can be declared",
    )
    .argument("[name...]", "such as attention or attention.forward")
    .option("--json", "as JSON")
    .option("--none", "what an op has none of, and why: no relation of a kind, no probe, no fixture at scale")
    .action(async (names: string[], options: { readonly json?: boolean; readonly none?: boolean }) => {
      const { listNone, listOperations } = await import("./ops-list.ts");
      const list = options.none === true ? listNone : listOperations;
      list(names, options.json === true);
    });
}
