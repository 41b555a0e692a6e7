// Attention of one query by hand, each listed way as operations on a tape.
import type { Id, Tape } from "./tape.ts";
import { orderly, type Orders } from "./orders.ts";

/** Of one query and the keys that it sees; `masked` keys come after them. */
export interface Query {
  readonly q: readonly number[];
  readonly k: readonly (readonly number[])[];
  readonly v: readonly (readonly number[])[];
  readonly masked: number;
}

/** Where the scale stands, and how it is formed. */
export const scales = ["in-q", "in-k", "in-scores", "in-exponent"] as const;
export type Place = (typeof scales)[number];
export const scaleForms: Record<string, (t: Tape, HS: number, x: Id) => Id> = {
  constant: (t, HS, x) => t.mul(x, t.constant(1 / Math.sqrt(HS))),
  division: (t, HS, x) => t.div(x, t.call("sqrt", t.constant(HS))),
  "division by constant": (t, HS, x) => t.div(x, t.constant(Math.sqrt(HS))),
  "inverse-sqrt": (t, HS, x) => t.mul(x, t.call("inverseSqrt", t.constant(HS))),
  root: (t, HS, x) => t.mul(x, t.div(t.constant(1), t.call("sqrt", t.constant(HS)))),
};
export const baseNames = ["e", "2", "2-in-scale", "2-fused"] as const;
export type BaseName = (typeof baseNames)[number];
export interface Manner {
  readonly place: Place;
  readonly form: string;
  readonly base: BaseName;
  readonly order: Orders;
}

/** The scores, the weight of a score on a maximum, and the logarithm of a sum, all as one manner has them. */
export interface Head {
  readonly s: Id[];
  readonly weight: (s: Id, m: Id) => Id;
  /** A sum on one maximum to another, as a difference of the two. */
  readonly rescale: (from: Id, to: Id) => Id;
  readonly lse: (m: Id, sum: Id) => Id;
  /** e^(s − lse) for an lse in base e. */
  readonly byLse: (s: Id, lse: Id) => Id;
}

export function headOf(t: Tape, query: Query, manner: Manner): Head {
  const HS = query.q.length;
  const { place, form, base, order } = manner;
  const scaled = (x: Id): Id => scaleForms[form](t, HS, x);
  const log2e = t.constant(Math.LOG2E);
  // With log2 e in the scale: a constant, or a product.
  const inBase2 = (x: Id): Id =>
    form === "constant" ? t.mul(x, t.constant(Math.LOG2E / Math.sqrt(HS))) : t.mul(scaled(x), log2e);
  const factor = base === "2-in-scale" ? inBase2 : scaled;
  const q = t.leaves(query.q).map((x) => (place === "in-q" ? factor(x) : x));
  const s = query.k.map((key) => {
    const terms = t.leaves(key).map((x, i) => t.mul(q[i], place === "in-k" ? factor(x) : x));
    const sum = orderly(t, terms, order);
    return place === "in-scores" ? factor(sum) : sum;
  });
  const open = place === "in-exponent";
  const scaleOf = (x: Id): Id => (open ? scaled(x) : x);
  const fusedFactor = (): Id =>
    open
      ? t.mul(
          scaleForms[form === "division" || form === "division by constant" ? "constant" : form](t, HS, t.constant(1)),
          log2e,
        )
      : log2e;
  const weight = (x: Id, m: Id): Id => {
    switch (base) {
      case "e":
        return t.call("exp", scaleOf(t.sub(x, m)));
      case "2":
        return t.call("exp2", t.mul(scaleOf(t.sub(x, m)), log2e));
      case "2-in-scale":
        return t.call("exp2", open ? inBase2(t.sub(x, m)) : t.sub(x, m));
      case "2-fused":
        return t.call("exp2", t.fma(x, fusedFactor(), t.mul(t.constant(-1), t.mul(m, fusedFactor()))));
    }
  };
  const isBase2 = base === "2-in-scale" && !open;
  return {
    s,
    weight,
    rescale: (from, to) =>
      base === "2-fused" ? t.call("exp2", t.mul(t.sub(from, to), fusedFactor())) : weight(from, to),
    lse: (m, sum) => {
      if (isBase2) return t.mul(t.add(m, t.call("log2", sum)), t.constant(Math.LN2));
      return t.add(scaleOf(m), t.call("log", sum));
    },
    byLse: (x, lse) => {
      if (isBase2) return t.call("exp2", t.sub(x, t.mul(lse, log2e)));
      if (base === "2" || base === "2-in-scale") return t.call("exp2", t.mul(t.sub(scaleOf(x), lse), log2e));
      if (base === "2-fused") return t.call("exp2", t.fma(x, fusedFactor(), t.mul(t.constant(-1), t.mul(lse, log2e))));
      return t.call("exp", t.sub(scaleOf(x), lse));
    },
  };
}

