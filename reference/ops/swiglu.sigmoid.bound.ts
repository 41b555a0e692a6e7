// σ(z) in every covered form, and how far each may lie off.
//
// e^x may be 2^(x · log2 e), as Triton's exp is: log2 e and the product are rounded, so that its relative error grows by 2u for
// each 1 of |x|.
//
// As a quotient with the divisor 1 + e^−z, σ may have any of the other factors in its numerator. A quotient errs by units in
// the last place of its own result, which are up to twice as large a share of it as they are of σ: so σ is a factor with
// the relative error that any quotient may have (`reciprocal`). A quotient of zero may be a subnormal number (WGSL 15.7.4.1),
// which up or dy enlarges.
//
// Where e^−z overflows, or the divisor leaves the division's domain, 1 / (1 + e^−z) is 0: as a quotient by infinity, or on a
// device that flushes the reciprocal of so large a number. Where rounding is not to nearest, e^−z may stop at the largest
// number instead of infinity (IEEE 754-2019, 7.4), and the quotient is about 2⁻¹²⁸. The exact σ(z) is below 2⁻¹²⁵ there, and
// all from zero to 2⁻¹²⁵ is allowed.
//
// A target that states tanh or sigmoid admits a σ by these functions: ½ + ½ · tanh(z / 2), where both halvings are exact and the sum is rounded, and silu as
// z / 2 · tanh(z / 2) + z / 2; or σ itself. Their errors are often absolute, so that silu of a z far below 0 has no accurate digit.
import { exp2, reciprocal } from "../domains.ts";
import { exp, powerOfTwo } from "../elementary.ts";
import type { Approx, Arithmetic } from "../rounding.ts";

/** By how much a quotient by the largest number exceeds the exact one, at most. */
const QUOTIENT_GROWTH = { float32: powerOfTwo(-20), float16: powerOfTwo(-7) };

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
  private readonly z: Approx;
  /** σ by the functions that the target states. */
  private readonly stated: readonly Approx[];
  /** No exponential is promised, so there are no other forms. */
  private readonly needsStated: boolean;

  constructor(a: Arithmetic, z: Approx) {
    const [one, e] = [a.exact(1), exponential(a, a.negate(a.abs(z)))];
    const divisor = a.add(one, e);
    const plain = a.add(one, exponential(a, a.negate(z)));
    const hasPlain = a.divide(one, plain).error < Infinity;
    this.a = a;
    this.z = z;
    const { exp: natural, exp2: binary, tanh: byTanh, sigmoid } = a.target.functions;
    this.stated = [
      ...(byTanh.length === 0 ? [] : [this.byTanh()]),
      ...(sigmoid.length === 0 ? [] : [a.increasing("sigmoid", sigma, z)]),
    ];
    this.needsStated = natural.length + binary.length === 0 && this.stated.length > 0;
    this.forms = [[z.value < 0 ? e : one, divisor], ...(hasPlain ? [[one, plain] as const] : [])];
    const isToNearest = a.u === a.format.u;
    const leastQuotient = (1 + QUOTIENT_GROWTH[a.target.arithmetic ?? "float32"]) / a.format.max;
    this.vanished = hasPlain ? undefined : { value: 0, error: isToNearest ? 0 : leastQuotient };
    this.value = this.either(([top, bottom]) => a.divide(top, bottom), this.vanished, this.stated);
    this.factor = this.either(([top, bottom]) => a.product(top, reciprocal(a, bottom)), this.vanished, this.stated);
  }

  /** z / 2, which is exact but below the normal range. */
  private half(): Approx {
    return this.a.rounded(this.z.value / 2, this.z.error / 2, 0);
  }

  private byTanh(): Approx {
    const t = this.a.increasing("tanh", tanh, this.half());
    return this.a.add(this.a.exact(0.5), this.a.rounded(t.value / 2, t.error / 2, 0));
  }

  /** z / 2 · tanh(z / 2) + z / 2, fused or not; undefined where the target does not state tanh. */
  siluByTanh(): Approx | undefined {
    const { a } = this;
    if (a.target.functions.tanh.length === 0) return undefined;
    const half = this.half();
    return a.add(a.multiply(half, a.increasing("tanh", tanh, half)), half);
  }

  /** The product of the factors and σ, as one quotient. */
  quotient(...factors: readonly Approx[]): Approx {
    const { a, vanished } = this;
    return this.either(
      ([top, bottom]) => a.divide(top.value === 1 ? a.product(...factors) : a.product(...factors, top), bottom),
      vanished && a.product(...factors, vanished),
      this.stated.map((s) => a.product(...factors, s)),
    );
  }

  private either(
    of: (form: readonly [Approx, Approx]) => Approx,
    other: Approx | undefined,
    stated: readonly Approx[],
  ): Approx {
    const quotients = this.needsStated ? [] : [...this.forms.map(of), ...(other === undefined ? [] : [other])];
    const [first, ...others] = [...quotients, ...stated];
    return this.a.either(first, ...others);
  }
}

/** e^x, by its own function or as 2^(x · log2 e). Where a target promises nothing at all of one of them, the other is taken. */
function exponential(a: Arithmetic, x: Approx): Approx {
  const { exp: natural, exp2: binary } = a.target.functions;
  const inBase2 = (): Approx => exp2(a, a.multiply(x, a.constant(Math.LOG2E)));
  if (binary.length === 0) return a.exp(x);
  return natural.length === 0 ? inBase2() : a.either(a.exp(x), inBase2());
}

/** σ(z), stable on either side. */
function sigma(z: number): number {
  const e = exp(-Math.abs(z));
  return (z < 0 ? e : 1) / (1 + e);
}

/** tanh x; by its series where the difference of the quotient would cancel. */
function tanh(x: number): number {
  const square = x * x;
  if (square < powerOfTwo(-12)) return x * (1 - (square / 3) * (1 - (2 * square) / 5 + (17 * square * square) / 105));
  const e = exp(-2 * Math.abs(x));
  return Math.sign(x) * ((1 - e) / (1 + e));
}
