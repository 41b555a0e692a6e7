// An element of a problem's output with its evaluations.
import type { Problem } from "./problems.ts";
import type { Id, Tape } from "./tape.ts";

/** One element, and its evaluations by name; each returns its node. */
export interface Place {
  readonly output: string;
  readonly index: number;
  readonly ways: Iterable<readonly [name: string, evaluate: (t: Tape) => Id]>;
}
/** Of an op; `few`: fewer combinations, for long sums. */
export type PlacesOf = (problem: Problem, few: boolean) => Place[];
