// RMSNorm's backward by hand, each listed way of computing as operations on a tape, for one element.
import type { Id, Tape } from "./tape.ts";
import { type Orders, orderly } from "./orders.ts";

export interface Row {
  readonly dy: readonly number[];
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly rstd: number;
  readonly eps: number;
}

type Statistic = (t: Tape, x: Id[], row: Row, order: Orders) => Id;

export const means = {
  "mean-as-quotient": (t, x, order) => t.div(squares(t, x, order), t.constant(x.length)),
  "mean-by-reciprocal": (t, x, order) => t.mul(squares(t, x, order), t.div(t.constant(1), t.constant(x.length))),
  "mean-of-quotients": (t, x, order) =>
    orderly(
      t,
      x.map((v) => t.div(t.mul(v, v), t.constant(x.length))),
      order,
    ),
  "mean-of-shares": (t, x, order) => {
    const share = t.div(t.constant(1), t.constant(x.length));
    return orderly(
      t,
      x.map((v) => t.mul(v, t.mul(v, share))),
      order,
    );
  },
} satisfies Record<string, (t: Tape, x: Id[], order: Orders) => Id>;

function squares(t: Tape, x: Id[], order: Orders): Id {
  return orderly(
    t,
    x.map((v) => t.mul(v, v)),
    order,
  );
}

/** 1 / √m. */
export const roots: Record<string, (t: Tape, moment: Id) => Id> = {
  "inverse-sqrt": (t, moment) => t.call("inverseSqrt", moment),
  root: (t, moment) => t.div(t.constant(1), t.call("sqrt", moment)),
};

export const statistics: Record<string, Statistic> = { "rstd-saved": (t, _, row) => t.constant(row.rstd) };
for (const [mean, of] of Object.entries(means)) {
  for (const [name, root] of Object.entries(roots)) {
    statistics[`${mean} ${name}`] = (t, x, row, order) => root(t, t.add(of(t, x, order), t.constant(row.eps)));
  }
}

interface Parts {
  readonly dy: Id[];
  readonly x: Id[];
  readonly w: Id[];
  readonly r: Id;
  readonly order: Orders;
}
type Form = (t: Tape, parts: Parts, c: number) => Id;

const dn = (t: Tape, { dy, w }: Parts, c: number): Id => t.mul(dy[c], w[c]);
const n = (t: Tape, { x, r }: Parts, c: number): Id => t.mul(x[c], r);
const sum = (t: Tape, p: Parts, term: (c: number) => Id): Id =>
  orderly(
    t,
    p.x.map((_, c) => term(c)),
    p.order,
  );
const length = (t: Tape, p: Parts): Id => t.constant(p.x.length);

export const dxForms: Record<string, Form> = {
  factored: (t, p, c) => {
    const mean = t.div(
      sum(t, p, (i) => t.mul(dn(t, p, i), n(t, p, i))),
      length(t, p),
    );
    return t.mul(p.r, t.sub(dn(t, p, c), t.mul(n(t, p, c), mean)));
  },
  "factored, 1/C": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), n(t, p, i)));
    const mean = t.mul(total, t.div(t.constant(1), length(t, p)));
    return t.mul(p.r, t.sub(dn(t, p, c), t.mul(n(t, p, c), mean)));
  },
  "multiplied-out": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(t.mul(p.dy[i], n(t, p, i)), p.w[i]));
    const mean = t.div(total, length(t, p));
    return t.sub(t.mul(p.r, dn(t, p, c)), t.mul(n(t, p, c), t.mul(p.r, mean)));
  },
  "rstd-squared": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), p.x[i]));
    const mean = t.div(total, length(t, p));
    return t.mul(p.r, t.sub(dn(t, p, c), t.mul(p.x[c], t.mul(t.mul(p.r, p.r), mean))));
  },
  "rstd-cubed": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), p.x[i]));
    const mean = t.div(total, length(t, p));
    const cube = t.mul(t.mul(p.r, p.r), p.r);
    return t.sub(t.mul(p.r, dn(t, p, c)), t.mul(p.x[c], t.mul(cube, mean)));
  },
  autograd: (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), p.x[i]));
    const cube = t.mul(t.mul(p.r, p.r), p.r);
    const share = t.div(t.mul(t.mul(t.constant(-0.5), total), cube), length(t, p));
    return t.add(t.mul(p.r, dn(t, p, c)), t.mul(share, t.mul(t.constant(2), p.x[c])));
  },
  "length-outside": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), n(t, p, i)));
    const inner = t.sub(t.mul(length(t, p), dn(t, p, c)), t.mul(n(t, p, c), total));
    return t.mul(t.div(p.r, length(t, p)), inner);
  },
  // Apex: dy is multiplied by C before the gain, x by rstd anew; terms (dy · w) · x · rstd.
  "length-outside, Apex": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(t.mul(dn(t, p, i), p.x[i]), p.r));
    const inner = t.sub(t.mul(t.mul(length(t, p), p.dy[c]), p.w[c]), t.mul(t.mul(p.x[c], p.r), total));
    return t.mul(t.mul(t.div(t.constant(1), length(t, p)), p.r), inner);
  },
  "reciprocal-first": (t, p, c) => {
    const total = sum(t, p, (i) => t.mul(dn(t, p, i), p.x[i]));
    const share = t.mul(t.mul(t.mul(t.div(t.constant(1), length(t, p)), p.r), p.r), total);
    return t.sub(t.mul(p.r, dn(t, p, c)), t.mul(t.mul(share, p.r), p.x[c]));
  },
};

export function dxNode(t: Tape, row: Row, form: Form, statistic: Statistic, order: Orders, c: number): Id {
  const x = t.leaves(row.x);
  const parts = { dy: t.leaves(row.dy), x, w: t.leaves(row.w), r: statistic(t, x, row, order), order };
  return form(t, parts, c);
}
