// What a budget or a signal left out of a check, in words.
import type { Checked } from "../judge/check.ts";
import type { UntriedPart } from "../judge/untried.ts";
import { counted } from "./words.ts";

/** Parts that are counted; of the others an op has one. */
const countable: ReadonlySet<UntriedPart> = new Set<UntriedPart>(["example", "large case", "relation"]);

/** A line for each op of which something is left: "budget: not tried: 3 large cases, precision, 5 relations of attention.backward". */
export function untriedLines(results: readonly Checked[], cause: "budget" | "interrupted"): string[] {
  return results
    .filter(({ untried }) => untried.length > 0)
    .map(({ report, untried }) => {
      const what = report.cases === 0 ? "anything" : inWords(untried.map(({ part }) => part));
      return `${cause}: not tried: ${what} of ${report.op}`;
    });
}

function inWords(parts: readonly UntriedPart[]): string {
  return [...new Set(parts)]
    .map((part) => {
      const count = parts.filter((one) => one === part).length;
      return countable.has(part) ? counted(count, part) : part;
    })
    .join(", ");
}
