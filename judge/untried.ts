// What a run left out because its time was up or a signal came.

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
}
