// exp, log, sin, cos and powers in BigInt fixed point with 320 bits: the truth for reference/elementary.ts, with which it
// shares no code. A double is an integer times a power of two, so inputs are exact.

/** mantissa · 2^exponent, within 2⁻²⁰⁰ of the value it stands for, relative (or exact). */
export interface Exact {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Bits after the binary point. */
const BITS = 320;

/** A finite double, exactly. Throws RangeError for NaN and infinities. */
export function fromNumber(x: number): Exact {
  if (!Number.isFinite(x)) throw new RangeError(`an exact value needs a finite number, got ${x}`);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const word = view.getBigUint64(0);
  const biased = Number((word >> 52n) & 2047n);
  const fraction = word & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: word >> 63n === 0n ? mantissa : -mantissa, exponent: Math.max(biased, 1) - 1075 };
}

/** The nearest double; halves go away from zero. */
export function toNumber(x: Exact): number {
  const magnitude = x.mantissa < 0n ? -x.mantissa : x.mantissa;
  if (magnitude === 0n) return 0;
  const lastBit = ulpExponent(x);
  const drop = lastBit - x.exponent;
  const kept = drop > 0 ? (magnitude + (1n << BigInt(drop - 1))) >> BigInt(drop) : magnitude << BigInt(-drop);
  // two factors, because 2^lastBit alone may be subnormal while kept is large; each product is exact or overflows
  const value = Number(kept) * scale(Math.max(lastBit, -1000)) * scale(Math.min(lastBit + 1000, 0));
  return x.mantissa < 0n ? -value : value;
}

const scale = (k: number): number => (k >= 0 ? Number(1n << BigInt(k)) : 1 / Number(1n << BigInt(-k)));

/** The number of bits of |n|. */
function bitLength(n: bigint): number {
  const magnitude = n < 0n ? -n : n;
  return magnitude === 0n ? 0 : (magnitude.toString(16).length - 1) * 4 + hexDigitBits(magnitude);
}

const hexDigitBits = (n: bigint): number => 32 - Math.clz32(Number.parseInt(n.toString(16)[0], 16));

/** e, where 2^e is the distance of neighbouring doubles at x: that of its binade, or of the subnormals. */
function ulpExponent(x: Exact): number {
  return Math.max(bitLength(x.mantissa) + x.exponent - 53, -1074);
}

/** ±2¹⁰²⁴, the double that would follow the largest: the value that an infinity stands for. */
const infinity = (sign: bigint): Exact => ({ mantissa: sign, exponent: 1024 });

/**
 * |got − exact| in ulps of the exact value. Infinities, and exact values from 2¹⁰²⁴ on, count as ±2¹⁰²⁴. NaN gives NaN,
 * so compare as !(error <= bound).
 */
export function ulpError(got: number, exact: Exact): number {
  if (Number.isNaN(got)) return NaN;
  const isBeyond = bitLength(exact.mantissa) + exact.exponent > 1024;
  const want = isBeyond ? infinity(exact.mantissa < 0n ? -1n : 1n) : exact;
  const g = Number.isFinite(got) ? fromNumber(got) : infinity(got > 0 ? 1n : -1n);
  const lowest = Math.min(g.exponent, want.exponent);
  const difference = (g.mantissa << BigInt(g.exponent - lowest)) - (want.mantissa << BigInt(want.exponent - lowest));
  const magnitude = difference < 0n ? -difference : difference;
  const shift = ulpExponent(want) - lowest - 40; // 40 bits of a fraction of an ulp are enough to read
  return Number(shift >= 0 ? magnitude >> BigInt(shift) : magnitude << BigInt(-shift)) / scale(40);
}

/** ⌊x · 2^bits⌋. */
function fixed(x: Exact, bits: number): bigint {
  const shift = x.exponent + bits;
  return shift >= 0 ? x.mantissa << BigInt(shift) : x.mantissa >> BigInt(-shift);
}

/** Sum of the terms first, next(first, 1), next(…, 2), … until they vanish. */
function series(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let sum = 0n;
  for (let term = first, n = 1n; term !== 0n && term !== -1n; term = next(term, n++)) sum += term;
  return sum;
}

/** 2 · atanh(1/n) or atan(1/n) in fixed point: Σ ± 1/((2i+1) n^(2i+1)). */
function inverseSeries(n: bigint, sign: bigint, bits: number): bigint {
  let sum = 0n;
  let inverse = (1n << BigInt(bits)) / n;
  for (let i = 1n, s = 1n; inverse !== 0n; i += 2n, s *= sign, inverse /= n * n) sum += (s * inverse) / i;
  return sum;
}

