// The terms by which a sum shows its order: one M, one −M, units that M swallows, and zeros.
//
// Two terms M and −M cancel where their partial sums meet, in the smallest subtree that contains both. Every unit that was added to M or −M before
// that is lost, and every other one is counted. So the sum is the number of units outside that subtree (FPRev, Xie, Gao, Wang and Xue 2024,
// arXiv:2411.00442).
import type { DTypeName } from "../../reference/dtype.ts";

export const [ZERO, UNIT, PLUS, MINUS] = [0, 1, 2, 3];
/** One of these for each term. */
export type Marks = Uint8Array;

/** Powers of two: what M and a unit are, each the product of two factors. In a sum of single numbers the second ones are 1. */
export interface Scale {
  readonly big: readonly [number, number];
  readonly unit: readonly [number, number];
}

/** The unit of a scale. */
export function unitOf({ unit: [a, b] }: Scale): number {
  return a * b;
}

const p = (k: number): number => 2 ** k;

/**
 * From the largest M on, which even sums in float64 swallow units next to; then those that formats of few exponents hold. In float16 with single
 * numbers a unit has to be subnormal for float32's sums to lose it.
 */
export function scalesOf(dtype: DTypeName, factors: 1 | 2): readonly Scale[] {
  const wide: Scale[] = [{ big: [p(100), 1], unit: [1, 1] }];
  const narrow: Scale[] =
    factors === 2 ? [{ big: [p(15), p(15)], unit: [p(-7), p(-7)] }] : [{ big: [p(15), 1], unit: [p(-24), 1] }];
  const low: Scale = { big: [p(15), 1], unit: [p(-9), 1] }; // for sums in float16 themselves
  return [...(dtype === "float16" ? [] : wide), ...narrow, low];
}

/** The second factor of each term, where all have the same one. */
export function secondOf({ big: [, ofBig], unit: [, ofUnit] }: Scale): number {
  return ofBig === ofUnit ? ofUnit : NaN;
}

/** The first factors of several lists of terms. */
export function firstsOf(marks: readonly Marks[], scale: Scale): Float32Array[] {
  return marks.map((one) => factorsOf(one, scale).first);
}

/** The factors of each term. */
export function factorsOf(
  marks: Marks,
  { big, unit }: Scale,
): { readonly first: Float32Array; readonly second: Float32Array } {
  const [first, second] = [new Float32Array(marks.length), new Float32Array(marks.length)];
  for (const [k, mark] of marks.entries()) {
    const [a, b] = mark === PLUS || mark === MINUS ? big : unit;
    first[k] = mark === ZERO ? 0 : mark === MINUS ? -a : a;
    second[k] = b;
  }
  return { first, second };
}
