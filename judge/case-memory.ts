// What a case takes, from its sizes alone: nothing is made.
import { axesOf, type Operation } from "../reference/operation.ts";
import type { Sizes } from "./case.ts";

/** Bytes that the judge takes for each number: as stored, widened, the truth, its bound and what a candidate returns, and their sums. */
export const BYTES_A_NUMBER = 48;

/** How many numbers the inputs and outputs of a case have. An axis that is no size is taken to be as long as the longest that is. */
export function numbersOfCase(operation: Operation, sizes: Sizes): number {
  const lengths = Object.values(sizes).filter((value) => typeof value === "number");
  const longest = lengths.reduce((most, length) => Math.max(most, length), 1);
  function lengthOf(axis: string): number {
    if (axis.endsWith("/2")) return lengthOf(axis.slice(0, -2)) / 2;
    if (axis === "NH" && sizes.NH === undefined) return lengthOf("NKV") * lengthOf("groups");
    const value = sizes[axis];
    return typeof value === "number" ? Math.max(0, value) : longest;
  }
  const specs = [...Object.values(operation.inputs), ...Object.values(operation.outputs)];
  return specs.reduce((n, spec) => n + axesOf(spec).reduce((product, axis) => product * lengthOf(axis), 1), 0);
}
