// touchstone diff: how far apart two files of tensors are.
import { type Command, InvalidArgumentError } from "commander";
import { openSafetensors } from "../golden/formats/safetensors.ts";
import { compareFiles } from "../golden/trace/compare.ts";

const FINDING = 1;

export function register(program: Command): void {
  program
    .command("diff")
    .description(
      "compare two files of tensors: ‖a−b‖/‖b‖ and units in the last place; exit 1 if any is beyond the limit",
    )
    .argument("<a>", "a safetensors file")
    .argument("<b>", "the one to which it is compared")
    .option("--max-relative <x>", "the largest relative distance that is no difference", limit, 0)
    .action(diff);
}

function diff(a: string, b: string, { maxRelative }: { readonly maxRelative: number }): void {
  const fileA = openSafetensors(a);
  try {
    const fileB = openSafetensors(b);
    try {
      const beyond: string[] = [];
      let worst = { relative: 0, name: "" };
      let count = 0;
      for (const result of compareFiles(fileA, fileB)) {
        count++;
        const far = "mismatch" in result || !(result.relative <= maxRelative);
        const text = "mismatch" in result ? result.mismatch : distances(result);
        if (far) beyond.push(`${result.name}: ${text}`);
        if ("relative" in result && !(result.relative <= worst.relative)) worst = result;
        process.stdout.write(`${far ? "≠" : " "} ${result.name}  ${text}\n`);
      }
      const most =
        worst.name === "" ? "no distance at all" : `largest relative ${short(worst.relative)} at ${worst.name}`;
      process.stdout.write(`${count} tensors, ${most}\n`);
      if (beyond.length > 0) {
        process.stdout.write(`${beyond.length} beyond ${maxRelative}, the first: ${beyond[0]}\n`);
        process.exitCode = FINDING;
      }
    } finally {
      fileB.close();
    }
  } finally {
    fileA.close();
  }
}

function distances({ relative, ulps, at }: { relative: number; ulps: number; at: number }): string {
  if (at < 0) return "equal";
  return `relative ${short(relative)}, ${short(ulps)} ulp at element ${at}`;
}

function short(x: number): string {
  return Number.isInteger(x) && x < 1e6 ? String(x) : x.toExponential(2);
}

function limit(text: string): number {
  const x = Number(text);
  if (text.trim() === "" || !(x >= 0)) throw new InvalidArgumentError("Wanted a number of at least 0.");
  return x;
}
