// How far a correct SwiGLU may land. The rows list the forms that are covered; products may be in any association.
//
// e^x may be 2^(x · log2 e), as Triton's exp is: log2 e and the product are rounded, so that its relative error grows by 2u for
// each 1 of |x|.
//
// As a quotient with the divisor 1 + e^−z, σ may have any of the other factors in its numerator. A quotient errs by units in
// the last place of its own result, which are up to twice as large a share of it as they are of σ: so σ is a factor with
// the relative error that any quotient may have (`reciprocal`). A quotient of zero may be a subnormal number (WGSL 15.7.4.1),
// which up or dy enlarges.
//
// Not covered: the derivative as silu + σ · (1 − silu), σ + silu − silu · σ, σ · (1 + z − silu) or σ · (1 + (z − z · σ)). For large z two numbers near z cancel to 1,
// each rounded on its own, so that they err up to twice as much as the forms with 1 − σ do, and the bound would grow with them.
//
// Where e^−z overflows, or the divisor leaves the division's domain, 1 / (1 + e^−z) is 0: as a quotient by infinity, or on a
// device that flushes the reciprocal of so large a number. Where rounding is not to nearest, e^−z may stop at the largest
// number instead of infinity (IEEE 754-2019, 7.4), and the quotient is about 2⁻¹²⁸. The exact σ(z) is below 2⁻¹²⁵ there, and
// all from zero to 2⁻¹²⁵ is allowed.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { exp2, reciprocal } from "../domains.ts";
import { dtypes } from "../dtype.ts";
import { powerOfTwo } from "../elementary.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as swiglu from "./swiglu.ts";

/** Covered in either direction. */
const sigmoids = {
  "sigma-stable": "σ(z) from e^−|z|, as e / (1 + e) for z < 0",
  "sigma-plain": "σ(z) as 1 / (1 + e^−z), 0 where e^−z overflows",
  "base-e": "e^x",
  "base-2": "2^(x · log2 e)",
} as const;

export const forward = defineOp({
  name: "swiglu.forward",
  summary: "y = silu(gate) · up,  silu(z) = z / (1 + e^−z)",
  inputs: { gate: "R,F", up: "R,F" },
  integers: [],
  scalars: {},
  outputs: { y: "R,F" },
  stores: { silu: "silu(gate)" },
  sums: none("sums of two terms"),
  covered: {
    ...sigmoids,
    "silu-first": "(gate · σ) · up",
    "up-first": "gate · (σ · up)",
    "silu-quotient": "silu as one quotient, gate / (1 + e^−gate) or gate · e^gate / (1 + e^gate)",
    "product-quotient": "(gate · up) / (1 + e^−gate)",
  },
  exact: none("an exponential"),
  wide: none("no statistic, loss or angle"),
  evaluate: ({ gate, up }) => swiglu.forward(gate, up),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "swiglu.backward",
  summary: "dgate = dy · up · σ(gate) · (1 + gate · (1 − σ(gate))),  dup = dy · silu(gate)",
  inputs: { dy: "R,F", gate: "R,F", up: "R,F" },
  integers: [],
  scalars: {},
  outputs: { dgate: "R,F", dup: "R,F" },
  stores: { silu: "silu(gate)", dsilu: "dy · up" },
  sums: none("sums of two terms"),
  covered: {
    ...sigmoids,
    "complement-mirrored": "1 − σ(z) as σ(−z)",
    "complement-difference": "1 − σ(z) as a difference",
    "multiplied-out":
      "the derivative multiplied out, σ + z · σ · (1 − σ), but not silu + σ · (1 − silu), which cancels for large z",
    "slope-last": "dgate as ((dy · up) · σ) · (1 + z · (1 − σ))",
    "silu-quotient": "silu in dup as one quotient",
    "product-quotient": "dup as (dy · gate) / (1 + e^−gate)",
  },
  exact: none("an exponential"),
  wide: none("no statistic, loss or angle"),
  evaluate: ({ dy, gate, up }) => swiglu.backward(dy, gate, up),
  bound: backwardBound,
});

/** gate, up: [R, F] → an allowance for each element of y. silu(gate) may be declared as stored low. */
function forwardBound(
  { gate, up }: Reals<"gate" | "up">,
  _: object,
  target: Target,
  errors: Errors<"gate" | "up"> = {},
): Allowances<"y"> {
  checkShapes({ gate: [gate, "R,F"], up: [up, "R,F"] });
  const a = new Arithmetic(target);
  const gateAt = reader(gate, errors.gate);
  const upAt = reader(up, errors.up);
  const y = allowances(gate.shape);
  for (let i = 0; i < y.data.length; i++) {
    const z = gateAt(i);
    const s = new Sigmoid(a, z);
    y.data[i] = a.either(
      a.product(z, s.factor, upAt(i)),
      a.multiply(a.store("silu", silu(a, z, s)), upAt(i)),
      s.quotient(z, upAt(i)),
    ).error;
  }
  return { y };
}

