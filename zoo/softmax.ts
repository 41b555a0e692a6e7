// Correct evaluations of softmax: e^x or 2^x, the maximum first or running, normalised by quotient, reciprocal or lse; and
// the gradient factored or multiplied out.
import type { Tensor } from "../reference/tensor.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import { type Evaluation, output } from "./evaluation.ts";
import { binary, type Exponential, maximumFirst, natural, running, runningInLanes, type State } from "./softmax-row.ts";

function rowsOf({ data, shape: [R, C] }: Tensor): number[][] {
  return Array.from({ length: R }, (_, r) => Array.from(data.subarray(r * C, (r + 1) * C)));
}

/** From a row's maximum and sum to what becomes of each element. */
type Normalise = (f: Float32Arithmetic, e: Exponential, state: State) => (x: number) => number;

const normalisations: Readonly<Record<string, Normalise>> = {
  "quotient by the sum":
    (f, e, { max, sum }) =>
    (x) =>
      f.divide(e(f, f.subtract(x, max)), sum),
  "product with its reciprocal": (f, e, { max, sum }) => {
    const inverse = f.divide(1, sum);
    return (x) => f.multiply(e(f, f.subtract(x, max)), inverse);
  },
  "e^(x − lse)": (f, e, { max, sum }) => {
    const lse = f.add(max, f.log(sum));
    return (x) => e(f, f.subtract(x, lse));
  },
};
const statistics = { "maximum first": maximumFirst, "running maximum": running, "in lanes": runningInLanes };
const exponentials = { "e^x": natural, "2^x": binary };

// Each normalisation with each exponential, the statistics taking turns so that each meets every other choice.
const forwards = Object.entries(normalisations).flatMap(([how, normalise], n) =>
  Object.entries(exponentials).map(([base, e], b): Evaluation => {
    const [name, statisticsOf] = Object.entries(statistics)[(n + b) % 3];
    return {
      op: "softmax.forward",
      variant: `${name}, ${base}, ${how}`,
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

const gradients: Readonly<Record<string, Gradient>> = {
  "y · (dy − D)": (f, dy, y, D) => f.multiply(y, f.subtract(dy, D)),
  "y · dy − y · D": (f, dy, y, D) => f.multiplyAdd(-y, D, f.multiply(y, dy)),
};
const HALVES = 2;
const projections: Readonly<Record<string, (f: Float32Arithmetic, dy: number[], y: number[]) => number>> = {
  "one sum": (f, dy, y) => f.dot(dy, y),
  "partial sums": (f, dy, y) => {
    const middle = Math.ceil(dy.length / HALVES);
    return f.add(f.dot(dy.slice(0, middle), y.slice(0, middle)), f.dot(dy.slice(middle), y.slice(middle)));
  },
};

const backwards = Object.entries(gradients).flatMap(([form, gradient]) =>
  Object.entries(projections).map(([how, project]): Evaluation => ({
    op: "softmax.backward",
    variant: `${form}, D as ${how}`,
    evaluate: (f, { dy, y }) => {
      const dx = output(y.shape);
      const gradientRows = rowsOf(dy as Tensor);
      rowsOf(y as Tensor).forEach((row, r) => {
        const D = project(f, gradientRows[r], row);
        const values = row.map((weight, c) => gradient(f, gradientRows[r][c], weight, D));
        dx.data.set(values, r * row.length);
      });
      return { dx };
    },
  })),
);

export const softmax: readonly Evaluation[] = [...forwards, ...backwards];
