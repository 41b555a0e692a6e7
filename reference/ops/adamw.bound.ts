// How far a correct AdamW step may land. The scalars are those that the kernel was given, exact as they are.
//
// Covered, in every combination:
// - the moments as two products, beta1 · m + oneMinusBeta1 · g, or as lerp, m + oneMinusBeta1 · (g − m), whose weights need
//   not add up to 1 once they are rounded; the same for v; g² before its factor, or after;
// - √(v / correction2), √v / √correction2, or √v times the reciprocal of √correction2, then + eps;
// - or, folded (Kingma & Ba 2015, end of section 2), √v + eps · √correction2, and √correction2 in the step size;
// - products and quotients of learningRate, m, 1 / correction1 and the denominator in any association, quotients also
//   as products with reciprocals;
// - decay first, w · (1 − learningRate · weightDecay), or as a term of the sum, or within the direction.
// The root of a v below √'s domain: see rootFromZero.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { reciprocal, rootFromZero } from "../domains.ts";
import { type Approx, Arithmetic, Sum } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as adamw from "./adamw.ts";

export const forward = defineOp({
  name: "adamw.forward",
  summary: "w − learningRate · ((m / correction1) / (√(v / correction2) + eps) + weightDecay · w), and the next m, v",
  inputs: { w: "N", g: "N", m: "N", v: "N" },
  integers: [],
  scalars: {
    learningRate: "real",
    beta1: "real",
    beta2: "real",
    oneMinusBeta1: "real",
    oneMinusBeta2: "real",
    correction1: "real",
    correction2: "real",
    eps: "real",
    weightDecay: "real",
  },
  outputs: { w: "N", m: "N", v: "N" },
  stores: none("the step is added to a float32 weight where it is computed"),
  covered: [
    "moments as two products, or as lerp",
    "bias corrections of both moments, in the step size, or folded into the step size and eps",
    "quotients as such or by reciprocals, products in any association",
    "decay first, in the sum, or in the direction",
  ],
  exact: none("a quotient and a root"),
  wide: ["w", "m", "v"],
  evaluate: ({ w, g, m, v }, scalars) => adamw.forward(w, g, m, v, scalars),
  bound: forwardBound,
});

/** w, g, m, v: any equal shape → allowances for the next w, m, v. */
function forwardBound(
  { w, g, m, v }: Reals<"w" | "g" | "m" | "v">,
  scalars: adamw.AdamWScalars,
  target: Target,
  errors: Errors<"w" | "g" | "m" | "v"> = {},
): Allowances<"w" | "m" | "v"> {
  const a = new Arithmetic(target);
  const at = { w: reader(w, errors.w), g: reader(g, errors.g), m: reader(m, errors.m), v: reader(v, errors.v) };
  const s = {
    rate: a.exact(scalars.learningRate),
    beta1: a.exact(scalars.beta1),
    beta2: a.exact(scalars.beta2),
    oneMinusBeta1: a.exact(scalars.oneMinusBeta1),
    oneMinusBeta2: a.exact(scalars.oneMinusBeta2),
    eps: a.exact(scalars.eps),
    decay: a.exact(scalars.weightDecay),
    correction2: a.exact(scalars.correction2),
    correction1: a.exact(scalars.correction1),
    inverse1: reciprocal(a, a.exact(scalars.correction1)),
    root2: a.sqrt(a.exact(scalars.correction2)),
    inverseRoot2: a.inverseSqrt(a.exact(scalars.correction2)),
  };
  const next = { w: allowances(w.shape), m: allowances(m.shape), v: allowances(v.shape) };
  for (let i = 0; i < next.w.data.length; i++) {
    const g1 = at.g(i);
    const first = moment(a, at.m(i), s.beta1, s.oneMinusBeta1, g1);
    const second = secondMoment(a, at.v(i), s.beta2, s.oneMinusBeta2, g1);
    next.m.data[i] = first.error;
    next.v.data[i] = second.error;

    // The direction, and with the learning rate the step.
    const root = a.either(
      rootFromZero(a, a.divide(second, s.correction2)),
      a.divide(rootFromZero(a, second), s.root2),
      a.multiply(rootFromZero(a, second), s.inverseRoot2),
    );
    const denominator = a.add(root, s.eps);
    const folded = a.add(rootFromZero(a, second), a.multiply(s.eps, s.root2));
    const inverse = reciprocal(a, denominator);
    const inverseFolded = reciprocal(a, folded);
    const direction = a.either(
      a.product(first, s.inverse1, inverse),
      a.product(first, s.inverse1, s.root2, inverseFolded),
      // WGSL's quotient of zero may be some subnormal number, and the next quotient, by eps, enlarges it.
      a.divide(a.divide(first, s.correction1), denominator),
      a.divide(a.divide(first, denominator), s.correction1),
      a.multiply(a.divide(first, folded), a.divide(s.root2, s.correction1)),
    );
    const step = a.either(
      a.multiply(s.rate, direction),
      a.product(s.rate, first, s.inverse1, inverse),
      a.product(s.rate, first, s.inverse1, s.root2, inverseFolded),
    );

    // What remains of w.
    const kept = a.multiply(at.w(i), a.subtract(a.exact(1), a.multiply(s.rate, s.decay)));
    const decay = a.product(s.rate, s.decay, at.w(i));
    const terms = new Sum(a);
    for (const term of [at.w(i), a.negate(step), a.negate(decay)]) terms.add(term.value, term.error);
    const within = a.multiply(s.rate, a.add(direction, a.multiply(s.decay, at.w(i))));
    next.w.data[i] = a.either(terms.total(), a.subtract(kept, step), a.subtract(at.w(i), within)).error;
  }
  return next;
}

/** beta · m + c · x, or m + c · (x − m). */
function moment(a: Arithmetic, m: Approx, beta: Approx, c: Approx, x: Approx): Approx {
  const products = a.add(a.multiply(beta, m), a.multiply(c, x));
  return a.either(products, a.add(m, a.multiply(c, a.subtract(x, m))));
}

/** The same of g²; as two products also with (c · g) · g. */
function secondMoment(a: Arithmetic, v: Approx, beta: Approx, c: Approx, g: Approx): Approx {
  const products = a.add(a.multiply(beta, v), a.product(c, g, g));
  return a.either(products, moment(a, v, beta, c, a.multiply(g, g)));
}
