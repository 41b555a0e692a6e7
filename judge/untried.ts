// What a run left out: its time was up, a signal came, the sizes that a kernel supports have no room for it, the target
// promises nothing of its numbers, the candidate is too slow for a model's shape, or it cannot hold a tensor so large.

export type UntriedPart =
  | "example"
  | "drawn cases"
  | "large case"
  | "shrinking"
  | "precision"
  | "exactness"
  | "relation"
  | "repeatability"
  | "NaN and infinity";

export interface Untried {
  readonly part: UntriedPart;
  /** The line of the case or the relation; the op where the part has no line of its own. */
  readonly line: string;
  /** Time or a signal, if left out. */
  readonly cause?: "sizes" | "target" | "slow" | "candidate";
}
