// How far a correct AdamW step may land. The truth takes the given scalars as exact.
//
// The row lists the forms that are covered, in every combination; products may be in any association, and g may be squared
// before or after its factor. The weights of a lerp need not add up to 1 once they are rounded. For the root of a v below
// √'s domain see rootFromZero. A lerp that starts from the gradient is not covered: g + beta · (m − g), or g − beta · g + beta · m
// without fused operations. It rounds numbers of the size of g where (1 − beta) · g is meant, and loses up to 1 / (1 − beta)
// roundings of the moment.
//
// The scalars are redundant, since 1 − beta and the corrections follow from the betas and the step. A kernel may use any of:
// - beta as it is written, b, or rounded to float32, b̂;
// - 1 − beta as given, which is 1 − b rounded once; or 1 − b in double; or 1 − b̂ in float32, as ggml does;
// - a correction as given, which is 1 − bᵗ rounded once; or in double, as PyTorch does; or 1 − b̂ᵗ in float32, the power by
//   the target's pow, by exp2(t · log2 b̂), or as a product that runs through the steps, as TensorFlow keeps it.
// Each coefficient is the given one, with an error that reaches all of the others (`either`). For 1 − beta the error is
// |b − b̂| ≤ b · u compared with 1 − b: 1.3·10⁻⁵ of 1 − 0.999, and as much of the v of a first step. For a correction it is
// |1 − b̂ᵗ − (1 − bᵗ)| ≤ t · bᵗ⁻¹ · |b − b̂|, which is no larger a share of it, plus bᵗ times the error of the power:
// γ(t − 1) for the product, some units in the last place for pow; for exp2 of log2 also t times the absolute error of a log2
// of nearly 1. Where bᵗ is close to 1 these errors remain in full while 1 − bᵗ cancels. For beta2 = 0.999 and t = 1 WGSL's
// accuracies leave 5·10⁻⁴ of the correction, half of it in the step, and IEEE 754's 6·10⁻⁵; for 0.95 they leave 10⁻⁵ and
// 10⁻⁶. That is the price of covering such a kernel, and the reason why the scalars are given: a kernel that reads them stays
// within about 10⁻⁷.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { dtypes } from "../dtype.ts";
import { reciprocal, rootFromZero, wholePower } from "../domains.ts";
import { power, powerOfTwo } from "../elementary.ts";
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
    beta1: "decimal",
    beta2: "decimal",
    step: "integer",
    oneMinusBeta1: "real",
    oneMinusBeta2: "real",
    correction1: "real",
    correction2: "real",
    eps: "real",
    weightDecay: "real",
  },
  outputs: { w: "N", m: "N", v: "N" },
  stores: none("the step is added to a float32 weight where it is computed"),
  sums: none("sums of two and three terms"),
  covered: {
    "two-products": "the moments as two products, beta · m + (1 − beta) · g",
    lerp: "the moments as lerp, m + (1 − beta) · (g − m)",
    "m-as-lerp": "m as lerp and v as two products",
    "complement-given": "1 − beta as given",
    "complement-of-rounded": "1 − beta from beta rounded to float32",
    "betas-in-double": "beta and 1 − beta in double",
    "corrections-given": "the corrections as given",
    "corrections-in-double": "the corrections in double",
    "corrections-by-pow": "the corrections by pow of beta rounded to float32",
    "corrections-by-exp2": "the same by exp2 and log2",
    "corrections-by-product": "the same by a running product",
    "both-corrected": "both moments corrected",
    "correction-in-step-size": "m's correction in the step size",
    "by-reciprocals": "quotients as products with reciprocals",
    "reciprocal-under-root": "v times the reciprocal of its correction, under the root",
    folded: "both corrections folded into the step size and eps",
    "decay-first": "decay first",
    "decay-in-sum": "decay as a term of the sum",
    "decay-in-direction": "decay within the direction",
  },
  uncovered: {
    "a lerp from the gradient, g + beta · (m − g)":
      "it rounds numbers of the size of g where (1 − beta) · g is meant: up to 1 / (1 − beta) roundings of the moment",
  },
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
  for (const [name, t] of Object.entries({ g, m, v })) {
    if (t.shape.join() !== w.shape.join()) {
      throw new RangeError(`${name} has shape [${t.shape}], expected [${w.shape}], the shape of w`);
    }
  }
  const a = new Arithmetic(target);
  const at = { w: reader(w, errors.w), g: reader(g, errors.g), m: reader(m, errors.m), v: reader(v, errors.v) };
  const [correction1, correction2] = [correction(a, scalars, 1), correction(a, scalars, 2)];
  const s = {
    rate: a.exact(scalars.learningRate),
    beta1: betaOf(a, scalars.beta1),
    beta2: betaOf(a, scalars.beta2),
    oneMinusBeta1: oneMinusBeta(a, scalars, 1),
    oneMinusBeta2: oneMinusBeta(a, scalars, 2),
    eps: a.exact(scalars.eps),
    decay: a.exact(scalars.weightDecay),
    correction1,
    correction2,
    inverse1: reciprocal(a, correction1),
    inverse2: reciprocal(a, correction2),
    root2: a.sqrt(correction2),
    inverseRoot2: a.inverseSqrt(correction2),
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
      rootFromZero(a, a.multiply(second, s.inverse2)),
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
      // Where the rate is 0, it is this form's quotient that WGSL may give as a subnormal number.
      a.multiply(a.divide(s.rate, s.correction1), a.divide(first, denominator)),
      a.product(s.rate, first, s.inverse1, inverse),
      a.product(s.rate, first, s.inverse1, s.root2, inverseFolded),
    );

    // The part of w that remains after decay.
    const kept = a.multiply(at.w(i), a.subtract(a.exact(1), a.multiply(s.rate, s.decay)));
    const decay = a.product(s.rate, s.decay, at.w(i));
    const terms = new Sum(a);
    for (const term of [at.w(i), a.negate(step), a.negate(decay)]) terms.add(term.value, term.error);
    const within = a.multiply(s.rate, a.add(direction, a.multiply(s.decay, at.w(i))));
    next.w.data[i] = a.either(terms.total(), a.subtract(kept, step), a.subtract(at.w(i), within)).error;
  }
  return next;
}

