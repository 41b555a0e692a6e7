// What a run left out: its time was up, a signal came, the sizes that a kernel supports have no room for it, the target
// promises nothing of its numbers, the candidate is too slow for a model's shape, or it cannot hold a tensor so large.
import { parseCase, type Sizes } from "./case.ts";

export type UntriedPart =
  | "example"
  | "drawn cases"
  | "large case"
  | "shrinking"
  | "precision"
  | "exactness"
  | "relation"
  | "repeatability"
  | "NaN and infinity"
  | "races";

export interface Untried {
  readonly part: UntriedPart;
  /** The line of the case or the relation; the op where the part has no line of its own. */
  readonly line: string;
  /** Time or a signal, if left out. */
  readonly cause?: "sizes" | "target" | "slow" | "candidate";
}

/** Whether it is the large case of these sizes. */
export function isOfSizes({ part, line }: Untried, sizes: Sizes): boolean {
  return part === "large case" && JSON.stringify(parseCase(line).sizes) === JSON.stringify(sizes);
}
