// How far a correct SwiGLU may land. The rows list the forms that are covered; products may be in any association. σ has a file of its
// own (swiglu.sigmoid.bound.ts).
//
// Not covered: the derivative as silu + σ · (1 − silu), σ + silu − silu · σ, σ · (1 + z − silu) or σ · (1 + (z − z · σ)). For large z two numbers near z cancel to 1,
// each rounded on its own, so that they err up to twice as much as the forms with 1 − σ do, and the bound would grow with them.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import { Sigmoid } from "./swiglu.sigmoid.bound.ts";
import * as swiglu from "./swiglu.ts";

/** Covered in either direction. */
const sigmoids = {
  "sigma-stable": "σ(z) from e^−|z|, as e / (1 + e) for z < 0",
  "sigma-plain": "σ(z) as 1 / (1 + e^−z), 0 where e^−z overflows",
  "base-e": "e^x",
  "base-2": "2^(x · log2 e)",
} as const;

/** Covered where the target states these functions. */
const stated = {
  "sigma-by-tanh": "σ(z) as ½ + ½ · tanh(z / 2), for a target that states tanh",
  "silu-by-tanh": "silu as z / 2 · tanh(z / 2) + z / 2, for a target that states tanh",
  "sigma-by-function": "σ(z) by its own function, for a target that states sigmoid",
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
    ...stated,
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
    ...stated,
  },
  uncovered: {
    "silu's slope as silu + σ · (1 − silu), σ + silu − silu · σ, σ · (1 + z − silu) or σ · (1 + (z − z · σ))":
      "for large z two numbers near z cancel to 1, each rounded on its own: up to twice the error of the forms with 1 − σ",
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

/** silu(z) as a product, as one quotient, and by tanh. */
function silu(a: Arithmetic, z: Approx, s: Sigmoid): Approx {
  const [both, byTanh] = [a.either(a.multiply(z, s.value), s.quotient(z)), s.siluByTanh()];
  return byTanh === undefined ? both : a.either(both, byTanh);
}
