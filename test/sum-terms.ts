// Terms of sums, and what the tests of orders of summation do with them.
import { normal, uniform } from "../reference/random.ts";
import { Arithmetic, Sum } from "../reference/rounding.ts";
import type { SumOrder } from "../reference/sum-order.ts";
import type { Target } from "../reference/targets.ts";
import type { Habits } from "../zoo/arithmetic.ts";

export type Pair = readonly [a: number, b: number];
export const habits = (given: Partial<Habits>): Habits => ({
  rounding: "nearest",
  order: "sequential",
  fused: false,
  flushes: false,
  functions: "exact",
  seed: 1,
  ...given,
});

export const boundOf = (target: Target, terms: readonly Pair[], order?: SumOrder): Sum => {
  const sum = new Sum(new Arithmetic(target), terms.length, order);
  for (const [a, b] of terms) sum.addProduct(a, b);
  return sum;
};
export const exactly = (terms: readonly Pair[]): number => terms.reduce((sum, [a, b]) => sum + a * b, 0);

/** Products of float32 numbers: of either sign, of one sign, nearly cancelling, next to the smallest numbers. */
export const kinds = {
  normal: (seed: number, i: number): Pair => [Math.fround(normal(seed, 1, i)), Math.fround(normal(seed, 2, i))],
  positive: (seed: number, i: number): Pair => [Math.fround(1 + uniform(seed, 1, i)), Math.fround(uniform(seed, 2, i))],
  cancelling: (seed: number, i: number): Pair => [Math.fround(1 + uniform(seed, 1, i >> 1)), i % 2 === 0 ? 1 : -1],
  tiny: (seed: number, i: number): Pair => [
    Math.fround(2 ** -70 * normal(seed, 1, i)),
    Math.fround(2 ** -60 * normal(seed, 2, i)),
  ],
} as const;
export const drawn = (kind: keyof typeof kinds, n: number, seed: number): Pair[] =>
  Array.from({ length: n }, (_, i) => kinds[kind](seed, i));
