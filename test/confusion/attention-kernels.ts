// Attention in float32, written on its own: its formulas are other ones than the zoo's where there are several, and each number on the
// way may be kept low.
import type { Inputs } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { asIs, type Reading } from "./line.ts";

const { fround } = Math;

/** What becomes of inputs, intermediates, partial sums and outputs, by name; those that are left out stay as they are. */
export interface Keeps {
  readonly inputs?: Readonly<Record<string, Reading>>;
  readonly steps?: Readonly<Record<string, Reading>>;
  /** Of all partial sums, which are rounded to float32 otherwise. */
  readonly sums?: Reading;
  readonly outputs?: Reading;
  /** How a product of two numbers is formed; as it is, if left out. */
  readonly times?: Times;
}

export type Times = (a: number, b: number) => number;

interface Head {
  readonly q: Float32Array;
  readonly dy: Float32Array;
  readonly y: Float32Array;
  /** Rows of the keys that the query sees, and their places. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly rows: readonly number[];
  /** The places of the query's row and of its lse. */
  readonly row: number;
  readonly statistic: number;
}

function sum(n: number, term: (i: number) => number, keep: Reading = fround): number {
  let total = 0;
  for (let i = 0; i < n; i++) total = keep(total + fround(term(i)));
  return total;
}

const exactly: Times = (a, b) => a * b;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>, keep?: Reading, times = exactly): number =>
  sum(a.length, (i) => times(a[i], b[i]), keep);

function* heads(inputs: Record<string, Tensor>): Generator<Head> {
  const { q, k, v } = inputs;
  const [[B, T, NH, HS], [, S, NKV]] = [q.shape, k.shape];
  const rowOf = (t: Tensor | undefined, row: number): Float32Array =>
    Float32Array.from((t?.data ?? new Float32Array()).slice(row * HS, (row + 1) * HS));
  for (let b = 0; b < B; b++)
    for (let h = 0; h < NH; h++)
      for (let t = 0; t < T; t++) {
        const count = S - T + t + 1;
        if (count <= 0) continue;
        const rows = Array.from({ length: count }, (_, j) => (b * S + j) * NKV + Math.floor((h * NKV) / NH));
        const row = (b * T + t) * NH + h;
        const [keys, values] = [k, v].map((all) => rows.map((one) => rowOf(all, one)));
        const [own, dy, y] = [q, inputs.dy, inputs.y].map((all) => rowOf(all, row));
        yield { q: own, dy, y, keys, values, rows, row, statistic: (b * NH + h) * T + t };
      }
}

function readAs(given: Inputs, { inputs = {} }: Keeps): Record<string, Tensor> {
  return Object.fromEntries(
    (Object.entries(given) as [string, Tensor][]).map(([name, { data, shape }]) => [
      name,
      { data: Float32Array.from(data, inputs[name] ?? asIs), shape },
    ]),
  );
}

function emptyAs({ shape, data }: Tensor): Tensor<Float32Array> {
  return { data: new Float32Array(data.length), shape };
}

function storedAs(results: Record<string, Tensor<Float32Array>>, keep: Reading = asIs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, shape }]) => [name, { data: data.map(keep), shape }]),
  );
}

/** Scores, their maximum, and weights e^(s − m) with their sum. */
function softmax({ q, keys }: Head, { steps = {}, sums, times }: Keeps) {
  const scale = fround(1 / Math.sqrt(q.length));
  const scores = keys.map((key) => (steps.S ?? asIs)(fround(dot(q, key, sums, times) * scale)));
  const m = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((s) => (steps.weights ?? asIs)(fround(Math.exp(fround(s - m)))));
  return { m, weights, l: sum(weights.length, (j) => weights[j], sums), scores };
}

export function forward(given: Inputs, keeps: Keeps): Record<string, Tensor> {
  const { steps = {}, sums, outputs, times = exactly } = keeps;
  const inputs = readAs(given, keeps);
  const y = emptyAs(inputs.q);
  const [B, T, NH, HS] = inputs.q.shape;
  const lse = { data: new Float32Array(B * NH * T).fill(-Infinity), shape: [B, NH, T] };
  for (const head of heads(inputs)) {
    const { m, weights, l } = softmax(head, keeps);
    const p = weights.map(steps.P ?? asIs);
    for (let i = 0; i < HS; i++) {
      y.data[head.row * HS + i] = sum(p.length, (j) => times(p[j], head.values[j][i]), sums) / l;
    }
    lse.data[head.statistic] = m + fround(Math.log(l));
  }
  return storedAs({ y, lse }, outputs);
}

export function backward(given: Inputs, keeps: Keeps): Record<string, Tensor> {
  const { steps = {}, sums = fround, outputs, times = exactly } = keeps;
  const inputs = readAs(given, keeps);
  const [dq, dk, dv] = [inputs.q, inputs.k, inputs.v].map(emptyAs);
  const HS = inputs.q.shape[3];
  const scale = fround(1 / Math.sqrt(HS));
  for (const head of heads(inputs)) {
    const { q, dy, y, keys, values, rows, row, statistic } = head;
    const lse = inputs.lse.data[statistic];
    const p = keys.map((key) =>
      fround(Math.exp(fround((steps.S ?? asIs)(fround(dot(q, key, sums, times) * scale)) - lse))),
    );
    const D = (steps.D ?? asIs)(dot(dy, y, sums));
    const dS = p.map((weight, j) => {
      const dP = (steps.dP ?? asIs)(dot(dy, values[j], sums, times));
      return (steps.dS ?? asIs)(fround((steps.P_dS ?? asIs)(weight) * fround(dP - D)));
    });
    for (let i = 0; i < HS; i++) {
      dq.data[row * HS + i] = fround(sum(keys.length, (j) => times(dS[j], keys[j][i]), sums) * scale);
      for (const [j, key] of rows.entries()) {
        const at = key * HS + i;
        dk.data[at] = sums(dk.data[at] + fround(times(fround(dS[j] * scale), q[i])));
        dv.data[at] = sums(dv.data[at] + fround(times((steps.P ?? asIs)(p[j]), dy[i])));
      }
    }
  }
  return storedAs({ dq, dk, dv }, outputs);
}
