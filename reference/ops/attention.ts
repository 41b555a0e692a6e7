// Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023), scale = 1 / √HS:
//
//   s[t, j] = scale · q[t] · k[j]   for keys j ≤ t + S − T   (queries align to the last keys)
//   lse[t]  = log Σ over j of e^s[t, j],   p[t, j] = e^(s[t, j] − lse[t]),   y[t] = Σ over j of p[t, j] · v[j]
//
// Backward (Dao et al. 2022, section 3.1), with D[t] = dy[t] · y[t]:
//   dv[j] = Σ over t of p[t, j] · dy[t],   ds[t, j] = p[t, j] · (dy[t] · v[j] − D[t])
//   dq[t] = scale · Σ over j of ds[t, j] · k[j],   dk[j] = scale · Σ over t of ds[t, j] · q[t]
//
// Query head h reads key/value head ⌊h · NKV / NH⌋; dk and dv collect from every query head of the group.
import { exp, log } from "../elementary.ts";
import { product } from "../product.ts";
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** How many keys query t may see: those up to its own position, counted from the end. */
export function visibleKeys(t: number, T: number, S: number): number {
  return Math.max(0, t + 1 + S - T);
}

/**
 * q: [B, T, NH, HS], k, v: [B, S, NKV, HS] → y: [B, T, NH, HS], lse: [B, NH, T].
 * A query that sees no key has y = 0 and lse = −∞. Throws RangeError unless NKV divides NH.
 */
export function forward<P extends Floats>(q: Tensor<P>, k: Tensor<P>, v: Tensor<P>): { y: Tensor<P>; lse: Tensor<P> } {
  const { B, T, NH, HS, S, NKV } = checkShapes({ q: [q, "B,T,NH,HS"], k: [k, "B,S,NKV,HS"], v: [v, "B,S,NKV,HS"] });
  checkGroups(NH, NKV);
  const scale = 1 / Math.sqrt(HS);
  const y = zeros(q);
  const lse = zeros(q, [B, NH, T]);
  const s = new Float64Array(S);
  const sums = new Float64Array(HS);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const group = Math.floor((h * NKV) / NH);
      const atHead = (b * S * NKV + group) * HS;
      const keys = { data: k.data, start: atHead, outer: NKV * HS, inner: 1 }; // [S, HS]
      const values = { data: v.data, start: atHead, outer: 1, inner: NKV * HS }; // [HS, S]
      for (let t = 0; t < T; t++) {
        const seen = visibleKeys(t, T, S);
        const atQuery = ((b * T + t) * NH + h) * HS;
        product(s, 1, seen, HS, { data: q.data, start: atQuery, outer: HS, inner: 1 }, keys);
        let max = -Infinity;
        for (let j = 0; j < seen; j++) {
          s[j] *= scale;
          max = Math.max(max, s[j]);
        }
        let total = 0;
        for (let j = 0; j < seen; j++) {
          s[j] = exp(s[j] - max);
          total += s[j];
        }
        product(sums, 1, HS, seen, { data: s, outer: S, inner: 1 }, values);
        if (seen > 0) for (let i = 0; i < HS; i++) y.data[atQuery + i] = sums[i] / total;
        lse.data[(b * NH + h) * T + t] = max + log(total); // −∞ where no key is seen
      }
    }
  }
  return { y, lse };
}

/** dy, q, y: [B, T, NH, HS], k, v: [B, S, NKV, HS], lse: [B, NH, T] → dq like q, dk and dv like k. */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  q: Tensor<P>,
  k: Tensor<P>,
  v: Tensor<P>,
  y: Tensor<P>,
  lse: Tensor<P>,
): { dq: Tensor<P>; dk: Tensor<P>; dv: Tensor<P> } {
  const { B, T, NH, HS, S, NKV } = checkShapes({
    dy: [dy, "B,T,NH,HS"],
    q: [q, "B,T,NH,HS"],
    k: [k, "B,S,NKV,HS"],
    v: [v, "B,S,NKV,HS"],
    y: [y, "B,T,NH,HS"],
    lse: [lse, "B,NH,T"],
  });
  checkGroups(NH, NKV);
  const scale = 1 / Math.sqrt(HS);
  const dqSums = new Float64Array(q.data.length);
  const dkSums = new Float64Array(k.data.length);
  const dvSums = new Float64Array(v.data.length);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const group = Math.floor((h * NKV) / NH);
      for (let t = 0; t < T; t++) {
        const atQuery = ((b * T + t) * NH + h) * HS;
        const D = dot(dy.data, atQuery, y.data, atQuery, HS);
        for (let j = 0; j < visibleKeys(t, T, S); j++) {
          const atKey = ((b * S + j) * NKV + group) * HS;
          const p = exp(scale * dot(q.data, atQuery, k.data, atKey, HS) - lse.data[(b * NH + h) * T + t]);
          const ds = p * (dot(dy.data, atQuery, v.data, atKey, HS) - D);
          for (let i = 0; i < HS; i++) {
            dqSums[atQuery + i] += scale * ds * k.data[atKey + i];
            dkSums[atKey + i] += scale * ds * q.data[atQuery + i];
            dvSums[atKey + i] += p * dy.data[atQuery + i];
          }
        }
      }
    }
  }
  const dq = zeros(q);
  const dk = zeros(k);
  const dv = zeros(v);
  dq.data.set(dqSums);
  dk.data.set(dkSums);
  dv.data.set(dvSums);
  return { dq, dk, dv };
}

/** Σ a[atA + i] · b[atB + i]. */
export function dot(a: Floats, atA: number, b: Floats, atB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[atA + i] * b[atB + i];
  return sum;
}

/** Throws RangeError unless NKV divides NH. */
export function checkGroups(NH: number, NKV: number): void {
  if (!(NKV > 0 && NH % NKV === 0) && NH !== 0) {
    throw new RangeError(`${NH} query heads cannot share ${NKV} key/value heads: NH must be a multiple of NKV`);
  }
}
