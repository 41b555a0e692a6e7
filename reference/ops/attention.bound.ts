// How far a correct attention may land.
//
// The rows list the forms that are covered. Where sums are rescaled to a new maximum, each e⁰ may err; lse is computed in base
// e or 2. Not covered: a factor that rescales as 2^fma(m, log2 e, −m' · log2 e), which loses u · |m'| every time, even where m' = m
// (softmax.row.bound.ts). Nor is a running maximum that lags, since it is only raised when scores exceed it by some threshold (FlashAttention 4: 8 in base 2): its
// terms exceed 1, and lse = m + log l cancels where lse is near 0. Scores of two numbers that are chosen for it bring lse up to its bound; drawn ones stay at a quarter. dk and dv are summed over queries and heads in any order, with any partial sums.
import { type Allowances, allowances, type Errors, numbers, type Reals } from "../bounds.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { AttentionSlopes, type GradientInput, note } from "./attention.slopes.bound.ts";
import { AttentionWeights } from "./attention.weights.bound.ts";
import { formats } from "../dtype.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import { uncoveredFactor } from "./softmax.row.bound.ts";
import * as attention from "./attention.ts";

/** Covered wherever scores and their softmax are computed: in the forward, and again in the backward. */
const weightsCovered = {
  "scale-in-q": "the scale in q",
  "scale-in-k": "the scale in k",
  "scale-in-scores": "the scale in the scores",
  "scale-in-exponent": "the scale in the exponent",
  "scale-as-division": "a division by √HS",
  "scale-constant": "1 / √HS as a constant",
  "scale-by-inverse-sqrt": "1 / √HS by inverseSqrt",
  "scale-by-root": "1 / √HS as the reciprocal of a root",
  "base-e": "e^x",
  "base-2": "2^(x · log2 e)",
  "base-2-in-scale": "2^x with log2 e in the scale",
  "base-2-fused": "2^(q · k · scale · log2 e − maximum · scale · log2 e), fused or not",
  "maximum-first": "the maximum of all scores first",
  "running-by-key": "a running maximum, rescaled at every key by a difference of two maxima",
  "running-by-tile": "a running maximum, rescaled at every tile by a difference of two maxima",
  "by-quotient": "normalised at the end by a quotient",
  "by-reciprocal": "normalised by the reciprocal of the sum",
} as const;

const uncovered = {
  ...uncoveredFactor,
  "a running maximum that lags, raised beyond a threshold alone (FlashAttention 4)":
    "terms exceed 1, and lse = m + log l cancels where lse is near 0: on scores chosen for it up to twice the bound, on drawn ones a quarter",
  "parts in base 2 that are merged by their lse in base e":
    "the factor e^(lse − lse') errs by the rounding of both logarithms: up to 1.04 times the bound on scores chosen for it",
};

