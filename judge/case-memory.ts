// What a case takes, from its sizes alone: nothing is made.
import { axesOf, type Operation } from "../reference/operation.ts";
import type { Sizes } from "./case.ts";

/** Bytes that the judge takes for each number: as stored, widened, the truth, its bound and what a candidate returns, and their sums. */
export const BYTES_A_NUMBER = 48;

/** Bytes for a line: what a case of any real layer fits into, and any machine has. */
const MEMORY = 3 * 2 ** 30;
/** The share of the available memory that a case at scale may take. */
const SHARE = 0.8;

/** Bytes that a case at scale may take: what this machine has, where the engine says so; a browser does not. */
export function memoryAtScale(): number {
  const { process } = globalThis as { readonly process?: { readonly availableMemory?: () => number } };
  return Math.max(MEMORY, SHARE * (process?.availableMemory?.() ?? 0));
}

/** Throws RangeError, with what would fit, where a line's tensors have so many numbers that the judge takes more than `memory`. */
export function checkMemory(numbers: number, memory = MEMORY): void {
  const most = Math.floor(memory / BYTES_A_NUMBER);
  if (numbers <= most) return;
  const gibi = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1).replace(".0", "")} GiB`;
  throw new RangeError(
    `replay: tensors of ${numbers} numbers together, about ${gibi(numbers * BYTES_A_NUMBER)} of memory, expected at most ${most} (${gibi(memory)})`,
  );
}

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
