// What a case takes, from its sizes alone: nothing is made.
import { axesOf, type Operation } from "../reference/operation.ts";
import type { Case, Sizes } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { aroundBlocks } from "./blocks.ts";
import { isSampled } from "./sampled.ts";

/** Bytes that the judge takes for each number: as stored, widened, the truth, its bound and what a candidate returns, and their sums. */
const BYTES_A_NUMBER = 48;
/** The same where the truth is taken at a sample, or block by block: as stored, and what a candidate is given or returns. */
const BYTES_SAMPLED = 8;
/** Bytes of a sample or a block, and of what looks at the whole output. */
const BYTES_OF_SAMPLE = 2 ** 28;

/** Bytes for a case: what one of any real layer fits into, and any machine has. */
export const MEMORY = 3 * 2 ** 30;
/** The share of the available memory that a case at scale may take. */
const SHARE = 0.8;

/** Bytes that a case at scale may take: what this machine has, where the engine says so; a browser does not. */
export function memoryAtScale(): number {
  const { process } = globalThis as { readonly process?: { readonly availableMemory?: () => number } };
  return Math.max(MEMORY, SHARE * (process?.availableMemory?.() ?? 0));
}

/** Bytes that the judge takes for a case of so many numbers. */
export function bytesOfCase(row: JudgeRow, c: Pick<Case, "sizes" | "profile">, numbers: number): number {
  return isInParts(row, c) ? BYTES_OF_SAMPLE + BYTES_SAMPLED * numbers : BYTES_A_NUMBER * numbers;
}

/** Whether the truth is never there as a whole. */
function isInParts(row: JudgeRow, c: Pick<Case, "sizes" | "profile">): boolean {
  return isSampled(row, c) || aroundBlocks(row, c) !== undefined;
}

/** Throws RangeError, with what would fit, where the judge takes more than `memory` for a line of so many numbers. */
export function checkMemory(row: JudgeRow, c: Case, numbers: number, memory = MEMORY): void {
  const bytes = bytesOfCase(row, c, numbers);
  if (bytes <= memory) return;
  const gibi = (n: number): string => `${(n / 2 ** 30).toFixed(1).replace(".0", "")} GiB`;
  const most = Math.floor(isInParts(row, c) ? (memory - BYTES_OF_SAMPLE) / BYTES_SAMPLED : memory / BYTES_A_NUMBER);
  throw new RangeError(
    `replay: tensors of ${numbers} numbers together, about ${gibi(bytes)} of memory, expected at most ${most} (${gibi(memory)})`,
  );
}

/** How many numbers the inputs and outputs of a case have. */
export function numbersOfCase(operation: Operation, sizes: Sizes): number {
  return tensorsOfCase(operation, sizes).reduce((n, { numbers }) => n + numbers, 0);
}

/** How many numbers each has. An axis that is no size is taken to be as long as the longest that is. */
function tensorsOfCase(operation: Operation, sizes: Sizes): { readonly name: string; readonly numbers: number }[] {
  const lengths = Object.values(sizes).filter((value) => typeof value === "number");
  const longest = lengths.reduce((most, length) => Math.max(most, length), 1);
  function lengthOf(axis: string): number {
    if (axis.endsWith("/2")) return lengthOf(axis.slice(0, -2)) / 2;
    if (axis === "NH" && sizes.NH === undefined) return lengthOf("NKV") * lengthOf("groups");
    const value = sizes[axis];
    return typeof value === "number" ? Math.max(0, value) : longest;
  }
  return [...Object.entries(operation.inputs), ...Object.entries(operation.outputs)].map(([name, spec]) => ({
    name,
    numbers: axesOf(spec).reduce((product, axis) => product * lengthOf(axis), 1),
  }));
}

/** What keeps a candidate that holds at most so many bytes of a tensor from a case, in words; undefined where nothing does. */
export function tooLarge(operation: Operation, sizes: Sizes, most: number, bytesEach: number): string | undefined {
  const [largest] = tensorsOfCase(operation, sizes).toSorted((a, b) => b.numbers - a.numbers);
  const bytes = largest.numbers * bytesEach;
  if (bytes <= most) return undefined;
  return `${largest.name} takes ${bytes} bytes, this candidate holds at most ${most} of a tensor, expected at most ${Math.floor(most / bytesEach)} numbers`;
}
