// Correct casts: a copy, or an operation that rounds nothing, such as a product with one.
import { dtypes } from "../reference/dtype.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

const copied = (_: Float32Arithmetic, value: number): number => value;
/** 1 · value: exact, except for a subnormal operand. */
const multiplied = (f: Float32Arithmetic, value: number): number =>
  f.habits.flushes && Math.abs(value) < dtypes.float32.minNormal ? 0 : value;

export const forward = entriesOf({ copy: copied, "times-one": multiplied }).map(
  ([name, read]): EvaluationOf<"cast.forward"> => ({
    op: "cast.forward",
    covers: [name],
    evaluate: (f, { x }) => {
      const y = output(x.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = read(f, x.data[i]);
      return { y };
    },
  }),
);
