// Causal attention that never holds the matrix of scores (Rabe & Staats 2021; Dao et al. 2022): the op of attention.ts,
// by tiles of queries and keys. A query's softmax carries two numbers and a vector from tile to tile:
//
//   m' = max(m, max s[j]),   l' = l · e^(m − m') + Σ e^(s[j] − m'),   o' = o · e^(m − m') + Σ e^(s[j] − m') · v[j]
//   and after the last tile   y = o / l,   lse = m + log l.
//
// Backward: only lse is kept of the softmax, so a tile's weights are computed again, p[t, j] = e^(s[t, j] − lse[t]).
// dk and dv are complete when their tile of keys has met every query; dq grows from tile to tile.
//
// A tile whose keys are masked for all of its queries is never visited, and on the diagonal no masked score is computed:
// with T = S there are exactly T(T + 1) / 2 scores for each sequence and head.
import { exp, log } from "../elementary.ts";
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";
import { checkGroups, dot, visibleKeys } from "./attention.ts";

/** How many queries and keys are in a tile, each at least 1. */
export interface Tile {
  readonly queries: number;
  readonly keys: number;
}

/** The cost of a call. */
export interface Cost {
  /** Tiles visited. */
  readonly tiles: number;
  /** Products q · k. */
  readonly scores: number;
  /** Bytes held at once in addition to the arguments: results, running sums and one tile. */
  readonly bytes: number;
}

const TILE: Tile = { queries: 16, keys: 16 };

/** q: [B, T, NH, HS], k, v: [B, S, NKV, HS] → y: [B, T, NH, HS], lse: [B, NH, T]. Throws RangeError as attention does. */
export function forward<P extends Floats>(
  q: Tensor<P>,
  k: Tensor<P>,
  v: Tensor<P>,
  tile: Tile = TILE,
): { y: Tensor<P>; lse: Tensor<P>; cost: Cost } {
  const { B, T, NH, HS, S, NKV } = checkShapes({ q: [q, "B,T,NH,HS"], k: [k, "B,S,NKV,HS"], v: [v, "B,S,NKV,HS"] });
  checkGroups(NH, NKV);
  checkTile(tile);
  const scale = 1 / Math.sqrt(HS);
  const y = zeros(q);
  const lse = zeros(q, [B, NH, T]);
  const rows = Math.min(tile.queries, T);
  const m = new Float64Array(rows);
  const l = new Float64Array(rows);
  const o = new Float64Array(rows * HS);
  const s = new Float64Array(Math.min(tile.keys, S)); // one row of a tile's scores
  let tiles = 0;
  let scores = 0;

  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const group = Math.floor((h * NKV) / NH);
      for (let first = 0; first < T; first += tile.queries) {
        const end = Math.min(first + tile.queries, T);
        m.fill(-Infinity);
        l.fill(0);
        o.fill(0);
        for (let from = 0; from < visibleKeys(end - 1, T, S); from += tile.keys) {
          tiles++;
          for (let t = first; t < end; t++) {
            const to = Math.min(from + tile.keys, visibleKeys(t, T, S));
            if (to <= from) continue; // above the diagonal
            const row = t - first;
            const atQuery = ((b * T + t) * NH + h) * HS;
            let max = m[row];
            for (let j = from; j < to; j++) {
              s[j - from] = scale * dot(q.data, atQuery, k.data, ((b * S + j) * NKV + group) * HS, HS);
              max = Math.max(max, s[j - from]);
            }
            scores += to - from;
            if (max === -Infinity) continue; // every score so far is −∞ and weighs nothing next to a finite one
            const shrunk = exp(m[row] - max); // 0 at the first tile, where m is −∞
            m[row] = max;
            l[row] *= shrunk;
            for (let i = 0; i < HS; i++) o[row * HS + i] *= shrunk;
            for (let j = from; j < to; j++) {
              const e = exp(s[j - from] - max);
              const atKey = ((b * S + j) * NKV + group) * HS;
              l[row] += e;
              for (let i = 0; i < HS; i++) o[row * HS + i] += e * v.data[atKey + i];
            }
          }
        }
        for (let t = first; t < end; t++) {
          const row = t - first;
          const atQuery = ((b * T + t) * NH + h) * HS;
          const seesKeys = visibleKeys(t, T, S) > 0;
          if (seesKeys) for (let i = 0; i < HS; i++) y.data[atQuery + i] = o[row * HS + i] / l[row];
          lse.data[(b * NH + h) * T + t] = m[row] + log(l[row]); // −∞ where no key is seen
        }
      }
    }
  }
  return { y, lse, cost: { tiles, scores, bytes: bytesOf(y.data, lse.data, m, l, o, s) } };
}

