// Correct embeddings: a copy or the product with a one-hot row; sums over the occurrences, or over all rows with zeros.
import { dtypes } from "../reference/dtype.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

const copied = (_: Float32Arithmetic, value: number): number => value;
/** 1 · value + 0 + 0 + …: exact, except for a subnormal operand. */
const selected = (f: Float32Arithmetic, value: number): number =>
  f.habits.flushes && Math.abs(value) < dtypes.float32.minNormal ? 0 : value;

export const forward = entriesOf({ copy: copied, "one-hot": selected }).map(
  ([name, read]): EvaluationOf<"embedding.forward"> => ({
    op: "embedding.forward",
    covers: [name],
    evaluate: (f, { tokens, w }) => {
      const C = w.shape[1];
      const y = output([tokens.shape[0], C]);
      for (let i = 0; i < y.data.length; i++) {
        const r = Math.floor(i / C);
        y.data[i] = read(f, w.data[tokens.data[r] * C + (i - r * C)]);
      }
      return { y };
    },
  }),
);

/** Σ of dy over the rows whose token is v. */
type Gather = (f: Float32Arithmetic, column: readonly number[], tokens: Int32Array, v: number) => number;

const occurrences: Gather = (f, column, tokens, v) => f.sum(column.filter((_, r) => tokens[r] === v));
const masked: Gather = (f, column, tokens, v) => f.sum(column.map((dy, r) => (tokens[r] === v ? dy : 0)));
const gathers = {
  occurrences: occurrences,
  "one-hot": masked,
  "partial-sums": (f, column, tokens, v) => {
    const half = column.length >> 1;
    return f.add(
      occurrences(f, column.slice(0, half), tokens, v),
      occurrences(f, column.slice(half), tokens.subarray(half), v),
    );
  },
} satisfies Readonly<Record<string, Gather>>;

export const backward = entriesOf(gathers).map(([name, gather]): EvaluationOf<"embedding.backward"> => ({
  op: "embedding.backward",
  covers: [name],
  evaluate: (f, { dy, tokens }, scalars) => {
    const V = Number(scalars.V);
    const [R, C] = dy.shape;
    const dw = output([V, C]);
    for (let c = 0; c < C; c++) {
      const column = Array.from({ length: R }, (_, r) => dy.data[r * C + c]);
      for (let v = 0; v < V; v++) dw.data[v * C + c] = gather(f, column, tokens.data as Int32Array, v);
    }
    return { dw };
  },
}));
