// Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023), tile by tile (Dao et al. 2022): the
// matrix of scores is never stored.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const DIMS = 4; // as in both files
const overrides = { ROWS: 4, TILE: 16 };
const queries = "B,T,NH,HS";
const keys = "B,S,NKV,HS";
const statistics = "B,NH,T";
const file = wgsl("attention.backward");

/** One workgroup for each tile of ROWS × (TILE · DIMS) elements of `vectors` vectors of length HS, `times` over. */
function tiles(times: number, vectors: number, HS: number, ROWS: number, TILE: number): [number, number] {
  return spread(times * Math.ceil(vectors / ROWS) * Math.ceil(HS / (TILE * DIMS)));
}

/** q: [B, T, NH, HS], k, v: [B, S, NKV, HS] → y: [B, T, NH, HS], lse: [B, NH, T]. */
export const forward = defineKernel({
  ...wgsl("attention.forward"),
  inputs: { q: queries, k: keys, v: keys },
  outputs: { y: queries, lse: statistics },
  wide: ["lse"],
  overrides,
  // Even vectors of no elements have an lse.
  workgroups: ({ B, T, NH, HS, ROWS, TILE }) => tiles(B * NH, T, Math.max(1, HS), ROWS, TILE),
});

const rowSums = defineKernel({
  ...file,
  entry: "rowSums",
  inputs: { dy: queries, y: queries },
  outputs: { D: statistics },
  wide: ["D"],
  scalars: ["S", "NKV"],
  overrides,
  workgroups: ({ B, T, NH, ROWS, TILE }) => spread(Math.ceil((B * T * NH) / (ROWS * TILE))),
});

const gradientOfQ = defineKernel({
  ...file,
  entry: "gradientOfQ",
  inputs: { dy: queries, q: queries, k: keys, v: keys, lse: statistics, D: statistics },
  outputs: { dq: queries },
  overrides,
  workgroups: ({ B, T, NH, HS, ROWS, TILE }) => tiles(B * NH, T, HS, ROWS, TILE),
});

const gradientOfKV = defineKernel({
  ...file,
  entry: "gradientOfKV",
  inputs: { dy: queries, q: queries, k: keys, v: keys, lse: statistics, D: statistics },
  outputs: { dk: keys, dv: keys },
  overrides,
  workgroups: ({ B, S, NKV, HS, ROWS, TILE }) => tiles(B * NKV, S, HS, ROWS, TILE),
});

/** dy, q, y: [B, T, NH, HS], k, v: [B, S, NKV, HS], lse: [B, NH, T] → dq like q, dk and dv like k. */
export const backward = defineProgram({
  id: "attention.backward",
  inputs: { dy: queries, q: queries, k: keys, v: keys, y: queries, lse: statistics },
  outputs: { dq: queries, dk: keys, dv: keys },
  record(run, { dy, q, k, v, y, lse }) {
    const [, S, NKV] = k.shape as [number, number, number];
    const { D } = run.dispatch(rowSums, { dy, y }, { S, NKV });
    const { dq } = run.dispatch(gradientOfQ, { dy, q, k, v, lse, D });
    const { dk, dv } = run.dispatch(gradientOfKV, { dy, q, k, v, lse, D });
    return { dq, dk, dv };
  },
});