/** dy, gate, up: [R, F] → allowances for dgate and dup. silu(gate) and its gradient dy · up may be declared as stored low. */
function backwardBound(
  { dy, gate, up }: Reals<"dy" | "gate" | "up">,
  _: object,
  target: Target,
  errors: Errors<"dy" | "gate" | "up"> = {},
): Allowances<"dgate" | "dup"> {
  checkShapes({ dy: [dy, "R,F"], gate: [gate, "R,F"], up: [up, "R,F"] });
  const a = new Arithmetic(target);
  const dyAt = reader(dy, errors.dy);
  const gateAt = reader(gate, errors.gate);
  const upAt = reader(up, errors.up);
  const dgate = allowances(gate.shape);
  const dup = allowances(up.shape);
  for (let i = 0; i < dgate.data.length; i++) {
    const z = gateAt(i);
    const s = new Sigmoid(a, z);
    // Computed as a difference, 1 − σ(z) cancels; computed as σ(−z) it does not.
    const complement = a.either(new Sigmoid(a, a.negate(z)).value, a.subtract(a.exact(1), s.value));
    const rest = a.add(a.exact(1), a.multiply(z, complement));
    // The same, multiplied out.
    const slope = a.either(a.multiply(s.value, rest), a.add(s.value, a.product(z, s.factor, complement)));
    const dsilu = a.store("dsilu", a.multiply(dyAt(i), upAt(i)));
    dgate.data[i] = a.either(
      a.product(dyAt(i), upAt(i), slope),
      a.product(dyAt(i), upAt(i), s.factor, rest), // dy · up · σ may be subnormal where the rest is large
      a.multiply(dsilu, slope),
      a.product(dsilu, s.factor, rest),
    ).error;
    dup.data[i] = a.either(
      a.product(dyAt(i), z, s.factor),
      a.multiply(dyAt(i), a.store("silu", silu(a, z, s))),
      s.quotient(dyAt(i), z),
    ).error;
  }
  return { dgate, dup };
}

/** silu(z) as a product and as one quotient. */
function silu(a: Arithmetic, z: Approx, s: Sigmoid): Approx {
  return a.either(a.multiply(z, s.value), s.quotient(z));
}

/** What a quotient by the largest number may be, at most. */
const LEAST_QUOTIENT = (1 + powerOfTwo(-20)) / dtypes.float32.max;

/** σ(z) in every covered form. */
export class Sigmoid {
  /** As a number of its own. */
  readonly value: Approx;
  /** As a factor of a product: its divisor may divide any of the other factors instead. */
  readonly factor: Approx;
  private readonly a: Arithmetic;
  /** The forms of σ as a quotient: numerator and divisor. */
  private readonly forms: readonly (readonly [numerator: Approx, divisor: Approx])[];
  /** What 1 / (1 + e^−z) may be where it has no quotient; undefined where it has. */
  private readonly vanished: Approx | undefined;

  constructor(a: Arithmetic, z: Approx) {
    const [one, e] = [a.exact(1), exponential(a, a.negate(a.abs(z)))];
    const divisor = a.add(one, e);
    const plain = a.add(one, exponential(a, a.negate(z)));
    const hasPlain = a.divide(one, plain).error < Infinity;
    this.a = a;
    this.forms = [[z.value < 0 ? e : one, divisor], ...(hasPlain ? [[one, plain] as const] : [])];
    const isToNearest = a.u === dtypes.float32.u;
    this.vanished = hasPlain ? undefined : { value: 0, error: isToNearest ? 0 : LEAST_QUOTIENT };
    this.value = this.either(([top, bottom]) => a.divide(top, bottom), this.vanished);
    this.factor = this.either(([top, bottom]) => a.product(top, reciprocal(a, bottom)), this.vanished);
  }

  /** The product of the factors and σ, as one quotient. */
  quotient(...factors: readonly Approx[]): Approx {
    const { a, vanished } = this;
    return this.either(
      ([top, bottom]) => a.divide(top.value === 1 ? a.product(...factors) : a.product(...factors, top), bottom),
      vanished && a.product(...factors, vanished),
    );
  }

  private either(of: (form: readonly [Approx, Approx]) => Approx, other: Approx | undefined): Approx {
    const [first, ...others] = this.forms.map(of);
    return this.a.either(first, ...others, ...(other === undefined ? [] : [other]));
  }
}

/** e^x, by its own function or as 2^(x · log2 e). Where a target promises nothing at all of one of them, the other is taken. */
function exponential(a: Arithmetic, x: Approx): Approx {
  const { exp, exp2: binary } = a.target.functions;
  const inBase2 = (): Approx => exp2(a, a.multiply(x, a.constant(Math.LOG2E)));
  if (binary.length === 0) return a.exp(x);
  return exp.length === 0 ? inBase2() : a.either(a.exp(x), inBase2());
}
