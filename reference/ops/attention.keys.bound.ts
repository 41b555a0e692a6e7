// How far dk and dv of a few keys may lie off, where a whole backward of attention would cost too much.
import { type Allowance, type Allowances, type Errors, type Numbers, type Reals } from "../bounds.ts";
import type { Approx } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { AttentionSlopes, type GradientInput, note } from "./attention.slopes.bound.ts";

type KeyAllowances = Allowances<"dk" | "dv">;

/** P and dS times the scale of one key, for each query; 0 without an error where a query does not see it. */
interface Column {
  readonly p: Numbers;
  readonly ds: Numbers;
  readonly isSeen: Uint8Array;
}

/**
 * The allowances of attention.backward for some keys of one group: dy, q, y: [1, T, heads, HS], k, v: [1, S, 1, HS],
 * lse: [1, heads, T] → dk and dv: [keys, HS].
 */
export function keyGradientBound(
  inputs: Reals<GradientInput>,
  keys: readonly number[],
  target: Target,
  errors: Errors<GradientInput>,
): KeyAllowances {
  const slopes = new AttentionSlopes(inputs, target, errors);
  const { p, ds } = slopes;
  const { T, NH } = slopes.shape;
  const columns = keys.map(() => columnOf(NH * T));
  for (let h = 0; h < NH; h++) {
    for (let t = 0; t < T; t++) {
      const seen = slopes.read(0, h, t);
      for (const [n, j] of keys.entries()) {
        if (j >= seen) continue;
        const weight = { value: p.data[j], error: p.error[j] };
        keep(columns[n], h * T + t, weight, { value: ds.data[j], error: ds.error[j] });
      }
    }
  }
  return sumsOf(slopes, columns);
}

/**
 * Not above those of one key that every query sees, at a fraction of their cost: dy, q, y: [1, 1, queries, HS], k, v: [1, 1, 1, HS],
 * lse: [1, queries, 1] → dk and dv: [1, 1, 1, HS]. It is half of what a kernel may err by that reads lse and y as they were saved, and
 * that is one of those which the whole bound covers. Half, since the bound of a tree of additions is not monotone: it takes terms of like
 * sizes together, by up to 2^¼ too many (tree-sum.ts), and P and dS are each such a sum's result. A D that is a sum of stored weights needs all
 * keys, and so there is none where that is declared.
 */
export function leastKeyGradientBound(
  inputs: Reals<GradientInput>,
  target: Target,
  errors: Errors<GradientInput>,
): Partial<KeyAllowances> {
  if (target.stores?.P_D !== undefined) return {};
  const slopes = new AttentionSlopes(inputs, target, errors);
  const { NH } = slopes.shape;
  const column = columnOf(NH);
  for (let h = 0; h < NH; h++) {
    const { p, ds } = slopes.fromSaved(h);
    keep(column, h, p, ds);
  }
  const { dk, dv } = sumsOf(slopes, [column]);
  const halved = (whole: Allowance): Allowance => ({
    ...whole,
    data: whole.data.map((x) => x / 2),
    shape: inputs.k.shape,
  });
  return { dk: halved(dk), dv: halved(dv) };
}

function columnOf(queries: number): Column {
  const numbers = (): Numbers => ({ data: new Float64Array(queries), error: new Float64Array(queries) });
  return { p: numbers(), ds: numbers(), isSeen: new Uint8Array(queries) };
}

function keep({ p, ds, isSeen }: Column, at: number, weight: Approx, slope: Approx): void {
  [p.data[at], p.error[at]] = [weight.value, weight.error];
  [ds.data[at], ds.error[at]] = [slope.value, slope.error];
  isSeen[at] = 1;
}

/** The sums over queries, one after another: the terms of a long sum take memory while it lasts. */
function sumsOf(slopes: AttentionSlopes, columns: readonly Column[]): KeyAllowances {
  const { a, dy, qs, weights } = slopes;
  const { T, NH, HS } = slopes.shape;
  const [dk, dv] = [slopes.allowances([columns.length, HS]), slopes.allowances([columns.length, HS])];
  for (const [n, { p, ds, isSeen }] of columns.entries()) {
    for (let i = 0; i < HS; i++) {
      const [sumK, sumV] = [a.sum(NH * T, "dk"), a.sum(NH * T, "dv")];
      for (let at = 0; at < NH * T; at++) {
        if (isSeen[at] === 0) continue;
        const query = slopes.query(0, Math.floor(at / T), at % T) + i;
        sumK.addProduct(ds.data[at], qs.data[query], ds.error[at], qs.error[query]);
        sumV.addProduct(p.data[at], dy.data[query], p.error[at], dy.error[query]);
      }
      note(dk, n * HS + i, weights.scaled(sumK.total(), sumK.magnitude));
      note(dv, n * HS + i, sumV.total());
    }
  }
  return { dk, dv };
}
