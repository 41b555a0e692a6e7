// Correct casts: a copy, or what rounds nothing, such as a product with one.
import { dtypes } from "../reference/dtype.ts";
import { type Evaluation, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

const copied = (_: Float32Arithmetic, value: number): number => value;
/** 1 · value: exact, but for a subnormal operand. */
const multiplied = (f: Float32Arithmetic, value: number): number =>
  f.habits.flushes && Math.abs(value) < dtypes.float32.minNormal ? 0 : value;

export const cast: readonly Evaluation[] = Object.entries({ "a copy": copied, "the product with one": multiplied }).map(
  ([variant, read]) => ({
    op: "cast.forward",
    variant,
    evaluate: (f, { x }) => {
      const y = output(x.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = read(f, x.data[i]);
      return { y };
    },
  }),
);
