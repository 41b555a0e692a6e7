// How far a correct attention may land.
//
// The rows list the forms that are covered. Where sums are rescaled to a new maximum, each e⁰ may err; lse is computed in base
// e or 2; dk and dv are summed over queries and heads in any order, with any partial sums.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { gamma } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Tensor } from "../tensor.ts";
import { numbers, AttentionWeights } from "./attention.weights.bound.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
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
  "maximum-first": "the maximum of all scores first",
  "running-by-key": "a running maximum, rescaled at every key",
  "running-by-tile": "a running maximum, rescaled at every tile",
  "by-quotient": "normalised at the end by a quotient",
  "by-reciprocal": "normalised by the reciprocal of the sum",
} as const;

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
  covered: {
    ...weightsCovered,
    "parts-merged": "parts with a maximum of their own that are merged, at most S times",
    "masked-keys-rescale": "masked keys of weight 0 that rescale as well",
    "each-weight": "each weight normalised",
    "by-lse": "weights as e^(s − lse), also from scores computed anew",
  },
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
    P: "the weights, e^(s − lse)",
    dP: "dy · v",
    dS: "P · (dP − D), without the scale",
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
  exact: none("exponentials"),
  wide: ["lse"],
  evaluate: ({ dy, q, k, v, y, lse }) => attention.backward(dy, q, k, v, y, lse),
  bound: backwardBound,
});

/** q: [B, T, NH, HS], k, v: [B, S, NKV, HS] → allowances for y: [B, T, NH, HS] and lse: [B, NH, T]. */
function forwardBound(
  { q, k, v }: Reals<"q" | "k" | "v">,
  _: object,
  target: Target,
  errors: Errors<"q" | "k" | "v"> = {},
): Allowances<"y" | "lse"> {
  const { B, T, NH, HS, S, NKV } = checkShapes({ q: [q, "B,T,NH,HS"], k: [k, "B,S,NKV,HS"], v: [v, "B,S,NKV,HS"] });
  const weights = new AttentionWeights(target, numbers(q, errors.q), numbers(k, errors.k), S, HS);
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
  { dy, q, k, v, y, lse }: Reals<"dy" | "q" | "k" | "v" | "y" | "lse">,
  _: object,
  target: Target,
  errors: Errors<"dy" | "q" | "k" | "v" | "y" | "lse"> = {},
): Allowances<"dq" | "dk" | "dv"> {
  const { B, T, NH, HS, S, NKV } = checkShapes({
    dy: [dy, "B,T,NH,HS"],
    q: [q, "B,T,NH,HS"],
    k: [k, "B,S,NKV,HS"],
    v: [v, "B,S,NKV,HS"],
    y: [y, "B,T,NH,HS"],
    lse: [lse, "B,NH,T"],
  });
  const weights = new AttentionWeights(target, numbers(q, errors.q), numbers(k, errors.k), S, HS);
  const { a } = weights;
  const gradients = numbers(dy, errors.dy);
  const values = numbers(v, errors.v);
  const qs = weights.factor(numbers(q, errors.q));
  const ks = weights.factor(numbers(k, errors.k));
  const yAt = reader(y, errors.y);
  const lseAt = reader(lse, errors.lse);
  const dq = allowances(q.shape);
  const dk = allowances(k.shape);
  const dv = allowances(v.shape);
  const heads = NKV === 0 ? 0 : NH / NKV; // of a group
  const stride = NKV * HS; // from a key to the next
  const p = { data: new Float64Array(heads * T * S), error: new Float64Array(heads * T * S) }; // of a group
  const ds = { data: new Float64Array(heads * T * S), error: new Float64Array(heads * T * S) }; // times the scale
  for (let b = 0; b < B; b++) {
    for (let group = 0; group < NKV; group++) {
      const firstKey = (b * S * NKV + group) * HS;
      for (let head = 0; head < heads; head++) {
        for (let t = 0; t < T; t++) {
          const keys = attention.visibleKeys(t, T, S);
          if (keys === 0) continue; // dq is 0, exactly
          const query = ((b * T + t) * NH + group * heads + head) * HS;
          const at = (head * T + t) * S;
          const saved = lseAt((b * NH + group * heads + head) * T + t);
          weights.read(query, firstKey, stride, keys);

          // P, dP = dy · v, and D as Σ dy · y or as Σ P · dP.
          const products = a.sum();
          for (let j = 0; j < keys; j++) {
            const weight = weights.fromSaved(j, saved);
            const dP = a.store("dP", dot(gradients, query, values, firstKey + j * stride));
            products.addProduct(weight.value, dP.value, weight.error, dP.error);
            [p.data[at + j], p.error[at + j]] = [weight.value, weight.error];
            [ds.data[at + j], ds.error[at + j]] = [dP.value, dP.error];
          }
          const sum = a.sum();
          for (let i = 0; i < HS; i++) {
            const either = a.either(yAt(query + i), weights.average(values, firstKey + i, stride));
            sum.addProduct(dy.data[query + i], either.value, gradients.error[query + i], either.error);
          }
          const D = a.either(sum.total(), products.total());

          // dS = P · (dP − D), where −D may have passed through all additions of dP; then the scale, which P may be
          // multiplied by first.
          const additions = gamma(HS, a.u) * (Math.abs(D.value) + D.error);
          for (let j = at; j < at + keys; j++) {
            const slope = a.rounded(ds.data[j] - D.value, ds.error[j] + D.error + additions);
            const weight = { value: p.data[j], error: p.error[j] };
            const dS = a.store("dS", a.multiply(weight, slope));
            const scaled = a.either(
              weights.timesScale(dS),
              a.multiply(weights.timesScale(weight), slope),
              a.multiply(weight, weights.timesScale(slope)),
            );
            [ds.data[j], ds.error[j]] = [scaled.value, scaled.error];
          }
          for (let i = 0; i < HS; i++) {
            const total = a.sum();
            for (let j = 0; j < keys; j++) {
              const key = firstKey + j * stride + i;
              total.addProduct(ds.data[at + j], ks.data[key], ds.error[at + j], ks.error[key]);
            }
            dq.data[query + i] = weights.scaled(total.total(), total.magnitude).error;
          }
        }
      }
      for (let j = 0; j < S; j++) {
        for (let i = 0; i < HS; i++) {
          const sumK = a.sum();
          const sumV = a.sum();
          for (let head = 0; head < heads; head++) {
            for (let t = Math.max(0, j + T - S); t < T; t++) {
              const at = (head * T + t) * S + j;
              const query = ((b * T + t) * NH + group * heads + head) * HS + i;
              sumK.addProduct(ds.data[at], qs.data[query], ds.error[at], qs.error[query]);
              sumV.addProduct(p.data[at], gradients.data[query], p.error[at], gradients.error[query]);
            }
          }
          const key = firstKey + j * stride + i;
          dk.data[key] = weights.scaled(sumK.total(), sumK.magnitude).error;
          dv.data[key] = sumV.total().error;
        }
      }
    }
  }
  return { dq, dk, dv };

  function dot(x: { data: Tensor["data"]; error: Tensor["data"] }, atX: number, z: typeof x, atZ: number) {
    const sum = a.sum();
    for (let i = 0; i < HS; i++) sum.addProduct(x.data[atX + i], z.data[atZ + i], x.error[atX + i], z.error[atZ + i]);
    return sum.total();
  }
}
