// The sizes on which a candidate's precision is measured.
import type { DTypeName } from "../reference/dtype.ts";
import type { Part } from "./at-scale.ts";
import type { Problem, Sizes } from "./case.ts";
import { type Change, counted, mirroredAlong } from "./cancelling.ts";
import type { MadeUp } from "./profile.ts";
import type { JudgeRow } from "./row.ts";

/** Sizes, and the outputs that are sums as long as they allow. Several draws where an output has few elements. */
export interface Probe<Output extends string = string> {
  readonly sizes: Sizes;
  readonly outputs: readonly Output[];
  readonly draws?: number;
  /** The profile of the numbers; "unit" if left out. */
  readonly profile?: MadeUp;
  /** A change to the inputs, and its name in words. */
  readonly change?: { readonly name: string; readonly of: Change };
  /** Of an output of whole tiles, the parts that are measured. Each such probe has a class of its own. */
  readonly tiles?: (problem: Problem, seed: number) => readonly Part[];
}

/** Rows and columns that are measured of a large output; queries of an attention, each of which has a row. */
export const MEASURED = { rows: 8, columns: 8, queries: 6 } as const;
/** The sides of outputs that fill the tiles of a matrix product. */
export const SIDES = [64, 128] as const;

/** The length of sums at which a proof alone would let low precision pass. */
export const LONG = 4096;

/** This many products, of 5 on average, add up to less than 2^11. */
export const COUNTED = 256;

/** Makes sums over the axis 0; `odd` are the inputs whose numbers come in pairs of opposite sign. */
export const zeroSum = (axis: string, odd: readonly string[]) => ({
  name: `terms along ${axis} in pairs that cancel`,
  of: mirroredAlong(axis, odd),
});
export const wholeNumbers = { name: "whole numbers that add up to at most 2^11", of: counted };

/** Where precision is measured, with sums of n terms. */
export function precisionProbes(row: JudgeRow, n = LONG, dtype: DTypeName = "float32"): readonly Probe[] {
  return dtype === "float32" ? row.probes(n) : [...row.lowProbes(n), ...row.cancelling(n)];
}
