// SwiGLU by hand, each listed way of computing as operations on a tape, for one element.
import type { Id, Tape } from "./tape.ts";

type Exponential = (t: Tape, x: Id) => Id;
export const bases: Record<string, Exponential> = {
  e: (t, x) => t.call("exp", x),
  "2": (t, x) => t.call("exp2", t.mul(x, t.constant(Math.LOG2E))),
};
const minus = (t: Tape, x: Id): Id => t.mul(t.constant(-1), x);

/** σ(z). */
export const sigmas: Record<string, (t: Tape, z: Id, exp: Exponential) => Id> = {
  plain: (t, z, exp) => t.div(t.constant(1), t.add(t.constant(1), exp(t, minus(t, z)))),
  stable: (t, z, exp) => {
    if (t.values[z] >= 0) return t.div(t.constant(1), t.add(t.constant(1), exp(t, minus(t, z))));
    const e = exp(t, z);
    return t.div(e, t.add(t.constant(1), e));
  },
};

/** numerator / (1 + e^−z), or numerator · e^z / (1 + e^z) where z < 0. */
const quotients: Record<string, (t: Tape, numerator: Id, z: Id, exp: Exponential) => Id> = {
  plain: (t, numerator, z, exp) => t.div(numerator, t.add(t.constant(1), exp(t, minus(t, z)))),
  stable: (t, numerator, z, exp) => {
    if (t.values[z] >= 0) return quotients.plain(t, numerator, z, exp);
    const e = exp(t, z);
    return t.div(t.mul(numerator, e), t.add(t.constant(1), e));
  },
};

type Forward = (t: Tape, z: Id, up: Id, exp: Exponential) => Id;
export const forwards: Record<string, Forward> = {};
for (const [name, sigma] of Object.entries(sigmas)) {
  forwards[`silu-first ${name}`] = (t, z, up, exp) => t.mul(t.mul(z, sigma(t, z, exp)), up);
  forwards[`up-first ${name}`] = (t, z, up, exp) => t.mul(z, t.mul(sigma(t, z, exp), up));
}
for (const [name, quotient] of Object.entries(quotients)) {
  forwards[`silu-quotient ${name}`] = (t, z, up, exp) => t.mul(quotient(t, z, z, exp), up);
  forwards[`product-quotient ${name}`] = (t, z, up, exp) => quotient(t, t.mul(z, up), z, exp);
}

type Backward = (t: Tape, dy: Id, z: Id, up: Id, exp: Exponential) => Id;
type Slope = (t: Tape, z: Id, s: Id, complement: Id) => Id;
/** 1 + z · (1 − σ) comes with σ before it or multiplied out. */
const slopes: Record<string, Slope> = {
  factored: (t, z, s, rest) => t.mul(s, t.add(t.constant(1), t.mul(z, rest))),
  "multiplied-out": (t, z, s, rest) => t.add(s, t.mul(t.mul(z, s), rest)),
  "multiplied-out, σ(1 − σ) first": (t, z, s, rest) => t.add(s, t.mul(z, t.mul(s, rest))),
};
export const dgates: Record<string, Backward> = {};
for (const [name, sigma] of Object.entries(sigmas)) {
  const complements: Record<string, (t: Tape, z: Id, s: Id, exp: Exponential) => Id> = {
    mirrored: (t, z, _, exp) => sigma(t, minus(t, z), exp),
    difference: (t, _, s) => t.sub(t.constant(1), s),
  };
  for (const [how, complement] of Object.entries(complements)) {
    for (const [form, slope] of Object.entries(slopes)) {
      dgates[`${form} ${name} ${how}`] = (t, dy, z, up, exp) => {
        const s = sigma(t, z, exp);
        return t.mul(t.mul(dy, up), slope(t, z, s, complement(t, z, s, exp)));
      };
    }
    dgates[`slope-last ${name} ${how}`] = (t, dy, z, up, exp) => {
      const s = sigma(t, z, exp);
      const bracket = t.add(t.constant(1), t.mul(z, complement(t, z, s, exp)));
      return t.mul(t.mul(t.mul(dy, up), s), bracket);
    };
  }
}
export const dups: Record<string, Backward> = {};
for (const [name, sigma] of Object.entries(sigmas)) {
  dups[`silu ${name}`] = (t, dy, z, _, exp) => t.mul(dy, t.mul(z, sigma(t, z, exp)));
}
for (const [name, quotient] of Object.entries(quotients)) {
  dups[`silu-quotient ${name}`] = (t, dy, z, _, exp) => t.mul(dy, quotient(t, z, z, exp));
  dups[`product-quotient ${name}`] = (t, dy, z, _, exp) => quotient(t, t.mul(dy, z), z, exp);
}
/** For a target that states tanh. */
export const tanhForwards: Record<string, Forward> = {
  "sigma-by-tanh": (t, z, up) => {
    const half = t.constant(0.5);
    const s = t.add(half, t.mul(half, t.call("tanh", t.mul(half, z))));
    return t.mul(t.mul(z, s), up);
  },
  "silu-by-tanh": (t, z, up) => {
    const half = t.mul(t.constant(0.5), z);
    return t.mul(t.add(t.mul(half, t.call("tanh", half)), half), up);
  },
};
