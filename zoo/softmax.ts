// Correct evaluations of softmax: e^x or 2^x, the maximum first or running, normalised by quotient, reciprocal or lse; and
// the gradient factored or multiplied out.
import type { Tensor } from "../reference/tensor.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import { entriesOf, type EvaluationOf, output, rowsOf } from "./evaluation.ts";
import {
  binary,
  type Exponential,
  fused,
  maximumFirst,
  natural,
  running,
  runningInBlocks,
  runningInLanes,
  type State,
} from "./softmax-row.ts";

/** From a row's maximum and sum to the function that normalises each element. */
type Normalise = (f: Float32Arithmetic, e: Exponential, state: State) => (x: number) => number;

const normalisations = {
  "by-quotient":
    (f, e, { max, sum }) =>
    (x) =>
      f.divide(f.stored("exp", f.stored("exp over the sum", e(f, x, max))), f.stored("sum", sum)),
  "by-reciprocal": (f, e, { max, sum }) => {
    const inverse = f.stored("1 / sum", f.divide(1, f.stored("sum", sum)));
    return (x) => f.multiply(f.stored("exp", f.stored("exp over the sum", e(f, x, max))), inverse);
  },
  "by-lse": (f, e, { max, sum }) => {
    const lse = f.stored("lse", f.add(max, f.log(sum)));
    return (x) => e(f, x, lse);
  },
} satisfies Readonly<Record<string, Normalise>>;
const statistics = {
  "maximum-first": maximumFirst,
  "running-maximum": running,
  "running-in-blocks": runningInBlocks,
  "running-in-lanes": runningInLanes,
};
const exponentials = { "base-e": natural, "base-2": binary, "base-2-fused": fused };

// Each normalisation with each exponential; the statistics take turns so that each meets every other choice.
export const forward = entriesOf(normalisations).flatMap(([how, normalise], n) =>
  entriesOf(exponentials).map(([base, e], b): EvaluationOf<"softmax.forward"> => {
    const [name, statisticsOf] = entriesOf(statistics)[(n + b) % 4];
    return {
      op: "softmax.forward",
      covers: [name, base, how],
      evaluate: (f, { x }) => {
        const y = output(x.shape);
        rowsOf(x as Tensor).forEach((row, r) => {
          if (row.length > 0) y.data.set(row.map(normalise(f, e, statisticsOf(f, e, row))), r * row.length);
        });
        return { y };
      },
    };
  }),
);

type Gradient = (f: Float32Arithmetic, dy: number, y: number, D: number) => number;

const gradients = {
  factored: (f, dy, y, D) => f.multiply(y, f.stored("dy − D", f.subtract(dy, D))),
  "multiplied-out": (f, dy, y, D) => f.multiplyAdd(-y, D, f.multiply(y, dy)),
} satisfies Readonly<Record<string, Gradient>>;
const HALVES = 2;
const projections = {
  "one-sum": (f, dy, y) => f.dot(dy, y),
  "partial-sums": (f, dy, y) => {
    const middle = Math.ceil(dy.length / HALVES);
    return f.add(f.dot(dy.slice(0, middle), y.slice(0, middle)), f.dot(dy.slice(middle), y.slice(middle)));
  },
} satisfies Readonly<Record<string, (f: Float32Arithmetic, dy: number[], y: number[]) => number>>;

export const backward = entriesOf(gradients).flatMap(([form, gradient]) =>
  entriesOf(projections).map(([how, project]): EvaluationOf<"softmax.backward"> => ({
    op: "softmax.backward",
    covers: [form, how],
    evaluate: (f, { dy, y }) => {
      const dx = output(y.shape);
      const gradientRows = rowsOf(dy as Tensor);
      rowsOf(y as Tensor).forEach((row, r) => {
        const D = f.stored("D", project(f, gradientRows[r], row));
        const values = row.map((weight, c) => gradient(f, gradientRows[r][c], weight, D));
        dx.data.set(values, r * row.length);
      });
      return { dx };
    },
  })),
);