export const forward = defineOp({
  name: "attention.forward",
  summary: "s = q · k / √HS for keys up to the query's own position,  lse = log Σ e^s,  y = Σ e^(s − lse) · v",
  inputs: { q: "B,T,NH,HS", k: "B,S,NKV,HS", v: "B,S,NKV,HS" },
  integers: [],
  scalars: {},
  outputs: { y: "B,T,NH,HS", lse: "B,NH,T" },
  stores: {
    S: "the scores, without the scale, with it, or both",
    P: "the weights, e^(s − maximum) or e^(s − lse)",
  },
  sums: {
    scores: { of: "q · k", over: ["HS"] },
    weights: { of: "e^(s − maximum)", over: ["S"] },
    y: { of: "P · v", over: ["S"] },
  },
  covered: {
    ...weightsCovered,
    "parts-merged": "parts with a maximum of their own that are merged, at most S times",
    "masked-keys-rescale": "masked keys of weight 0 that rescale as well",
    "each-weight": "each weight normalised",
    "by-lse": "weights as e^(s − lse), also from scores computed anew",
  },
  uncovered,
  exact: none("exponentials"),
  wide: ["lse"],
  evaluate: ({ q, k, v }) => attention.forward(q, k, v),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "attention.backward",
  summary: "dv = Pᵀ · dy,  dS = P · (dy · vᵀ − D),  dq = dS · k / √HS,  dk = dSᵀ · q / √HS,  D = Σ dy · y",
  inputs: {
    dy: "B,T,NH,HS",
    q: "B,T,NH,HS",
    k: "B,S,NKV,HS",
    v: "B,S,NKV,HS",
    y: "B,T,NH,HS",
    lse: "B,NH,T",
  },
  integers: [],
  scalars: {},
  outputs: { dq: "B,T,NH,HS", dk: "B,S,NKV,HS", dv: "B,S,NKV,HS" },
  stores: {
    S: "the scores, without the scale, with it, or both",
    P: "the weights, e^(s − lse), as a factor of dv",
    P_dS: "the weights as a factor of dS",
    P_D: "the weights in D = Σ P · dP, which is then not Σ dy · y",
    dP: "dy · v",
    dS: "P · (dP − D), without the scale",
    dS_scaled: "P · (dP − D) times the scale",
  },
  sums: {
    scores: { of: "q · k", over: ["HS"] },
    weights: { of: "e^(s − maximum)", over: ["S"] },
    y: { of: "P · v", over: ["S"] },
    dP: { of: "dy · v", over: ["HS"] },
    D: { of: "dy · y", over: ["HS", "S"] },
    dq: { of: "dS · k", over: ["S"] },
    dk: { of: "dS · q", over: ["T·NH/NKV"] },
    dv: { of: "P · dy", over: ["T·NH/NKV"] },
  },
  covered: {
    ...weightsCovered,
    "p-from-saved-lse": "p from the saved lse",
    "p-from-lse-anew": "p from an lse computed anew",
    "p-from-sum": "p from maximum and sum",
    "D-from-saved-y": "D as Σ dy · y, y saved",
    "D-from-y-anew": "D as Σ dy · y, y computed anew",
    "D-from-weights": "D as Σ P · dP",
    "D-in-dP": "−D as one more term of dP",
    "scale-in-p": "the scale in P",
    "scale-in-dS": "the scale in dS",
    "scale-at-the-end": "the scale at the end of the sums of dq and dk",
    "scale-in-factor": "the scale in the other factor, q or k",
    "scale-in-factor-base-2": "the scale times log2 e in the other factor, taken back by ln 2",
  },
  uncovered: {
    ...uncovered,
    "a dP stored in float16 at masked keys too, times their weight of 0":
      "beyond 65,504 it is infinite, and 0 · ∞ is NaN in D and dS of a query that does not see the key",
  },
  exact: none("exponentials"),
  wide: ["lse"],
  evaluate: ({ dy, q, k, v, y, lse }) => attention.backward(dy, q, k, v, y, lse),
  bound: backwardBound,
});

/**
 * q: [B, T, NH, HS], k, v: [B, S, NKV, HS] → allowances for y: [B, T, NH, HS] and lse: [B, NH, T]. `all`: the keys that a kernel
 * may pass over, masked ones included, where those given are a part of them.
 */
export function forwardBound(
  { q, k, v }: Reals<"q" | "k" | "v">,
  _: object,
  target: Target,
  errors: Errors<"q" | "k" | "v"> = {},
  all = k.shape[1],
): Allowances<"y" | "lse"> {
  const { B, T, NH, HS, S, NKV } = checkShapes({ q: [q, "B,T,NH,HS"], k: [k, "B,S,NKV,HS"], v: [v, "B,S,NKV,HS"] });
  const format = target.stores?.P === undefined ? undefined : formats[target.stores.P];
  const weights = new AttentionWeights(target, numbers(q, errors.q), numbers(k, errors.k), all, HS, format);
  const values = numbers(v, errors.v);
  const y = allowances(q.shape);
  const lse = allowances([B, NH, T]);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const firstKey = (b * S * NKV + Math.floor((h * NKV) / NH)) * HS;
      for (let t = 0; t < T; t++) {
        const keys = attention.visibleKeys(t, T, S);
        if (keys === 0) continue; // y is 0, exactly
        const query = ((b * T + t) * NH + h) * HS;
        weights.read(query, firstKey, NKV * HS, keys);
        for (let i = 0; i < HS; i++) y.data[query + i] = weights.average(values, firstKey + i, NKV * HS).error;
        lse.data[(b * NH + h) * T + t] = weights.lse.error;
      }
    }
  }
  return { y, lse };
}

