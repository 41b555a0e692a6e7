// Correct evaluations of cross-entropy: e^x or 2^x, the maximum first or running, p from lse or from the sum, the scale at
// either end.
import type { Tensor } from "../reference/tensor.ts";
import { type Evaluation, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import {
  binary,
  type Exponential,
  maximumFirst,
  natural,
  running,
  runningInLanes,
  type Statistics,
} from "./softmax-row.ts";

const { LN2 } = Math;

interface Rows {
  readonly rows: readonly number[][];
  readonly targets: ArrayLike<number>;
  /** The indices of the rows whose targets count. */
  readonly counted: readonly number[];
}

function rowsOf(logits: Tensor, targets: ArrayLike<number>, ignoreIndex: number): Rows {
  const [R, V] = logits.shape;
  const rows = Array.from({ length: R }, (_, r) => Array.from(logits.data.subarray(r * V, (r + 1) * V)));
  return { rows, targets, counted: [...rows.keys()].filter((r) => targets[r] !== ignoreIndex) };
}

interface Forward {
  readonly statistics: Statistics;
  readonly e: Exponential;
  readonly log: (f: Float32Arithmetic, x: number) => number;
  readonly rowLoss: (f: Float32Arithmetic, logit: number, max: number, logSum: number, lse: number) => number;
  readonly mean: (f: Float32Arithmetic, losses: readonly number[]) => number;
}

const naturalLog = (f: Float32Arithmetic, x: number): number => f.log(x);
const binaryLog = (f: Float32Arithmetic, x: number): number => f.multiply(f.log2(x), f.constant(LN2));
const fromLse: Forward["rowLoss"] = (f, logit, _max, _logSum, lse) => f.subtract(lse, logit);
const fromSum: Forward["rowLoss"] = (f, logit, max, logSum) => f.subtract(logSum, f.subtract(logit, max));
const sumOverN: Forward["mean"] = (f, losses) => f.divide(f.sum(losses), losses.length);
const timesInverse: Forward["mean"] = (f, losses) => f.multiply(f.sum(losses), f.divide(1, losses.length));
const sumOfParts: Forward["mean"] = (f, losses) => f.sum(losses.map((loss) => f.divide(loss, losses.length)));

const forwards: Readonly<Record<string, Forward>> = {
  "maximum first, e^x, lse − logit, sum over n": {
    statistics: maximumFirst,
    e: natural,
    log: naturalLog,
    rowLoss: fromLse,
    mean: sumOverN,
  },
  "maximum first, 2^x, log Σ − (logit − maximum), sum of n-th parts": {
    statistics: maximumFirst,
    e: binary,
    log: naturalLog,
    rowLoss: fromSum,
    mean: sumOfParts,
  },
  "running maximum, e^x, log Σ − (logit − maximum), by 1 / n": {
    statistics: running,
    e: natural,
    log: naturalLog,
    rowLoss: fromSum,
    mean: timesInverse,
  },
  "running maximum in lanes, 2^x and log2, lse − logit, sum over n": {
    statistics: runningInLanes,
    e: binary,
    log: binaryLog,
    rowLoss: fromLse,
    mean: sumOverN,
  },
};

const forwardEvaluations = Object.entries(forwards).map(([variant, manner]): Evaluation => ({
  op: "cross-entropy.forward",
  variant,
  evaluate: (f, inputs, { ignoreIndex }) => {
    const { rows, targets, counted } = rowsOf(inputs.logits as Tensor, inputs.targets.data, Number(ignoreIndex));
    const loss = output([]);
    const lse = output([rows.length]);
    const rowLosses = rows.map((row, r) => {
      const { max, sum } = manner.statistics(f, manner.e, row);
      const logSum = manner.log(f, sum);
      lse.data[r] = f.add(max, logSum);
      return manner.rowLoss(f, row[targets[r]], max, logSum, lse.data[r]);
    });
    const losses = counted.map((r) => rowLosses[r]);
    loss.data[0] = losses.length > 0 ? manner.mean(f, losses) : 0;
    return { loss, lse };
  },
}));

type Probability = (f: Float32Arithmetic, row: readonly number[], saved: number) => (logit: number) => number;
type Scaled = (f: Float32Arithmetic, p: number, isTarget: boolean, dloss: number, n: number) => number;

const probabilities: Readonly<Record<string, Probability>> = {
  "e^(logit − saved lse)": (f, _row, saved) => (logit) => f.exp(f.subtract(logit, saved)),
  "2^(logit − saved lse)": (f, _row, saved) => (logit) => binary(f, f.subtract(logit, saved)),
  "e^(logit − lse computed anew)": (f, row) => {
    const { max, sum } = running(f, natural, row);
    const lse = f.add(max, f.log(sum));
    return (logit) => f.exp(f.subtract(logit, lse));
  },
  "e^(logit − maximum) / sum": (f, row) => {
    const { max, sum } = maximumFirst(f, natural, row);
    return (logit) => f.divide(f.exp(f.subtract(logit, max)), sum);
  },
  "2^(logit − maximum) · (1 / sum)": (f, row) => {
    const { max, sum } = runningInLanes(f, binary, row);
    const inverse = f.divide(1, sum);
    return (logit) => f.multiply(binary(f, f.subtract(logit, max)), inverse);
  },
};

const scales: Readonly<Record<string, Scaled>> = {
  "dloss / n first": (f, p, isTarget, dloss, n) => f.multiply(f.divide(dloss, n), isTarget ? f.subtract(p, 1) : p),
  "1 / n last": (f, p, isTarget, dloss, n) =>
    f.multiply(f.multiply(dloss, isTarget ? f.subtract(p, 1) : p), f.divide(1, n)),
  "p / n − 1 / n, then dloss": (f, p, isTarget, dloss, n) => {
    const part = f.divide(p, n);
    return f.multiply(isTarget ? f.subtract(part, f.divide(1, n)) : part, dloss);
  },
  "(p · dloss − dloss) / n": (f, p, isTarget, dloss, n) =>
    f.divide(isTarget ? f.multiplyAdd(p, dloss, -dloss) : f.multiply(p, dloss), n),
};

// Each probability meets two of the scales, each scale two probabilities or three.
const backwardEvaluations = Object.entries(probabilities).flatMap(([from, probability], i) =>
  [0, 1].map((j): Evaluation => {
    const [scaling, scaled] = Object.entries(scales)[(2 * i + j) % 4];
    return {
      op: "cross-entropy.backward",
      variant: `p = ${from}; ${scaling}`,
      evaluate: (f, inputs, { ignoreIndex }) => {
        const { logits, lse, dloss } = inputs as Record<string, Tensor>;
        const { rows, targets, counted } = rowsOf(logits, inputs.targets.data, Number(ignoreIndex));
        const dlogits = output(logits.shape);
        for (const r of counted) {
          const p = probability(f, rows[r], lse.data[r]);
          rows[r].forEach((logit, v) => {
            const gradient = scaled(f, p(logit), v === targets[r], dloss.data[0], counted.length);
            dlogits.data[r * logits.shape[1] + v] = gradient;
          });
        }
        return { dlogits };
      },
    };
  }),
);

export const crossEntropy: readonly Evaluation[] = [...forwardEvaluations, ...backwardEvaluations];