/** As it is written, or rounded to float32. */
function betaOf(a: Arithmetic, beta: number): Approx {
  return a.either(a.exact(beta), a.exact(Math.fround(beta)));
}

/** 1 − beta as given, or from beta. */
function oneMinusBeta(a: Arithmetic, scalars: adamw.AdamWScalars, n: 1 | 2): Approx {
  const [given, beta] = [scalars[`oneMinusBeta${n}`], scalars[`beta${n}`]];
  checkDerived(`oneMinusBeta${n}`, given, `1 − beta${n}`, 1 - beta);
  const fromFloat32 = a.subtract(a.exact(1), a.exact(Math.fround(beta)));
  return a.either(a.exact(given), a.constant(1 - beta), fromFloat32);
}

/** 1 − beta^step as given, or from beta. */
function correction(a: Arithmetic, scalars: adamw.AdamWScalars, n: 1 | 2): Approx {
  const [given, beta, step] = [scalars[`correction${n}`], scalars[`beta${n}`], scalars.step];
  const inDouble = beta === 0 ? 1 : 1 - power(beta, step);
  checkDerived(`correction${n}`, given, `1 − beta${n}^step`, inDouble);
  const rounded = Math.fround(beta);
  const fromDecimal = a.constant(inDouble);
  if (rounded === 0) return a.either(a.exact(given), fromDecimal);
  return a.either(
    a.exact(given),
    { value: inDouble, error: fromDecimal.error + DOUBLE }, // the power's rounding in double, next to 1
    a.subtract(a.exact(1), wholePower(a, rounded, step)),
  );
}

const DOUBLE = powerOfTwo(-52);

/** Throws RangeError unless a given scalar is, up to a rounding to float32, the one that a kernel would compute itself. */
function checkDerived(name: string, given: number, formula: string, value: number): void {
  if (!(Math.abs(given - value) <= dtypes.float32.u * value + DOUBLE)) {
    throw new RangeError(`adamw: ${name} is ${given}, expected ${formula} = ${value}, rounded to float32 at most`);
  }
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
