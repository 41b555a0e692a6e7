// What `touchstone diff` does.
import { openSafetensors } from "../formats/safetensors.ts";
import { diffFiles } from "../trace/difference.ts";
import { say } from "./output.ts";
import { statuses } from "./statuses.ts";
import { counted } from "./words.ts";

/** Compares tensor by tensor; 1 where one is beyond the limit, otherwise 0. */
export function diff(a: string, b: string, maxRelative: number): number {
  const fileA = openSafetensors(a);
  try {
    const fileB = openSafetensors(b);
    try {
      const beyond: string[] = [];
      let worst = { relative: 0, name: "" };
      let count = 0;
      for (const result of diffFiles(fileA, fileB)) {
        count++;
        const far = "mismatch" in result || !(result.relative <= maxRelative);
        const text = "mismatch" in result ? result.mismatch : distances(result);
        if (far) beyond.push(`${result.name}: ${text}`);
        if ("relative" in result && !(result.relative <= worst.relative)) worst = result;
        say(`${far ? "≠" : " "} ${result.name}  ${text}`);
      }
      const most =
        worst.name === "" ? "no distance at all" : `largest relative ${short(worst.relative)} at ${worst.name}`;
      say(`${counted(count, "tensor")}, ${most}`);
      if (beyond.length === 0) return statuses.good;
      say(`${beyond.length} beyond ${maxRelative}, the first: ${beyond[0]}`);
      return statuses.finding;
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
