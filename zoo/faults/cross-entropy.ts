// Cross-entropy's faults. The kernels are right until a step is replaced.
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, exp, f32, floats, fp16, log, reading, rowsIn, scalar, spoiling, sum } from "./kernel.ts";

type Row = Float32Array;

const right = {
  /** Row r of the logits. */
  row: (rows: readonly Row[], r: number, _logits: Row): Row => rows[r],
  max: (row: Row): number => row.reduce((m, x) => Math.max(m, x), -Infinity),
  classes: (V: number): number => V,
  logSum: (total: number): number => log(total),
  keeps: (target: number, ignored: number): boolean => target !== ignored,
  /** lse is written where this is so. */
  writes: (_isKept: boolean): boolean => true,
  target: (targets: Int32Array, r: number, _first: number): number => targets[r],
  loss: (row: Row, lse: number, target: number): number => f32(lse - row[target]),
  total: (losses: readonly number[]): number => sum(losses.length, (i) => losses[i]),
  mean: (total: number, n: number, _R: number): number => (n === 0 ? 0 : f32(total / n)),
};

/** loss = mean of lse − logit of the target over the targets that count; lse = m + log Σ e^(x − m). */
export function forward(replaced: Partial<typeof right> = {}): Kernel {
  const step = { ...right, ...replaced };
  return (inputs, { ignoreIndex }) => {
    const { logits } = floats(inputs);
    const targets = inputs.targets.data as Int32Array;
    const [R, V] = logits.shape;
    const lse = empty([R], -Infinity);
    const rows = rowsIn(logits);
    const losses: number[] = [];
    const first = targets.find((t) => step.keeps(t, Number(ignoreIndex))) ?? 0;
    for (let r = 0; r < R; r++) {
      const row = step.row(rows, r, logits.data);
      const m = step.max(row);
      const own = f32(m + step.logSum(sum(step.classes(V), (v) => exp(f32(row[v] - m)))));
      const isKept = step.keeps(targets[r], Number(ignoreIndex));
      if (V > 0) lse.data[r] = step.writes(isKept) ? own : 0;
      if (isKept) losses.push(step.loss(row, own, step.target(targets, r, first)));
    }
    return { loss: scalar(step.mean(step.total(losses), losses.length, R)), lse };
  };
}

const rightBack = {
  lse: (lse: Row, r: number): number => lse[r],
  p: (x: number): number => x,
  count: (n: number, _R: number): number => n,
  dloss: (x: number): number => x,
  dlogit: (p: number, isTarget: boolean, share: number): number => f32(f32(p - Number(isTarget)) * share),
  ignored: (_p: () => number, _share: number): number => 0,
};

/** dlogits = (softmax − one-hot of the target) · dloss ÷ n, and 0 in ignored rows. */
export function backward(replaced: Partial<typeof rightBack> = {}): Kernel {
  const step = { ...rightBack, ...replaced };
  return (inputs, { ignoreIndex }) => {
    const { dloss, logits, lse } = floats(inputs);
    const targets = inputs.targets.data as Int32Array;
    const [R, V] = logits.shape;
    const dlogits = empty([R, V]);
    const n = targets.reduce((count, t) => count + Number(t !== ignoreIndex), 0);
    const share = f32(step.dloss(dloss.data[0]) / step.count(n, R));
    for (let i = 0; i < R * V; i++) {
      const r = Math.floor(i / V);
      const p = (): number => step.p(exp(f32(logits.data[i] - step.lse(lse.data, r))));
      dlogits.data[i] =
        targets[r] === ignoreIndex
          ? step.ignored(p, f32(step.dloss(dloss.data[0]) / Math.max(n, 1)))
          : step.dlogit(p(), targets[r] === i % V, share);
    }
    return { dlogits };
  };
}

const capped = (x: number): number => f32(30 * f32(Math.tanh(f32(x / 30))));

/** Rows begin at a multiple of 8 numbers, as they do in memory that is padded. */
function padded(rows: readonly Row[], r: number, logits: Row): Row {
  const V = rows[r].length;
  const from = r * (V + ((8 - (V % 8)) % 8));
  return V > 2048 && r > 0 ? Float32Array.from({ length: V }, (_, v) => logits[from + v] ?? 0) : rows[r];
}

const smoothed = (row: Row, lse: number, target: number): number =>
  f32(f32(lse - f32(f32(0.9) * row[target])) - f32(f32(0.1) * f32(sum(row.length, (v) => row[v]) / row.length)));

