// Correct evaluations of cross-entropy: e^x or 2^x, the maximum first or running, p from lse or from the sum, the scale at
// either end.
import type { Tensor } from "../reference/tensor.ts";
import { entriesOf, type EvaluationOf, output, rowsOf } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import {
  binary,
  type Exponential,
  fused,
  maximumFirst,
  natural,
  running,
  runningInBlocks,
  runningInLanes,
} from "./softmax-row.ts";

const { LN2 } = Math;

interface Rows {
  readonly rows: readonly number[][];
  readonly targets: ArrayLike<number>;
  /** The indices of the rows whose targets count. */
  readonly counted: readonly number[];
}

function withTargets(logits: Tensor, targets: ArrayLike<number>, ignoreIndex: number): Rows {
  const rows = rowsOf(logits);
  return { rows, targets, counted: [...rows.keys()].filter((r) => targets[r] !== ignoreIndex) };
}

type RowLoss = (f: Float32Arithmetic, logit: number, max: number, logSum: number, lse: number) => number;
type Mean = (f: Float32Arithmetic, losses: readonly number[]) => number;

const naturalLog = (f: Float32Arithmetic, x: number): number => f.log(x);
const binaryLog = (f: Float32Arithmetic, x: number): number => f.multiply(f.log2(x), f.constant(LN2));
const lseInBase2 = (f: Float32Arithmetic, max: number, sum: number): number =>
  f.multiply(f.multiplyAdd(max, f.constant(Math.LOG2E), f.log2(sum)), f.constant(LN2));
const fromLse: RowLoss = (f, logit, _max, _logSum, lse) => f.subtract(lse, logit);
const fromSum: RowLoss = (f, logit, max, logSum) => f.subtract(logSum, f.subtract(logit, max));
const sumOverN: Mean = (f, losses) => f.divide(f.sum(losses), losses.length);
const timesInverse: Mean = (f, losses) => f.multiply(f.sum(losses), f.divide(1, losses.length));
const sumOfParts: Mean = (f, losses) => f.sum(losses.map((loss) => f.divide(loss, losses.length)));

const statistics = {
  "maximum-first": maximumFirst,
  "running-maximum": running,
  "running-in-blocks": runningInBlocks,
  "running-in-lanes": runningInLanes,
};
const bases = { "base-e": natural, "base-2": binary, "base-2-fused": fused };
const logs = { log: naturalLog, log2: binaryLog, "lse-in-base-2": binaryLog };
const rowLosses = { "row-loss-from-lse": fromLse, "row-loss-from-sum": fromSum };
const means = { "sum-over-n": sumOverN, "sum-of-parts": sumOfParts, "sum-by-reciprocal": timesInverse };

type Choice = [
  keyof typeof statistics,
  keyof typeof bases,
  keyof typeof logs,
  keyof typeof rowLosses,
  keyof typeof means,
];

const choices: readonly Choice[] = [
  ["maximum-first", "base-e", "log", "row-loss-from-lse", "sum-over-n"],
  ["maximum-first", "base-2", "log", "row-loss-from-sum", "sum-of-parts"],
  ["running-maximum", "base-e", "log", "row-loss-from-sum", "sum-by-reciprocal"],
  ["running-in-lanes", "base-2", "log2", "row-loss-from-lse", "sum-over-n"],
  ["running-in-blocks", "base-2-fused", "log2", "row-loss-from-sum", "sum-over-n"],
  ["running-in-lanes", "base-e", "log", "row-loss-from-lse", "sum-of-parts"],
  ["running-in-blocks", "base-2-fused", "lse-in-base-2", "row-loss-from-lse", "sum-over-n"],
];

