// A line of the confusion matrix: a candidate whose precision is known, and the words that are right for it.
import type { DTypeName, FormatName } from "../../reference/dtype.ts";
import { formats, round, truncate } from "../../reference/dtype.ts";
import type { Candidate } from "../../reference/candidate.ts";
import type { NamedClass } from "../../judge/classify.ts";

/** A class that is named, or that ought to be. */
export type Word = NamedClass["class"] | (string & {});

export interface Line {
  readonly op: string;
  /** float32 unless given. */
  readonly dtype?: DTypeName;
  /** The right words; the first is the line's name in the matrix. */
  readonly truth: readonly [Word, ...Word[]];
  /** How the candidate computes, in words. */
  readonly how: string;
  /** The outputs that are counted; all unless given. */
  readonly outputs?: readonly string[];
  readonly candidate: Candidate;
}

/** A number as a kernel reads or keeps it. */
export type Reading = (x: number) => number;

export const asIs: Reading = (x) => x;
export const nearest =
  (format: FormatName): Reading =>
  (x) =>
    round(x, formats[format]);
export const cutOff =
  (format: FormatName): Reading =>
  (x) =>
    truncate(x, formats[format]);