/** Maximum, Σ e^(s − m) and Σ e^(s − m) · v of one column of v. */
export interface Sums {
  readonly m: Id;
  readonly l: Id;
  readonly acc: Id;
}
export type Passage = (t: Tape, head: Head, v: Id[], query: Query, order: Orders) => Sums;

const maximum = (t: Tape, s: readonly Id[]): Id => s.reduce((a, b) => t.max(a, b));

/** By keys in that order, each tile on the maximum so far; everything before is rescaled, also where it is by e⁰. */
function running(t: Tape, { s, weight, rescale }: Head, v: Id[], keys: number[], size: number, masked: number): Sums {
  let m: Id = s[keys[0]];
  let l: Id | undefined;
  let acc: Id | undefined;
  for (let i = 0; i < keys.length; i += size) {
    const tile = keys.slice(i, i + size);
    const next = t.max(
      m,
      maximum(
        t,
        tile.map((j) => s[j]),
      ),
    );
    const p = tile.map((j) => weight(s[j], next));
    const own = { l: t.chain(p), acc: t.chain(tile.map((j, n) => t.mul(p[n], v[j]))) };
    if (l === undefined || acc === undefined) ({ l, acc } = own);
    else {
      const factor = rescale(m, next);
      l = t.add(t.mul(l, factor), own.l);
      acc = t.add(t.mul(acc, factor), own.acc);
    }
    m = next;
  }
  let sums: Sums = { m, l: l as Id, acc: acc as Id };
  for (let i = 0; i < masked; i++) {
    const factor = rescale(m, m);
    sums = { m, l: t.mul(sums.l, factor), acc: t.mul(sums.acc, factor) };
  }
  return sums;
}

function merged(t: Tape, head: Head, v: Id[], keys: number[]): Sums {
  if (keys.length === 1) return running(t, head, v, keys, 1, 0);
  // One key at a time is merged with those before, the deepest of trees.
  const a = merged(t, head, v, keys.slice(0, -1));
  const b = merged(t, head, v, keys.slice(-1));
  const m = t.max(a.m, b.m);
  const [fa, fb] = [head.rescale(a.m, m), head.rescale(b.m, m)];
  return { m, l: t.add(t.mul(a.l, fa), t.mul(b.l, fb)), acc: t.add(t.mul(a.acc, fa), t.mul(b.acc, fb)) };
}

const inPlace = (head: Head): number[] => head.s.map((_, j) => j);
const ascending = (t: Tape, head: Head): number[] =>
  inPlace(head).toSorted((a, b) => t.values[head.s[a]] - t.values[head.s[b]]);

export const passages: Record<string, Passage> = {
  "maximum-first": (t, head, v, _, order) => {
    const m = maximum(t, head.s);
    const p = head.s.map((x) => head.weight(x, m));
    return {
      m,
      l: orderly(t, p, order),
      acc: orderly(
        t,
        p.map((x, j) => t.mul(x, v[j])),
        order,
      ),
    };
  },
  "by key": (t, head, v) => running(t, head, v, inPlace(head), 1, 0),
  "by key, ascending": (t, head, v) => running(t, head, v, ascending(t, head), 1, 0),
  "by tile of 4, ascending": (t, head, v) => running(t, head, v, ascending(t, head), 4, 0),
  "parts merged": (t, head, v) => merged(t, head, v, inPlace(head)),
  "parts merged, ascending": (t, head, v) => merged(t, head, v, ascending(t, head)),
  "masked keys rescale": (t, head, v, query) => running(t, head, v, ascending(t, head), 1, query.masked),
};

export const normalisations: Record<string, (t: Tape, head: Head, v: Id[], sums: Sums, order: Orders) => Id> = {
  quotient: (t, _head, _v, sums) => t.div(sums.acc, sums.l),
  reciprocal: (t, _head, _v, sums) => t.mul(sums.acc, t.div(t.constant(1), sums.l)),
  "each weight": (t, head, v, sums, order) =>
    orderly(
      t,
      head.s.map((x, j) => t.mul(t.div(head.weight(x, sums.m), sums.l), v[j])),
      order,
    ),
  "by lse": (t, head, v, sums, order) => {
    const lse = head.lse(sums.m, sums.l);
    return orderly(
      t,
      head.s.map((x, j) => t.mul(head.byLse(x, lse), v[j])),
      order,
    );
  },
};