/** dy, q, y: [B, T, NH, HS], k, v: [B, S, NKV, HS], lse: [B, NH, T] → allowances for dq like q, dk and dv like k. */
function backwardBound(
  inputs: Reals<GradientInput>,
  _: object,
  target: Target,
  errors: Errors<GradientInput> = {},
): Allowances<"dq" | "dk" | "dv"> {
  const slopes = new AttentionSlopes(inputs, target, errors);
  const { a, dy, qs, weights } = slopes;
  const { B, T, NH, HS, S, NKV } = slopes.shape;
  const dq = slopes.allowances(inputs.q.shape);
  const dk = slopes.allowances(inputs.k.shape);
  const dv = slopes.allowances(inputs.v.shape);
  const heads = NKV === 0 ? 0 : NH / NKV; // of a group
  const p = { data: new Float64Array(heads * T * S), error: new Float64Array(heads * T * S) }; // of a group
  const ds = { data: new Float64Array(heads * T * S), error: new Float64Array(heads * T * S) }; // times the scale
  for (let b = 0; b < B; b++) {
    for (let group = 0; group < NKV; group++) {
      for (let head = 0; head < heads; head++) {
        const h = group * heads + head;
        for (let t = 0; t < T; t++) {
          const keys = slopes.read(b, h, t);
          if (keys === 0) continue; // dq is 0, exactly
          const [query, at] = [slopes.query(b, h, t), (head * T + t) * S];
          for (const [all, own] of [
            [p, slopes.p],
            [ds, slopes.ds],
          ]) {
            all.data.set(own.data.subarray(0, keys), at);
            all.error.set(own.error.subarray(0, keys), at);
          }
          for (let i = 0; i < HS; i++) note(dq, query + i, slopes.ofQuery(b, h, keys, i));
        }
      }
      const firstKey = slopes.firstKey(b, group);
      for (let j = 0; j < S; j++) {
        for (let i = 0; i < HS; i++) {
          const sumK = a.sum(heads * T, "dk");
          const sumV = a.sum(heads * T, "dv");
          for (let head = 0; head < heads; head++) {
            for (let t = Math.max(0, j + T - S); t < T; t++) {
              const at = (head * T + t) * S + j;
              const query = slopes.query(b, group * heads + head, t) + i;
              sumK.addProduct(ds.data[at], qs.data[query], ds.error[at], qs.error[query]);
              sumV.addProduct(p.data[at], dy.data[query], p.error[at], dy.error[query]);
            }
          }
          const key = firstKey + j * NKV * HS + i;
          note(dk, key, weights.scaled(sumK.total(), sumK.magnitude));
          note(dv, key, sumV.total());
        }
      }
    }
  }
  return { dq, dk, dv };
}

/** The same for one query of one head; `all` as for the forward. */
export function queryGradientBound(
  inputs: Reals<GradientInput>,
  target: Target,
  errors: Errors<GradientInput>,
  all: number,
): Allowances<"dq"> {
  const slopes = new AttentionSlopes(inputs, target, errors, all);
  const keys = slopes.read(0, 0, 0);
  const dq = slopes.allowances(inputs.q.shape);
  if (keys > 0) for (let i = 0; i < dq.data.length; i++) note(dq, i, slopes.ofQuery(0, 0, keys, i));
  return { dq };
}
