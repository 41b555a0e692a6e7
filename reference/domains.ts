// For the bounds, in addition to a target's table of functions: square roots of values that may be zero, reciprocals used as
// factors, and powers.
import { log, power } from "./elementary.ts";
import type { Approx, Arithmetic } from "./rounding.ts";

/**
 * √x for an x that may be as small as zero. WGSL promises nothing about √ below 2⁻¹²⁶: its accuracy is that of
 * 1 / inverseSqrt(x) (section 15.7.4.1), which passes through an infinity at zero. A correct kernel avoids that: it takes 0
 * for the root, or the root of 2⁻¹²⁶, 10⁻¹⁹, or runs where √0 = 0 is promised. So every result between these is covered.
 */
export function rootFromZero(a: Arithmetic, x: Approx): Approx {
  const direct = a.sqrt(x);
  const { minNormal } = a.format;
  if (x.value - x.error >= minNormal || !(x.error < Infinity)) return direct;
  const highest = a.sqrt(a.exact(Math.max(minNormal, x.value + x.error)));
  const error = Math.max(direct.value, highest.value + highest.error - direct.value);
  return { value: direct.value, error: error >= 0 ? error : Infinity };
}

/** log2 x of a positive number. */
export function log2(a: Arithmetic, x: number): Approx {
  const value = log(x) / log(2);
  return { value, error: a.accuracy("log2", a.exact(x), Math.abs(value)) };
}

export function exp2(a: Arithmetic, x: Approx): Approx {
  const value = power(2, x.value);
  const highest = power(2, x.value + x.error);
  const error = Math.max(highest - value, value - power(2, x.value - x.error));
  return a.rounded(value, error + a.accuracy("exp2", x, highest), 0);
}

/**
 * baseⁿ for a float32 base above 0 and a whole n ≥ 1: a running product over n steps, exp2(n · log2(base)), and the
 * target's own pow if it has one. Where the target promises nothing about a function, the way that calls it is not covered.
 */
export function wholePower(a: Arithmetic, base: number, n: number): Approx {
  const value = power(base, n);
  const product = a.rounded(value, n * a.format.minSubnormal, n - 1);
  const byLogarithm = exp2(a, a.multiply(a.exact(n), log2(a, base)));
  const direct = a.rounded(value, a.accuracy("pow", a.exact(base), value), 0);
  return a.either(product, ...[byLogarithm, direct].filter(({ error }) => error < Infinity));
}

/** An accuracy as a share of the result: largest for a result of 1, where the units in the last place are the widest. */
export function shareOf(a: Arithmetic, name: "sqrt" | "divide", x: Approx): number {
  return a.accuracy(name, x, 1);
}

/** 1 / x as a factor of a quotient with an unknown numerator: its relative error is the one that a quotient may have. */
export function reciprocal(a: Arithmetic, x: Approx): Approx {
  const direct = a.divide(a.exact(1), x);
  if (!(direct.error < Infinity)) return direct;
  const inherited = (Math.abs(direct.value) * x.error) / (Math.abs(x.value) - x.error);
  const own = shareOf(a, "divide", a.abs(x)) * (Math.abs(direct.value) + inherited);
  return a.rounded(direct.value, inherited + own, 0);
}

/**
 * The product of the factors, divided by `divisor` at any place among them. A factor or a partial product that was flushed to
 * zero has some subnormal number for a quotient (WGSL 15.7.4.1), which the other factors then enlarge.
 */
export function quotient(a: Arithmetic, divisor: Approx, ...factors: readonly Approx[]): Approx {
  const { value, error } = a.product(...factors, reciprocal(a, divisor));
  if (!a.target.flushes) return { value, error };
  const most = factors.reduce((product, f) => product * Math.max(1, Math.abs(f.value) + f.error), 1);
  return { value, error: error + most * a.accuracy("divide", a.abs(divisor), 0) };
}