/** dy, q, y: [B, T, NH, HS], k, v: [B, S, NKV, HS], lse: [B, NH, T] → dq like q, dk and dv like k. */
export function backward<P extends Floats>(
  dy: Tensor<P>,
  q: Tensor<P>,
  k: Tensor<P>,
  v: Tensor<P>,
  y: Tensor<P>,
  lse: Tensor<P>,
  tile: Tile = TILE,
): { dq: Tensor<P>; dk: Tensor<P>; dv: Tensor<P>; cost: Cost } {
  const { B, T, NH, HS, S, NKV } = checkShapes({
    dy: [dy, "B,T,NH,HS"],
    q: [q, "B,T,NH,HS"],
    k: [k, "B,S,NKV,HS"],
    v: [v, "B,S,NKV,HS"],
    y: [y, "B,T,NH,HS"],
    lse: [lse, "B,NH,T"],
  });
  checkGroups(NH, NKV);
  checkTile(tile);
  const scale = 1 / Math.sqrt(HS);
  const dq = zeros(q);
  const dk = zeros(k);
  const dv = zeros(v);
  const columns = Math.min(tile.keys, S);
  const D = new Float64Array(NH * T); // for one sequence
  const dqSums = new Float64Array(T * NH * HS);
  const dkSums = new Float64Array(columns * HS); // for one tile of keys
  const dvSums = new Float64Array(columns * HS);
  let tiles = 0;
  let scores = 0;

  for (let b = 0; b < B; b++) {
    dqSums.fill(0);
    for (let t = 0; t < T; t++) {
      for (let h = 0; h < NH; h++) {
        const atQuery = ((b * T + t) * NH + h) * HS;
        D[h * T + t] = dot(dy.data, atQuery, y.data, atQuery, HS);
      }
    }
    for (let group = 0; group < NKV; group++) {
      for (let from = 0; from < S; from += tile.keys) {
        dkSums.fill(0);
        dvSums.fill(0);
        for (let h = (group * NH) / NKV; h < ((group + 1) * NH) / NKV; h++) {
          for (let first = 0; first < T; first += tile.queries) {
            const end = Math.min(first + tile.queries, T);
            if (visibleKeys(end - 1, T, S) <= from) continue; // the whole tile is masked
            tiles++;
            for (let t = first; t < end; t++) {
              const to = Math.min(from + tile.keys, visibleKeys(t, T, S));
              const atQuery = ((b * T + t) * NH + h) * HS;
              for (let j = from; j < to; j++) {
                const atKey = ((b * S + j) * NKV + group) * HS;
                const p = exp(scale * dot(q.data, atQuery, k.data, atKey, HS) - lse.data[(b * NH + h) * T + t]);
                const ds = p * (dot(dy.data, atQuery, v.data, atKey, HS) - D[h * T + t]);
                for (let i = 0; i < HS; i++) {
                  dqSums[(t * NH + h) * HS + i] += scale * ds * k.data[atKey + i];
                  dkSums[(j - from) * HS + i] += scale * ds * q.data[atQuery + i];
                  dvSums[(j - from) * HS + i] += p * dy.data[atQuery + i];
                }
              }
              scores += Math.max(0, to - from);
            }
          }
        }
        for (let j = from; j < Math.min(from + tile.keys, S); j++) {
          const atKey = ((b * S + j) * NKV + group) * HS;
          for (let i = 0; i < HS; i++) {
            dk.data[atKey + i] = dkSums[(j - from) * HS + i];
            dv.data[atKey + i] = dvSums[(j - from) * HS + i];
          }
        }
      }
    }
    dq.data.set(dqSums, b * T * NH * HS);
  }
  const bytes = bytesOf(dq.data, dk.data, dv.data, D, dqSums, dkSums, dvSums);
  return { dq, dk, dv, cost: { tiles, scores, bytes } };
}

function bytesOf(...arrays: readonly Floats[]): number {
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function checkTile({ queries, keys }: Tile): void {
  for (const [name, length] of Object.entries({ queries, keys })) {
    if (!(Number.isSafeInteger(length) && length > 0)) {
      throw new RangeError(`tile: ${name} is ${length}, expected a positive integer`);
    }
  }
}
