// touchstone diff: how far apart two files of tensors are.
import { type Command, InvalidArgumentError } from "commander";

export function register(program: Command): void {
  program
    .command("diff")
    .description(
      "compare two files of tensors: ‖a−b‖/‖b‖ and units in the last place; exit 1 if any is beyond the limit",
    )
    .argument("<a>", "a safetensors file")
    .argument("<b>", "the one to which it is compared")
    .option("--max-relative <x>", "the largest relative distance that is no difference", limit, 0)
    .action(async (a: string, b: string, { maxRelative }: { readonly maxRelative: number }) => {
      const { diff } = await import("./diff-run.ts");
      process.exitCode = diff(a, b, maxRelative);
    });
}

function limit(text: string): number {
  const x = Number(text);
  if (text.trim() === "" || !(x >= 0)) throw new InvalidArgumentError("Wanted a number of at least 0.");
  return x;
}
