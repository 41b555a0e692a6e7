// Correct kernels that are no order of summation: Strassen's products, compensated sums, sums in pieces of other accuracy, and a softmax relative to a maximum that
// is no score (Cauchy–Schwarz).
import { visibleKeys } from "../reference/ops/attention.ts";
import type { Inputs, Outputs, Scalars } from "../reference/operation.ts";
import type { Floats, Tensor } from "../reference/tensor.ts";

type Kernel = (inputs: Inputs, scalars: Scalars) => Outputs;
type Dot = (a: ArrayLike<number>, b: ArrayLike<number>) => number;
type Matrix = readonly Float32Array[];

const { fround } = Math;

const sequential: Dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum = fround(sum + fround(a[i] * b[i]));
  return sum;
};

/** Kahan's; the correction is part of the next term. */
const kahan: Dot = (a, b) => {
  let [sum, lost] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const term = fround(fround(a[i] * b[i]) - lost);
    const next = fround(sum + term);
    lost = fround(fround(next - sum) - term);
    sum = next;
  }
  return sum;
};

/** Neumaier's: the corrections are added at the end. */
const neumaier: Dot = (a, b) => {
  let [sum, lost] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const term = fround(a[i] * b[i]);
    const next = fround(sum + term);
    const isLarger = Math.abs(sum) >= Math.abs(term);
    const rest = isLarger ? fround(fround(sum - next) + term) : fround(fround(term - next) + sum);
    lost = fround(lost + rest);
    sum = next;
  }
  return fround(sum + lost);
};

/** Runs of 128, every second one in float64. */
const mixed: Dot = (a, b) => {
  let sum = 0;
  for (let from = 0, k = 0; from < a.length; from += 128, k++) {
    let part = 0;
    for (let i = from; i < Math.min(a.length, from + 128); i++)
      part = k % 2 === 0 ? fround(part + fround(a[i] * b[i])) : part + a[i] * b[i];
    sum = fround(sum + fround(part));
  }
  return sum;
};

const minus = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((x, j) => fround(x - b[i][j])));
const plus = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((x, j) => fround(x + b[i][j])));
const part = (a: Matrix, i: number, j: number): Matrix => {
  const [h, w] = [a.length / 2, a[0].length / 2];
  return a.slice(i * h, (i + 1) * h).map((row) => row.slice(j * w, (j + 1) * w));
};

/** a · bᵀ by Strassen's seven products, so many levels deep, where the sizes can be halved. */
function strassen(a: Matrix, b: Matrix, levels: number): Matrix {
  if (levels === 0 || [a.length, b.length, a[0].length].some((n) => n % 2 === 1))
    return a.map((row) => Float32Array.from(b, (column) => sequential(row, column)));
  const [a11, a12, a21, a22] = [part(a, 0, 0), part(a, 0, 1), part(a, 1, 0), part(a, 1, 1)];
  const [b11, b21, b12, b22] = [part(b, 0, 0), part(b, 0, 1), part(b, 1, 0), part(b, 1, 1)];
  const of = (x: Matrix, y: Matrix): Matrix => strassen(x, y, levels - 1);
  const m1 = of(plus(a11, a22), plus(b11, b22));
  const m2 = of(plus(a21, a22), b11);
  const m3 = of(a11, minus(b12, b22));
  const m4 = of(a22, minus(b21, b11));
  const m5 = of(plus(a11, a12), b22);
  const m6 = of(minus(a21, a11), plus(b11, b12));
  const m7 = of(minus(a12, a22), plus(b21, b22));
  const [c11, c12] = [plus(minus(plus(m1, m4), m5), m7), plus(m3, m5)];
  const [c21, c22] = [plus(m2, m4), plus(minus(plus(m1, m3), m2), m6)];
  const beside = (left: Matrix, right: Matrix): Matrix => left.map((row, i) => Float32Array.of(...row, ...right[i]));
  return [...beside(c11, c12), ...beside(c21, c22)];
}

function rowsOf({ data, shape: [R, C] }: Tensor): Matrix {
  return Array.from({ length: R }, (_, r) => Float32Array.from(data.subarray(r * C, (r + 1) * C)));
}

function matrix(rows: Matrix): Tensor {
  return { data: Float32Array.from(rows.flatMap((row) => [...row])), shape: [rows.length, rows[0].length] };
}

const linearBy =
  (dot: Dot): Kernel =>
  ({ x, w }) => ({
    y: matrix(rowsOf(x as Tensor).map((row) => Float32Array.from(rowsOf(w as Tensor), (column) => dot(row, column)))),
  });
const linearOf =
  (levels: number): Kernel =>
  ({ x, w }) => ({ y: matrix(strassen(rowsOf(x as Tensor), rowsOf(w as Tensor), levels)) });

/** Softmax relative to |q| · max |k| / √HS, which is at least every score: weights are small, and so is their sum. */
const cauchySchwarz: Kernel = (inputs) => {
  const [q, k, v] = ["q", "k", "v"].map((name) => inputs[name] as Tensor<Floats>);
  const [B, T, NH, HS] = q.shape;
  const [, S, NKV] = k.shape;
  const y = { data: new Float32Array(q.data.length), shape: q.shape };
  const scale = fround(1 / Math.sqrt(HS));
  const vector = (t: Tensor, at: number): Float32Array => Float32Array.from(t.data.subarray(at, at + HS));
  const norm = (x: ArrayLike<number>): number => fround(Math.sqrt(sequential(x, x)));
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      for (let h = 0; h < NH; h++) {
        const head = Math.floor(h / (NH / NKV));
        const at = ((b * T + t) * NH + h) * HS;
        const query = vector(q, at);
        const keys = visibleKeys(t, T, S);
        const rows = Array.from({ length: keys }, (_, s) => ((b * S + s) * NKV + head) * HS);
        const most = rows.reduce((m, row) => Math.max(m, norm(vector(k, row))), 0);
        const bound = fround(fround(norm(query) * most) * scale);
        const weights = rows.map((row) =>
          fround(Math.exp(fround(fround(sequential(query, vector(k, row)) * scale) - bound))),
        );
        const sum = weights.reduce((l, p) => fround(l + p), 0);
        for (let i = 0; i < HS; i++)
          y.data[at + i] = fround(
            sequential(
              weights,
              rows.map((row) => v.data[row + i]),
            ) / sum,
          );
      }
    }
  }
  return { y };
};

/** By op. */
export const special: Readonly<Record<string, Readonly<Record<string, Kernel>>>> = {
  "linear.forward": {
    Kahan: linearBy(kahan),
    Neumaier: linearBy(neumaier),
    "every second run in float64": linearBy(mixed),
    "Strassen, one level": linearOf(1),
    "Strassen, three levels": linearOf(3),
  },
  "attention.forward": { "a maximum by Cauchy and Schwarz": cauchySchwarz },
};