export const forward = choices.map((covers): EvaluationOf<"cross-entropy.forward"> => ({
  op: "cross-entropy.forward",
  covers,
  evaluate: (f, inputs, { ignoreIndex }) => {
    const [statistic, base, logarithm, lossForm, meanForm] = covers;
    const e: Exponential = bases[base];
    const { rows, targets, counted } = withTargets(inputs.logits as Tensor, inputs.targets.data, Number(ignoreIndex));
    const loss = output([]);
    const lse = output([rows.length]);
    const losses = rows.map((row, r) => {
      const { max, sum } = statistics[statistic](f, e, row);
      const logSum = logs[logarithm](f, f.stored("sum", sum));
      lse.data[r] = f.stored("lse", logarithm === "lse-in-base-2" ? lseInBase2(f, max, sum) : f.add(max, logSum));
      return f.stored("loss of a row", rowLosses[lossForm](f, row[targets[r]], max, logSum, lse.data[r]));
    });
    const counting = counted.map((r) => losses[r]);
    loss.data[0] = counting.length > 0 ? means[meanForm](f, counting) : 0;
    return { loss, lse };
  },
}));

type Probability = (f: Float32Arithmetic, row: readonly number[], saved: number) => (logit: number) => number;
type Scaled = (f: Float32Arithmetic, p: number, isTarget: boolean, dloss: number, n: number) => number;

const probabilities = {
  "p-from-saved-lse": (f, _row, saved) => (logit) => natural(f, logit, saved),
  "p-from-saved-lse-base-2": (f, _row, saved) => (logit) => binary(f, logit, saved),
  "p-from-saved-lse-fused": (f, _row, saved) => (logit) => fused(f, logit, saved),
  "p-from-lse-anew": (f, row) => {
    const { max, sum } = running(f, natural, row);
    const lse = f.add(max, f.log(sum));
    return (logit) => natural(f, logit, lse);
  },
  "p-as-quotient": (f, row) => {
    const { max, sum } = maximumFirst(f, natural, row);
    return (logit) => f.divide(f.stored("exp", natural(f, logit, max)), sum);
  },
  "p-by-reciprocal": (f, row) => {
    const { max, sum } = runningInLanes(f, binary, row);
    const inverse = f.divide(1, sum);
    return (logit) => f.multiply(binary(f, logit, max), inverse);
  },
} satisfies Readonly<Record<string, Probability>>;

const scales = {
  "dloss-over-n-first": (f, p, isTarget, dloss, n) => f.multiply(f.divide(dloss, n), isTarget ? f.subtract(p, 1) : p),
  "reciprocal-of-n-last": (f, p, isTarget, dloss, n) =>
    f.multiply(f.multiply(dloss, isTarget ? f.subtract(p, 1) : p), f.divide(1, n)),
  "p-over-n-first": (f, p, isTarget, dloss, n) => {
    const part = f.divide(p, n);
    return f.multiply(isTarget ? f.subtract(part, f.divide(1, n)) : part, dloss);
  },
  "dloss-subtracted": (f, p, isTarget, dloss, n) =>
    f.divide(isTarget ? f.multiplyAdd(p, dloss, -dloss) : f.multiply(p, dloss), n),
} satisfies Readonly<Record<string, Scaled>>;

// Each probability meets two of the scales, each scale two probabilities or three.
export const backward = entriesOf(probabilities).flatMap(([from, probability], i) =>
  [0, 1].map((j): EvaluationOf<"cross-entropy.backward"> => {
    const [scaling, scaled] = entriesOf(scales)[(2 * i + j) % entriesOf(scales).length];
    return {
      op: "cross-entropy.backward",
      covers: [from, scaling],
      evaluate: (f, inputs, { ignoreIndex }) => {
        const { logits, lse, dloss } = inputs as Record<string, Tensor>;
        const { rows, targets, counted } = withTargets(logits, inputs.targets.data, Number(ignoreIndex));
        const dlogits = output(logits.shape);
        for (const r of counted) {
          const p = probability(f, rows[r], lse.data[r]);
          rows[r].forEach((logit, v) => {
            const gradient = scaled(f, f.stored("p", p(logit)), v === targets[r], dloss.data[0], counted.length);
            dlogits.data[r * logits.shape[1] + v] = gradient;
          });
        }
        return { dlogits };
      },
    };
  }),
);
