// Cheap checks of a whole output, every element of it, where the truth is known at a sample only. Whatever they suspect is judged
// exactly, at truth and bound, so a check may be wrong about an element without accusing a kernel.
import type { Operation } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import type { Exact } from "./exact.ts";
import type { Terms } from "./terms.ts";

/** An output of which the truth is known at a sample. */
export interface WholeOutput {
  readonly operation: Operation;
  /** Its inputs as the candidate got them. */
  readonly problem: Problem;
  readonly output: string;
  readonly got: Tensor;
  /** The dtype is that of the output. */
  readonly terms: Terms;
  /** The sampled elements, which are no suspects any more: a yardstick of what the candidate errs. */
  readonly sample: Exact;
  readonly seed: number;
}

/** The most elements that one check suspects. */
export const MOST_SUSPECTS = 64;

/** A check of a whole output: the flat indices of elements that it suspects, at most MOST_SUSPECTS. */
type WholeCheck = (whole: WholeOutput) => readonly number[];

const checks: readonly WholeCheck[] = [notFinite];

/** The elements of an output that some check suspects, ascending. */
export function suspectsOf(whole: WholeOutput): number[] {
  return [...new Set(checks.flatMap((check) => check(whole)))].toSorted((a, b) => a - b);
}

/** NaN and infinities: the first of each run of them, until there are enough. */
function notFinite({ got: { data } }: WholeOutput): number[] {
  const found: number[] = [];
  let before = true;
  for (let i = 0; i < data.length && found.length < MOST_SUSPECTS; i++) {
    const isFinite = Number.isFinite(data[i]);
    if (!isFinite && before) found.push(i);
    before = isFinite;
  }
  return found;
}