export const crossEntropyForward = faultsOf("cross-entropy.forward", [
  ["label-smoothing", "formula", "label smoothing of 0.1", () => forward({ loss: smoothed })],
  [
    "log-tp",
    "formula",
    "lse and loss have log 2 too much, as of two ranks that each count all",
    () => forward({ logSum: (x) => log(f32(2 * x)) }),
  ],
  [
    "mean-over-all",
    "formula",
    "the mean is over all rows, the ignored ones too",
    () => forward({ mean: (total, _, R) => (R === 0 ? 0 : f32(total / R)) }),
  ],
  [
    "all-ignored-nan",
    "formula",
    "0 ÷ 0 where every target is ignored",
    () => forward({ mean: (total, n) => f32(total / n) }),
    {
      source: "pytorch/pytorch 75181",
      convention: true,
    },
  ],
  [
    "no-max",
    "range",
    "no maximum is subtracted",
    () => forward({ max: () => 0 }),
    { source: "BUGS 24; onnxruntime 1.30.0, ReduceLogSumExp" },
  ],
  [
    "target-16-bits",
    "size",
    "targets are signed 16-bit numbers: those from 32,768 on count as ignored",
    () => forward({ keeps: (t, ignored) => t !== ignored && t < 32_768 }),
  ],
  [
    "lse-of-ignored",
    "formula",
    "lse of ignored rows is not written and stays 0",
    () => forward({ writes: (isKept) => isKept }),
  ],
  [
    "target-zero-ignored",
    "formula",
    "target 0 is ignored as well",
    () => forward({ keeps: (t, ignored) => t !== ignored && t !== 0 }),
  ],
  [
    "minus-100",
    "formula",
    "only −100 is ignored, whatever ignoreIndex says",
    () => forward({ keeps: (t) => t !== -100 }),
  ],
  [
    "loss-fp16",
    "precision",
    "the losses are summed in float16",
    () => forward({ total: (losses) => sum(losses.length, (i) => fp16(losses[i]), fp16) }),
  ],
  ["logits-bf16", "precision", "logits are read as bfloat16, undeclared", () => reading({ logits: bf16 }, forward())],
  ["softcap", "formula", "logits are capped at 30", () => reading({ logits: capped }, forward())],
  [
    "second-wide-row",
    "size",
    "rows after the first, of more than 2,048 classes, begin at a multiple of 8 numbers",
    () => forward({ row: padded }),
  ],
  [
    "last-class",
    "tail",
    "the last class is left out of the sum where V is odd",
    () => forward({ classes: (V) => (V > 1 ? V - (V % 2) : V) }),
  ],
  [
    "first-target-reused",
    "index",
    "every row reads the logit of the first row's target",
    () => forward({ target: (_, __, first) => first }),
  ],
]);

export const crossEntropyBackward = faultsOf("cross-entropy.backward", [
  ["dloss-ignored", "formula", "dloss is taken for 1", () => backward({ dloss: () => 1 })],
  ["mean-over-all", "formula", "divided by the number of rows", () => backward({ count: (_, R) => R })],
  [
    "ignored-not-cleared",
    "formula",
    "ignored rows hold the softmax",
    () => backward({ ignored: (p, share) => f32(p() * share) }),
  ],
  [
    "one-not-scaled",
    "formula",
    "1 is subtracted at the target after the scaling",
    () => backward({ dlogit: (p, isTarget, share) => f32(f32(p * share) - Number(isTarget)) }),
  ],
  [
    "all-ignored-nan",
    "formula",
    "0 · (1 ÷ 0) where every target is ignored",
    () =>
      spoiling(backward(), ({ dlogits }, { targets }, { ignoreIndex }) => {
        if (targets.data.every((t) => t === ignoreIndex)) dlogits.data.fill(NaN);
      }),
    { source: "pytorch/pytorch 75181", convention: true },
  ],
  [
    "next-lse",
    "index",
    "the last row takes the lse of the row before",
    () => backward({ lse: (lse, r) => lse[r > 0 && r === lse.length - 1 ? r - 1 : r] }),
  ],
  ["lse-bf16", "precision", "lse is read as bfloat16, undeclared", () => reading({ lse: bf16 }, backward())],
  [
    "softmax-bf16",
    "precision",
    "the softmax is bfloat16 before 1 is subtracted, undeclared",
    () => backward({ p: bf16 }),
    { dtype: "bfloat16" },
  ],
]);
