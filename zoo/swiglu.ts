// Correct evaluations of SwiGLU: σ from e^−z or e^−|z|, the products in several orders.
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Exponential = (f: Float32Arithmetic, x: number) => number;
type Factors = readonly [number, ...number[]];

const bases = {
  "base-e": (f, x) => f.stored("exp", f.exp(x)),
  "base-2": (f, x) => f.stored("exp", f.exp2(f.multiply(x, f.constant(Math.LOG2E)))),
} satisfies Readonly<Record<string, Exponential>>;

/** The quotient whose numerator is the product of the factors: σ itself where the only factor is 1. Below about −88 e^−z overflows, and a quotient by infinity is 0. */
type Quotient = (f: Float32Arithmetic, e: Exponential, z: number, factors: Factors) => number;

const forms = {
  "sigma-stable": (f, exp, z, factors) => {
    const e = exp(f, -Math.abs(z));
    const numerator = product(f, factors);
    return f.divide(z < 0 ? f.multiply(numerator, e) : numerator, f.add(1, e));
  },
  "sigma-plain": (f, exp, z, factors) => f.divide(product(f, factors), f.add(1, exp(f, -z))),
} satisfies Readonly<Record<string, Quotient>>;

function product(f: Float32Arithmetic, [first, ...others]: Factors): number {
  return others.reduce((value, factor) => f.multiply(value, factor), first);
}

const sigmoid = (f: Float32Arithmetic, quotient: (...factors: Factors) => number): number =>
  f.stored("sigmoid", quotient(1));

/** A product of two numbers and σ, or silu and another. */
type Product = (f: Float32Arithmetic, quotient: (...factors: Factors) => number, z: number, other: number) => number;

const products = {
  "silu-first": (f, quotient, z, other) => f.multiply(f.stored("silu", f.multiply(z, sigmoid(f, quotient))), other),
  "up-first": (f, quotient, z, other) =>
    f.multiply(z, f.stored("up · sigmoid", f.multiply(sigmoid(f, quotient), other))),
  "silu-quotient": (f, quotient, z, other) => f.multiply(f.stored("silu", quotient(z)), other),
  "product-quotient": (_f, quotient, z, other) => quotient(z, other),
} satisfies Readonly<Record<string, Product>>;

/** The n-th base of each form: each form meets both, and so does what it is combined with. */
function quotients(n: number) {
  return entriesOf(forms).map(([form, of], i) => {
    const [base, exp] = entriesOf(bases)[(n + i) % 2];
    const quotientOf =
      (f: Float32Arithmetic, z: number) =>
      (...factors: Factors) =>
        of(f, exp, z, factors);
    return { covers: [form, base] as const, quotientOf };
  });
}

export const forward = entriesOf(products).flatMap(([form, value], n) =>
  quotients(n).map(({ covers, quotientOf }): EvaluationOf<"swiglu.forward"> => ({
    op: "swiglu.forward",
    covers: [...covers, form],
    evaluate: (f, { gate, up }) => {
      const y = output(gate.shape);
      for (let i = 0; i < y.data.length; i++) {
        y.data[i] = value(f, quotientOf(f, gate.data[i]), gate.data[i], up.data[i]);
      }
      return { y };
    },
  })),
);

export const slopes = ["complement-mirrored", "complement-difference", "multiplied-out", "slope-last"] as const;
const inDup = { "silu-quotient": products["silu-quotient"], "product-quotient": products["product-quotient"] };

type Slope = (typeof slopes)[number];

/** dgate from any σ. */
export function gradient(
  f: Float32Arithmetic,
  form: Slope,
  sigmaOf: (x: number) => number,
  z: number,
  dy: number,
  up: number,
): number {
  const s = sigmaOf(z);
  const complement = form === "complement-mirrored" ? sigmaOf(-z) : f.subtract(1, s);
  const rest = f.multiplyAdd(z, complement, 1);
  const dsilu = f.stored("dsilu", f.multiply(dy, up));
  const slope = form === "multiplied-out" ? f.multiplyAdd(f.multiply(z, s), complement, s) : f.multiply(s, rest);
  return form === "slope-last" ? f.multiply(f.multiply(dsilu, s), rest) : f.multiply(dsilu, f.stored("slope", slope));
}

// Each slope with a product of its own in dup.
export const backward = slopes.flatMap((form, n) =>
  quotients(n).map(({ covers, quotientOf }): EvaluationOf<"swiglu.backward"> => {
    const [dupForm, dupOf] = entriesOf(inDup)[n] ?? [undefined, products["silu-first"]];
    return {
      op: "swiglu.backward",
      covers: [...covers, form, ...(dupForm === undefined ? [] : [dupForm])],
      evaluate: (f, { dy, gate, up }) => {
        const dgate = output(gate.shape);
        const dup = output(up.shape);
        for (let i = 0; i < dgate.data.length; i++) {
          const z = gate.data[i];
          const quotient = quotientOf(f, z);
          const sigmaOf = (x: number): number => sigmoid(f, quotientOf(f, x));
          dgate.data[i] = gradient(f, form, sigmaOf, z, dy.data[i], up.data[i]);
          dup.data[i] = dupOf(f, quotient, z, dy.data[i]);
        }
        return { dgate, dup };
      },
    };
  }),
);
