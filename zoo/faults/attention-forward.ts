// The forward of attention, right until a step is replaced: a query at a time, in float32.
import type { Kernel } from "./fault.ts";
import { dot, empty, exp, f32, floats, log, sum } from "./kernel.ts";

type Row = Float32Array;

/** The places of a query and a key, and the lengths. */
export interface Place {
  readonly T: number;
  readonly S: number;
  readonly NH: number;
  readonly NKV: number;
  readonly HS: number;
}

/** The scores of the keys that a query sees, and their values. */
export interface Seen {
  readonly scores: Row;
  readonly value: (i: number) => Row;
}

export const right = {
  sees: (s: number, t: number, { T, S }: Place): boolean => s <= t + S - T,
  keyHead: (h: number, { NH, NKV }: Place): number => Math.floor((h * NKV) / NH),
  /** The head, and the key, that are read in place of those asked for. */
  queryHead: (h: number, _t: number): number => h,
  keyAt: (s: number): number => s,
  scale: (HS: number): number => f32(1 / Math.sqrt(HS)),
  score: (product: number, scale: number): number => f32(product * scale),
  max: (m: number): number => m,
  exp,
  /** The weight as it is multiplied by the value. */
  weight: (p: number): number => p,
  /** Σ p · v, and nothing divided yet. */
  weigh: (p: Row, value: Seen["value"], HS: number): Row => {
    const o = new Float32Array(HS);
    for (const [i, share] of p.entries()) {
      const v = value(i);
      for (let d = 0; d < HS; d++) o[d] += f32(share * v[d]);
    }
    return o;
  },
};
export type Steps = typeof right;

/** Output and log-sum-exp of one query. */
export type Attend = (seen: Seen, HS: number) => { readonly o: Row; readonly lse: number };

/** All keys at once. */
export const atOnce =
  ({ max, exp: e, weight, weigh }: Steps): Attend =>
  ({ scores, value }, HS) => {
    const m = max(scores.reduce((a, b) => Math.max(a, b), -Infinity));
    const p = scores.map((s) => e(f32(s - m)));
    const l = sum(p.length, (i) => p[i]);
    return { o: weigh(p.map(weight), value, HS).map((x) => x / l), lse: f32(m + log(l)) };
  };

/** y = Σ p v, p = softmax over the keys that are seen; lse is their log-sum-exp. A query that sees nothing gives 0 and −∞. */
export function forward(replaced: Partial<Steps> = {}, attend: Attend = atOnce({ ...right, ...replaced })): Kernel {
  const step = { ...right, ...replaced };
  return (inputs) => {
    const { q, k, v } = floats(inputs);
    const [B, T, NH, HS] = q.shape;
    const [, S, NKV] = k.shape;
    const place = { T, S, NH, NKV, HS };
    const [y, lse] = [empty(q.shape), empty([B, NH, T], -Infinity)];
    const scale = step.scale(HS);
    const scores = new Float32Array(S);
    const keys = new Int32Array(S);
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < NH; h++) {
        const g = step.keyHead(h, place);
        for (let t = 0; t < T; t++) {
          const at = ((b * T + t) * NH + step.queryHead(h, t)) * HS;
          const query = q.data.subarray(at, at + HS);
          let n = 0;
          for (let s = 0; s < S; s++) {
            if (!step.sees(s, t, place)) continue;
            const from = ((b * S + step.keyAt(s)) * NKV + g) * HS;
            scores[n] = step.score(dot(query, k.data.subarray(from, from + HS)), scale);
            keys[n++] = s;
          }
          if (n === 0) continue;
          const value = (i: number): Row =>
            v.data.subarray(((b * S + keys[i]) * NKV + g) * HS, ((b * S + keys[i]) * NKV + g + 1) * HS);
          const { o, lse: l } = attend({ scores: scores.subarray(0, n), value }, HS);
          y.data.set(o, ((b * T + t) * NH + h) * HS);
          lse.data[(b * NH + h) * T + t] = l;
        }
      }
    }
    return { y, lse };
  };
}
