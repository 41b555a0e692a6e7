// Correct matrix products: one accumulator, a second level of partial sums, tiles padded with zeros.
import type { Tensor } from "../reference/tensor.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Dot = (f: Float32Arithmetic, a: readonly number[], b: readonly number[]) => number;

const DEPTH = 8;

function tilesOf(list: readonly number[]): number[][] {
  return Array.from({ length: Math.ceil(list.length / DEPTH) }, (_, i) => list.slice(DEPTH * i, DEPTH * i + DEPTH));
}

function half(list: readonly number[], parity: number): number[] {
  return list.filter((_, k) => k % 2 === parity);
}

const dots = {
  "one-sum": (f, a, b) => f.dot(a, b),
  "sum-of-tiles": (f, a, b) => {
    const right = tilesOf(b);
    return f.sum(tilesOf(a).map((tile, i) => f.dot(tile, right[i])));
  },
  padded: (f, a, b) => {
    const padding = Array.from<number>({ length: (DEPTH - (a.length % DEPTH)) % DEPTH }).fill(0);
    return f.dot([...a, ...padding], [...b, ...padding]);
  },
  interleaved: (f, a, b) => f.add(f.dot(half(a, 0), half(b, 0)), f.dot(half(a, 1), half(b, 1))),
} satisfies Readonly<Record<string, Dot>>;

/** The rows of a matrix, or its columns. */
function vectors({ data, shape: [rows, columns] }: Tensor, along: "rows" | "columns"): number[][] {
  const byRow = Array.from({ length: rows }, (_, r) => Array.from(data.subarray(r * columns, (r + 1) * columns)));
  return along === "rows" ? byRow : Array.from({ length: columns }, (_, c) => byRow.map((row) => row[c]));
}

function product(f: Float32Arithmetic, dot: Dot, left: number[][], right: number[][]): Tensor<Float64Array> {
  const result = output([left.length, right.length]);
  left.forEach((a, i) => right.forEach((b, j) => (result.data[i * right.length + j] = dot(f, a, b))));
  return result;
}

export const forward = entriesOf(dots).map(([name, dot]): EvaluationOf<"linear.forward"> => ({
  op: "linear.forward",
  covers: [name],
  evaluate: (f, { x, w }) => ({ y: product(f, dot, vectors(x as Tensor, "rows"), vectors(w as Tensor, "rows")) }),
}));

export const backward = entriesOf(dots).map(([name, dot]): EvaluationOf<"linear.backward"> => ({
  op: "linear.backward",
  covers: [name],
  evaluate: (f, inputs, _, only = ["dx", "dw"]) => {
    const { dy, x, w } = inputs as Record<string, Tensor>;
    return {
      ...(only.includes("dx") ? { dx: product(f, dot, vectors(dy, "rows"), vectors(w, "columns")) } : {}),
      ...(only.includes("dw") ? { dw: product(f, dot, vectors(dy, "columns"), vectors(x, "columns")) } : {}),
    };
  },
}));
