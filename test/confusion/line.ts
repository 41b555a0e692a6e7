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
  /** Right as well where the target lets the error of an exponential grow with its argument, as WGSL does. */
  readonly whereExpIsLoose?: Word;
  /** How the candidate computes, in words. */
  readonly how: string;
  /** The outputs that are counted; all unless given. */
  readonly outputs?: readonly string[];
  /** Sums up to this long are not in the line's class, so the line is not tried with them. */
  readonly beyond?: number;
  readonly candidate: Candidate;
}

/** A number as a kernel reads or keeps it. */
export type Reading = (x: number) => number;

export const asIs: Reading = (x) => x;
export const nearest =
  (format: FormatName): Reading =>
  (x) =>
    round(x, formats[format]);
/** To a format of 8 bits with so many of mantissa, normal from 2^least to `most`, which is what lies beyond becomes. */
export const eighths =
  (mantissa: number, least: number, most: number): Reading =>
  (x) => {
    if (x === 0) return x;
    const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), least) - mantissa);
    const [down, rest] = [Math.floor(Math.abs(x) / step), (Math.abs(x) / step) % 1];
    const rounded = rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
    return Math.sign(x) * Math.min(most, rounded * step);
  };
export const cutOff =
  (format: FormatName): Reading =>
  (x) =>
    truncate(x, formats[format]);
