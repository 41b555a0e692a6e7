// What `touchstone diff` does.
import { conclude, type Part } from "../judge/conclusion.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import { sizeOf } from "../reference/tensor.ts";
import { diffFiles } from "../trace/difference.ts";
import { say } from "./output.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { untilSignal } from "./signals.ts";
import { statusOfVerdict } from "./statuses.ts";
import { counted } from "./words.ts";

/** Compares tensor by tensor; returns the exit status. Files without tensors, and tensors of no elements, are inconclusive. */
export async function diff(a: string, b: string, maxRelative: number): Promise<number> {
  const fileA = openSafetensors(a);
  try {
    const fileB = openSafetensors(b);
    try {
      const beyond: string[] = [];
      const parts: Part[] = [];
      let worst = { relative: 0, name: "" };
      const isInterrupted = await untilSignal(diffFiles(fileA, fileB), (result) => {
        const far = "mismatch" in result || !(result.relative <= maxRelative);
        const text = "mismatch" in result ? result.mismatch : distances(result);
        const elements = sizeOf((fileB.tensors.get(result.name) ?? fileA.tensors.get(result.name))!.shape);
        parts.push({ name: result.name, offered: elements, judged: elements });
        if (far) beyond.push(`${result.name}: ${text}`);
        if ("relative" in result && !(result.relative <= worst.relative)) worst = result;
        say(`${far ? "≠" : " "} ${result.name}  ${text}`);
      });
      const most =
        worst.name === "" ? "no distance at all" : `largest relative ${short(worst.relative)} at ${worst.name}`;
      say(`${counted(parts.length, "tensor")}, ${most}`);
      if (beyond.length > 0) say(`${beyond.length} beyond ${maxRelative}, the first: ${beyond[0]}`);
      const { verdict, reasons } = conclude({ hasFindings: beyond.length > 0, parts, interrupted: isInterrupted });
      say(reasonLines(reasons));
      if (verdict === "inconclusive" || isInterrupted) say(verdictIn(verdict, isInterrupted));
      return statusOfVerdict(verdict, isInterrupted);
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
