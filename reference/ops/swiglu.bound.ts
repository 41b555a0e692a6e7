// How far a correct SwiGLU may land. The rows list the forms that are covered; products may be in any association.
//
// As one quotient, gate / (1 + e^−gate), silu differs from gate · σ only at a gate of 0: WGSL's quotient of zero may be a
// subnormal number, which up or dy enlarges.
//
// Where e^−z overflows, or the divisor leaves the division's domain, 1 / (1 + e^−z) is 0: as a quotient by infinity, or on a
// device that flushes the reciprocal of so large a number. The exact σ(z) is below 2⁻¹²⁵ there, and zero is allowed.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
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
} as const;

export const forward = defineOp({
  name: "swiglu.forward",
  summary: "y = silu(gate) · up,  silu(z) = z / (1 + e^−z)",
  inputs: { gate: "R,F", up: "R,F" },
  integers: [],
  scalars: {},
  outputs: { y: "R,F" },
  stores: { silu: "silu(gate)" },
  covered: {
    ...sigmoids,
    "silu-first": "(gate · σ) · up",
    "up-first": "gate · (σ · up)",
    "silu-quotient": "silu as one quotient, gate / (1 + e^−gate) or gate · e^gate / (1 + e^gate)",
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
  covered: {
    ...sigmoids,
    "complement-mirrored": "1 − σ(z) as σ(−z)",
    "complement-difference": "1 − σ(z) as a difference",
    "multiplied-out": "the derivative multiplied out, σ + z · σ · (1 − σ)",
    "silu-quotient": "silu in dup as one quotient",
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
    const s = sigmoid(a, z);
    const silu = a.either(a.multiply(z, s), siluAsQuotient(a, z));
    y.data[i] = a.either(a.product(z, s, upAt(i)), a.multiply(a.store("silu", silu), upAt(i))).error;
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
    const s = sigmoid(a, z);
    // Computed as a difference, 1 − σ(z) cancels; computed as σ(−z) it does not.
    const complement = a.either(sigmoid(a, a.negate(z)), a.subtract(a.exact(1), s));
    const slope = a.multiply(s, a.add(a.exact(1), a.multiply(z, complement)));
    const sum = a.add(s, a.product(z, s, complement)); // the same, multiplied out
    const dsilu = a.store("dsilu", a.multiply(dyAt(i), upAt(i)));
    dgate.data[i] = a.either(
      a.product(dyAt(i), upAt(i), a.either(slope, sum)),
      a.multiply(dsilu, a.either(slope, sum)),
    ).error;
    const silu = a.either(a.multiply(z, s), siluAsQuotient(a, z));
    dup.data[i] = a.either(a.product(dyAt(i), z, s), a.multiply(dyAt(i), a.store("silu", silu))).error;
  }
  return { dgate, dup };
}

/** σ(z) in every covered form. */
export function sigmoid(a: Arithmetic, z: Approx): Approx {
  const e = a.exp(a.negate(a.abs(z)));
  const below = a.divide(e, a.add(a.exact(1), e));
  const above = a.divide(a.exact(1), a.add(a.exact(1), e));
  const stable = z.value < 0 ? below : above;
  const plain = a.divide(a.exact(1), a.add(a.exact(1), a.exp(a.negate(z))));
  return a.either(stable, plain.error < Infinity ? plain : a.exact(0));
}

/** gate / (1 + e^−gate), whose quotient of zero may be a subnormal number (WGSL 15.7.4.1). */
function siluAsQuotient(a: Arithmetic, z: Approx): Approx {
  const e = a.exp(a.negate(a.abs(z)));
  const divisor = a.add(a.exact(1), e);
  const stable = a.divide(z.value < 0 ? a.multiply(z, e) : z, divisor);
  const plain = a.divide(z, a.add(a.exact(1), a.exp(a.negate(z))));
  return a.either(stable, plain.error < Infinity ? plain : a.exact(0));
}
