// dw and y of RMSNorm, cross-entropy's backward, softmax's backward and norms by hand, as operations on a tape.
import { orderly, type Orders } from "./orders.ts";
import type { Id, Tape } from "./tape.ts";

/** A column of R terms of dw. */
export const dwForms: Record<string, (t: Tape, dy: Id[], x: Id[], r: Id[], order: Orders) => Id> = {
  "gain-term-of-n": (t, dy, x, r, order) =>
    orderly(
      t,
      dy.map((d, i) => t.mul(d, t.mul(x[i], r[i]))),
      order,
    ),
  "gain-term-scaled-last": (t, dy, x, r, order) =>
    orderly(
      t,
      dy.map((d, i) => t.mul(t.mul(d, x[i]), r[i])),
      order,
    ),
};

/** y of one element; `moment` is the mean square + eps, `r` the rstd of it. */
export const yForms: Record<string, (t: Tape, x: Id, w: Id, r: Id, moment: Id) => Id> = {
  "rstd-first": (t, x, w, r) => t.mul(t.mul(x, r), w),
  "gain-scaled-first": (t, x, w, r) => t.mul(x, t.mul(r, w)),
  "gain-first": (t, x, w, r) => t.mul(t.mul(x, w), r),
  "over-root-first": (t, x, w, _, moment) => t.mul(t.div(x, t.call("sqrt", moment)), w),
  "over-root-last": (t, x, w, _, moment) => t.div(t.mul(x, w), t.call("sqrt", moment)),
  "gain-over-root": (t, x, w, _, moment) => t.mul(x, t.div(w, t.call("sqrt", moment))),
};

/** dlogits of one element from its p. */
export const dlogitForms: Record<string, (t: Tape, p: Id, isTarget: boolean, dloss: Id, n: Id) => Id> = {
  "dloss-over-n-first": (t, p, is, g, n) => t.mul(t.div(g, n), is ? t.sub(p, t.constant(1)) : p),
  "dloss-over-n-last": (t, p, is, g, n) => t.div(t.mul(is ? t.sub(p, t.constant(1)) : p, g), n),
  "reciprocal-of-n-last": (t, p, is, g, n) =>
    t.mul(t.mul(is ? t.sub(p, t.constant(1)) : p, g), t.div(t.constant(1), n)),
  "p-over-n-first": (t, p, is, g, n) => t.mul(is ? t.sub(t.div(p, n), t.div(t.constant(1), n)) : t.div(p, n), g),
  "dloss-subtracted": (t, p, is, g, n) => t.div(is ? t.sub(t.mul(p, g), g) : t.mul(p, g), n),
};

/** A square sum's root; `levels` of parts before it, or squares of magnitudes. */
export function norm(t: Tape, g: Id[], parts: readonly number[], order: Orders): Id {
  const [size, ...others] = parts;
  if (size === undefined) {
    return t.call(
      "sqrt",
      orderly(
        t,
        g.map((x) => t.mul(x, x)),
        order,
      ),
    );
  }
  const norms: Id[] = [];
  for (let i = 0; i < g.length; i += size) norms.push(norm(t, g.slice(i, i + size), [], order));
  return norm(t, norms, others, order);
}

export function scaledNorm(t: Tape, g: Id[], order: Orders): Id {
  const largest = g.reduce((a, b) => (Math.abs(t.values[a]) >= Math.abs(t.values[b]) ? a : b));
  const over = Math.abs(t.values[largest]);
  const m = t.constant(over);
  return t.mul(
    m,
    norm(
      t,
      g.map((x) => t.div(x, m)),
      [],
      order,
    ),
  );
}