const constants = new Map<string, bigint>();

/** ⌊value · 2^bits⌋, remembered, from a formula that is evaluated with 64 bits more. */
function constant(name: string, bits: number, formula: (bits: number) => bigint): bigint {
  const key = `${name} ${bits}`;
  const known = constants.get(key);
  if (known !== undefined) return known;
  const value = formula(bits + 64) >> 64n;
  constants.set(key, value);
  return value;
}

/** π · 2^bits = 16 atan(1/5) − 4 atan(1/239) (Machin 1706). */
export function pi(bits: number): bigint {
  return constant("pi", bits, (b) => 16n * inverseSeries(5n, -1n, b) - 4n * inverseSeries(239n, -1n, b));
}

/** ln 2 · 2^bits = 2 atanh(1/3). */
export function ln2(bits: number): bigint {
  return constant("ln2", bits, (b) => 2n * inverseSeries(3n, 1n, b));
}

/** e^(x · 2^−BITS) as mantissa · 2^exponent: x = k ln 2 + r, and e^r by squaring e^(r/2¹²) twelve times. */
function expFixed(x: bigint): Exact {
  const guard = 40;
  const bits = BITS + guard;
  const wide = x << BigInt(guard);
  const k = wide / ln2(bits);
  const r = (wide - k * ln2(bits)) >> 12n;
  const one = 1n << BigInt(bits);
  let value = series(one, (term, n) => ((term * r) >> BigInt(bits)) / n);
  for (let i = 0; i < 12; i++) value = (value * value) >> BigInt(bits);
  return { mantissa: value, exponent: Number(k) - bits };
}

/** eˣ for a finite |x| < 10⁴. */
export function exp(x: number): Exact {
  return expFixed(fixed(fromNumber(x), BITS));
}

/** ln x · 2^BITS for x > 0: a guess y, then y + ln(1 + δ), δ = x e^−y − 1, which does not depend on the guess. */
function logFixed(x: number): bigint {
  const { mantissa, exponent } = fromNumber(x);
  const length = bitLength(mantissa);
  const m = mantissa << BigInt(BITS - length + 1); // in [1, 2)
  const guess = fixed(fromNumber(Math.log(Number(mantissa) / scale(length - 1))), BITS);
  const inverse = fixed(expFixed(-guess), BITS);
  const one = 1n << BigInt(BITS);
  const delta = ((m * inverse) >> BigInt(BITS)) - one;
  if (bitLength(delta) > BITS - 40) throw new RangeError(`the guess for ln ${x} is not within 2^-40`);
  let sum = 0n;
  for (let n = 1n, term = delta; n <= 8n; n++, term = -((term * delta) >> BigInt(BITS))) sum += term / n;
  return guess + sum + BigInt(exponent + length - 1) * ln2(BITS);
}

/** ln x for a finite x > 0. */
export function log(x: number): Exact {
  return { mantissa: logFixed(x), exponent: -BITS };
}

/** baseᵃ, a = exponent, for a finite base > 0 and |a ln base| < 10⁴. */
export function power(base: number, exponent: number): Exact {
  const a = fromNumber(exponent);
  const product = a.mantissa * logFixed(base);
  return expFixed(a.exponent >= 0 ? product << BigInt(a.exponent) : product >> BigInt(-a.exponent));
}

/** sin x and cos x for |x| ≤ 2⁶⁰, with BITS bits after the first bit of x itself, so that sin x of a small x keeps them. */
export function sinCos(x: number): { sin: Exact; cos: Exact } {
  const exact = fromNumber(x);
  const bits = BITS + Math.max(0, Math.ceil(-(bitLength(exact.mantissa) + exact.exponent) / 64) * 64);
  const wide = fixed(exact, bits);
  const halfPi = pi(bits) >> 1n;
  const k = (2n * wide + halfPi) / (2n * halfPi) - (2n * wide + halfPi < 0n ? 1n : 0n); // ⌊x/(π/2) + ½⌋
  const r = wide - k * halfPi;
  const square = (r * r) >> BigInt(bits);
  const alternating = (first: bigint, offset: bigint): bigint =>
    series(first, (term, n) => -((term * square) >> BigInt(bits)) / ((2n * n - 1n + offset) * (2n * n + offset)));
  const s = alternating(r, 1n);
  const c = alternating(1n << BigInt(bits), 0n);
  const [sine, cosine] = [
    [s, c],
    [c, -s],
    [-s, -c],
    [-c, s],
  ][Number(((k % 4n) + 4n) % 4n)];
  return { sin: { mantissa: sine, exponent: -bits }, cos: { mantissa: cosine, exponent: -bits } };
}
