// Attention's backward by hand: dq of one query, and what one query adds to dk and dv of one key.
import { type Head, headOf, type Manner, passages, type Query } from "./evaluations-attention.ts";
import { orderly } from "./orders.ts";
import type { Id, Tape } from "./tape.ts";

/** A query with what the forward saved and the gradient that comes in. */
export interface Slope extends Query {
  readonly dy: readonly number[];
  readonly y: readonly number[];
  readonly lse: number;
}

export const weightForms = ["saved", "anew", "sum", "sum by key, ascending", "anew, masked"] as const;
export const deltaForms = ["y", "y anew", "weights", "in dP"] as const;
export const gradientScales = ["in-p", "in-dS", "at-the-end", "in-factor", "in-factor-base-2"] as const;

export interface Way extends Manner {
  readonly weights: (typeof weightForms)[number];
  readonly delta: (typeof deltaForms)[number];
  readonly gradient: (typeof gradientScales)[number];
  /** The scale as a factor or by division, once more for the gradients. */
  readonly scaled: (t: Tape, HS: number, x: Id) => Id;
}

/** Of each key its weight, and its dS without and with the scale as the way has it. */
interface Scores {
  readonly p: Id[];
  readonly dS: Id[];
}

function weightsOf(t: Tape, head: Head, query: Slope, way: Way): Id[] {
  if (way.weights === "saved") {
    const lse = t.constant(query.lse);
    return head.s.map((s) => head.byLse(s, lse));
  }
  const passage = way.weights.includes("masked")
    ? passages["masked keys rescale"]
    : passages[way.weights.includes("key") ? "by key, ascending" : "maximum-first"];
  const sums = passage(
    t,
    head,
    head.s.map(() => t.constant(0)),
    query,
    way.order,
  );
  if (way.weights.startsWith("sum")) return head.s.map((s) => t.div(head.weight(s, sums.m), sums.l));
  const lse = head.lse(sums.m, sums.l);
  return head.s.map((s) => head.byLse(s, lse));
}

export function scoresOf(t: Tape, query: Slope, way: Way): Scores {
  const { order } = way;
  const HS = query.q.length;
  const head = headOf(t, query, way);
  const p = weightsOf(t, head, query, way);
  const dy = query.dy.map((x) => t.constant(x));
  const products = query.v.map((v) => v.map((x, i) => t.mul(dy[i], t.constant(x))));
  const deltaOf = (y: Id[]): Id =>
    orderly(
      t,
      y.map((x, i) => t.mul(dy[i], x)),
      order,
    );
  const dP = products.map((terms) => orderly(t, terms, order));
  const D = ((): Id => {
    switch (way.delta) {
      case "y":
      case "in dP":
        return deltaOf(query.y.map((x) => t.constant(x)));
      case "y anew":
        return deltaOf(
          query.y.map((_, i) =>
            orderly(
              t,
              p.map((x, j) => t.mul(x, t.constant(query.v[j][i]))),
              order,
            ),
          ),
        );
      case "weights":
        return orderly(
          t,
          p.map((x, j) => t.mul(x, dP[j])),
          order,
        );
    }
  })();
  const minus = (x: Id): Id => t.mul(t.constant(-1), x);
  const dS = dP.map((x, j) => {
    // −D as the first term of the sum, so that every addition has it.
    const difference = way.delta === "in dP" ? t.chain([minus(D), ...products[j]]) : t.sub(x, D);
    const weight = way.gradient === "in-p" ? way.scaled(t, HS, p[j]) : p[j];
    const product = t.mul(weight, difference);
    return way.gradient === "in-dS" ? way.scaled(t, HS, product) : product;
  });
  return { p, dS };
}

/** Σ dS · factor with the scale where the way has it. */
export function gradientOf(t: Tape, way: Way, HS: number, terms: readonly (readonly [Id, Id])[]): Id {
  const factored = (x: Id): Id => {
    if (way.gradient === "in-factor") return way.scaled(t, HS, x);
    if (way.gradient === "in-factor-base-2") return t.mul(x, t.constant(Math.LOG2E / Math.sqrt(HS)));
    return x;
  };
  const sum = orderly(
    t,
    terms.map(([dS, x]) => t.mul(dS, factored(x))),
    way.order,
  );
  if (way.gradient === "at-the-end") return way.scaled(t, HS, sum);
  return way.gradient === "in-factor-base-2" ? t.mul(sum, t.constant(Math.LN2)) : sum;
}
