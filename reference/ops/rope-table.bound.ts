// How far a correct table of RoPE's angles may land.
//
// Most of the bound is the error of a frequency times the position: that is the price of float32 angles. The row lists the
// forms that are covered: the position times a frequency, rounded; a reduction of the angle to [−π, π] that errs like two
// roundings of the angle, and then like two roundings of the reduced angle; and the target's functions of that, or better
// ones. Calling the target's sine beyond its domain (WGSL: [−π, π]) is not covered, because nothing is promised there. Nor
// are frequencies as powers of theta^(−2/HS) by repeated multiplication, and rotations that add up.
//
// With 2π as one float32 number c, k · c errs by two roundings of k · 2π: the constant's and the product's. k · 2π is the angle
// less what is left, so these are at most two roundings of the angle and two of the reduced angle. The difference is exact
// (Sterbenz 1974): k · c lies within a factor of 2 of the angle. With exact frequencies such a reduction more than doubles the
// error of an angle, and still lies below what float32 frequencies cost: the bound cannot tell the two apart.
//
// Where the error of an angle is larger than a turn, only the range [−1, 1] of sine and cosine is judged.
// A kernel that computes frequencies or angles better could declare it, as a target whose exp2, log2, sin and cos are better.
import { type Allowances, allowances } from "../bounds.ts";
import { exp2, log2, reciprocal } from "../domains.ts";
import { cos as cosine, power, sin as sine } from "../elementary.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as ropeTable from "./rope-table.ts";

const { PI } = Math;

export const forward = defineOp({
  name: "rope-table.forward",
  summary: "cos and sin of (start + t) · theta^(−2i / HS)",
  inputs: {},
  integers: [],
  scalars: { theta: "real", HS: "axis", start: "integer", T: "axis" },
  outputs: { cos: "T,HS/2", sin: "T,HS/2" },
  stores: none("an angle of low precision is no angle of that position"),
  sums: none("no sum"),
  covered: {
    "negative-power-base-2": "a frequency as theta^(−2i/HS), by exp2 and log2",
    "inverse-power-base-2": "as 1 / theta^(2i/HS), by exp2 and log2",
    "negative-power-base-e": "as theta^(−2i/HS), by exp and log",
    "power-of-index": "as e^(i · (−2 ln theta / HS)), the exponent's factors in another association",
    "from-the-host": "computed elsewhere and rounded once",
    "inverse-power-base-e": "as 1 / theta^(2i/HS), by exp and log",
    "reduced-in-turns":
      "the angle reduced in turns, x/2π − ⌊x/2π + ½⌋; sine and cosine by the target's functions or better ones",
    "reduced-in-pieces": "2π subtracted in two pieces, with at most two roundings of the angle",
    "reduced-by-one-constant": "k · 2π subtracted, 2π as one float32 number",
  },
  uncovered: {
    "the target's sine and cosine beyond their domain": "nothing is promised there (WGSL: outside [−π, π])",
    "frequencies by repeated multiplication, rotations that add up":
      "their errors grow with the frequency's number or the position",
  },
  exact: none("sine and cosine"),
  wide: ["cos", "sin"],
  evaluate: (_, { theta, HS, start, T }, Storage) => ropeTable.forward(theta, HS, start, T, Storage),
  bound: forwardBound,
});

/** theta, HS, start, T as in the op → allowances for cos and sin, [T, HS/2]. */
function forwardBound(
  _: object,
  { theta, HS, start, T }: Readonly<Record<"theta" | "HS" | "start" | "T", number>>,
  target: Target,
): Allowances<"cos" | "sin"> {
  const a = new Arithmetic(target);
  const half = HS / 2;
  const cos = allowances([T, half]);
  const sin = allowances([T, half]);
  for (let i = 0; i < half; i++) {
    const frequency = frequencyOf(a, theta, HS, i);
    for (let t = 0; t < T; t++) {
      const product = a.multiply(a.exact(start + t), frequency);
      const angle = a.rounded(product.value, product.error, 2);
      const left = angle.value - 2 * PI * Math.round(angle.value / (2 * PI));
      const error = angle.error + a.rounded(left, 0, 2).error;
      const c = cosine(angle.value);
      const s = sine(angle.value);
      cos.data[t * half + i] = waveError(a, "cos", left, error, c, s);
      sin.data[t * half + i] = waveError(a, "sin", left, error, s, c);
    }
  }
  return { cos, sin };
}

/** theta^(−2i/HS) in every covered form. */
function frequencyOf(a: Arithmetic, theta: number, HS: number, i: number): Approx {
  const share = [a.exact(2 * i), reciprocal(a, a.exact(HS))];
  const value = power(theta, (-2 * i) / HS);
  const binary = a.product(...share, log2(a, theta));
  const natural = a.product(...share, a.log(a.exact(theta)));
  return a.either(
    a.exact(value),
    exp2(a, a.negate(binary)),
    a.divide(a.exact(1), exp2(a, binary)),
    a.exp(a.negate(natural)),
    a.divide(a.exact(1), a.exp(natural)),
  );
}

/**
 * The error of sine (or cosine), whose exact value is `value` and whose derivative is ± `slope`, at an angle off by up to
 * `error`: sin(x + e) − sin x = cos x · sin e − sin x · (1 − cos e), with |sin e| ≤ |e| and 1 − cos e ≤ e²/2. `left` is the
 * reduced angle, at which the function's own accuracy counts.
 */
function waveError(
  a: Arithmetic,
  name: "sin" | "cos",
  left: number,
  error: number,
  value: number,
  slope: number,
): number {
  const size = Math.abs(value);
  const chord = error < PI ? Math.abs(slope) * error + (size * error * error) / 2 : Infinity;
  const moved = Math.min(1 + size, chord);
  const reduced = a.exact(Math.max(-PI, Math.min(PI, left)));
  return a.rounded(value, moved + a.accuracy(name, reduced, Math.min(1, size + moved)), 0).error;
}
