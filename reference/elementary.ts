// exp, log, sin, cos and powers from + − × ÷ and sqrt alone: the same bits on every engine.
//
// ECMA-262 §21.3.2 (Function Properties of the Math Object) leaves Math.exp, log, sin and cos to the engine's own
// approximation, and §6.1.6.1.3 leaves ** to it; + − × ÷ on Numbers (§6.1.6.1) are those of IEEE 754, rounded to nearest
// even and never fused, and so is Math.sqrt (by the letter since tc39/ecma262 3345 of 2024, in practice before). The error
// of a sum or product of two doubles is therefore a double that can be computed (Dekker 1971). Every series below is a
// plain Taylor series, no coefficient is fitted. Each argument is reduced to where the first term dominates, so that the
// rounding of the last addition, half an ulp, is most of the error.

/**
 * The contract: exp, log, sin, cos and power differ from the exact value by at most this many ulps of float64. The worst
 * seen among a million arguments of each: exp 0.51, and 0.75 where the result is subnormal and therefore rounded twice;
 * log 0.5001; sin and cos 0.76; power 0.51 where |exponent · ln base| ≤ 50, and 0.77 elsewhere.
 */
export const ELEMENTARY_ULPS = 1;

/** The largest |x| that sin and cos take: 2²⁰. */
export const MAX_ANGLE = 1048576;

const MIN_EXPONENT = -1074; // of the smallest subnormal
const MAX_EXPONENT = 1023;

// 2ᵏ at k − MIN_EXPONENT, by doubling, which is exact from the smallest subnormal upwards.
const POWERS_OF_TWO = new Float64Array(MAX_EXPONENT - MIN_EXPONENT + 1);
for (let i = 0, value = Number.MIN_VALUE; i < POWERS_OF_TWO.length; i++, value *= 2) POWERS_OF_TWO[i] = value;

/** 2ᵏ, exact, for an integer k in [−1074, 1023]. Throws RangeError for any other k. */
export function powerOfTwo(k: number): number {
  if (!(Number.isInteger(k) && k >= MIN_EXPONENT && k <= MAX_EXPONENT)) {
    throw new RangeError(`2^k needs an integer k in [${MIN_EXPONENT}, ${MAX_EXPONENT}], got k=${k}`);
  }
  return POWERS_OF_TWO[k - MIN_EXPONENT];
}

/** The unevaluated sum hi + lo, with |lo| at most about half an ulp of hi. */
interface DoubleDouble {
  readonly hi: number;
  readonly lo: number;
}

// ln 2 = 0.B17217F7 D1CF79ABC9E3B 398…₁₆, cut after 32 bits, so that n · LN2_HI is exact for |n| < 2²¹.
const LN2_HI = 0xb17217f7 * powerOfTwo(-32);
const LN2_LO = 0xd1cf79abc9e3b * powerOfTwo(-84);

// π/2 = 1.921FB544 42D18469 898CC517 01B839A252049C 111…₁₆, cut so that k times each of the first three is exact for
// |k| < 2²⁰. Four pieces, because a double within 2²⁰ can lie within 2⁻⁶⁰ of a multiple of π/2 (Cody and Waite 1980).
const HALF_PI_1 = 0x1921fb544 * powerOfTwo(-32);
const HALF_PI_2 = 0x42d18469 * powerOfTwo(-64);
const HALF_PI_3 = 0x898cc517 * powerOfTwo(-96);
const HALF_PI_4 = 0x01b839a252049c * powerOfTwo(-152);
const TWO_OVER_PI = 1 / (HALF_PI_1 + HALF_PI_2);

const SQRT2 = Math.sqrt(2);

/** a = high + low with 26 bits each (Veltkamp 1968), so that products of halves are exact; |a| < 2⁹⁹⁶. */
function highHalf(a: number): number {
  const c = 134217729 * a; // 2²⁷ + 1
  return c - (c - a);
}

/** a · b − product, exact, where product is a · b rounded (Dekker 1971). */
function productError(a: number, b: number, product: number): number {
  const aHigh = highHalf(a);
  const aLow = a - aHigh;
  const bHigh = highHalf(b);
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** a · b; the error is about 2⁻¹⁰³ of the result. */
function multiply(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const product = a.hi * b.hi;
  const rest = productError(a.hi, b.hi, product) + (a.hi * b.lo + a.lo * b.hi);
  const hi = product + rest;
  return { hi, lo: rest - (hi - product) };
}

/** a + b, for |a| ≥ |b| or a = 0; the error is about 2⁻¹⁰⁵ of |a| + |b|. */
function add(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const sum = a.hi + b.hi;
  const rest = b.hi - (sum - a.hi) + (a.lo + b.lo);
  const hi = sum + rest;
  return { hi, lo: rest - (hi - sum) };
}

/** n/d of two doubles; the error is about 2⁻¹⁰⁵ of the result. */
function quotient(n: number, d: number): DoubleDouble {
  const hi = n / d;
  const product = hi * d;
  return { hi, lo: (n - product - productError(hi, d, product)) / d };
}

/** √a by one Newton step from the rounded root; the error is about 2⁻¹⁰⁴ of the result. */
function squareRoot(a: DoubleDouble): DoubleDouble {
  const hi = Math.sqrt(a.hi);
  const square = hi * hi;
  const lo = (a.hi - square - productError(hi, hi, square) + a.lo) / (2 * hi);
  return { hi, lo };
}

// ---------------------------------------------------------------------------------------------------------------------
// exp:  x = n · ln2/128 + r,  n = 128k + j,  |r| ≤ ln2/256:   eˣ = 2ᵏ · 2^(j/128) · eʳ      (Tang 1989, TOMS 15:2)

const LOG2_STEPS = 7;
const STEPS = 1 << LOG2_STEPS;
const STEP_HI = LN2_HI / STEPS;
const STEP_LO = LN2_LO / STEPS;
const STEPS_PER_UNIT = STEPS / (LN2_HI + LN2_LO);

// 2^(j/128) = ROOT_HI[j] + ROOT_LO[j]: products of 2^(1/2), 2^(1/4), … 2^(1/128), one for each binary digit of j.
const ROOT_HI = new Float64Array(STEPS).fill(1);
const ROOT_LO = new Float64Array(STEPS);
for (let bit = STEPS / 2, root: DoubleDouble = { hi: 2, lo: 0 }; bit >= 1; bit /= 2) {
  root = squareRoot(root);
  for (let j = 0; j < STEPS; j++) {
    if ((j & bit) === 0) continue;
    const product = multiply({ hi: ROOT_HI[j], lo: ROOT_LO[j] }, root);
    ROOT_HI[j] = product.hi;
    ROOT_LO[j] = product.lo;
  }
}

// Adding and subtracting it rounds what is below 2⁵¹ to the nearest integer, ties to even: no bit is left below the point.
const TO_INTEGER = 1.5 * powerOfTwo(52);

/** e^(hi + lo), |lo| ≤ 2⁻⁵² · |hi|. */
function expOfSum(hi: number, lo: number): number {
  // Between these limits and the thresholds 709.78 and −745.13 the last product decides.
  if (!(hi >= -746 && hi <= 710)) return hi > 710 ? Infinity : hi < -746 ? 0 : NaN;
  const nearest = hi * STEPS_PER_UNIT + TO_INTEGER - TO_INTEGER;
  const r = hi - nearest * STEP_HI - (nearest * STEP_LO - lo); // the first difference is exact: at most 53 bits are left
  // eʳ − 1; what is left out, r⁶/720, is below 2⁻⁶⁰
  const p = r + r * r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))));
  const n = nearest | 0;
  const j = n & (STEPS - 1);
  const k = n >> LOG2_STEPS;
  const y = ROOT_HI[j] + (ROOT_LO[j] + ROOT_HI[j] * p);
  if (k > MAX_EXPONENT) return y * 2 * POWERS_OF_TWO[k - 1 - MIN_EXPONENT];
  if (k < MIN_EXPONENT) return (y / 16) * POWERS_OF_TWO[k + 4 - MIN_EXPONENT]; // k ≥ −1077, and y/16 is exact
  return y * POWERS_OF_TWO[k - MIN_EXPONENT];
}

/**
 * eˣ within ELEMENTARY_ULPS for every double: Infinity beyond ln(MAX_VALUE), gradual underflow below −708.4, 0 below
 * −745.13, NaN for NaN.
 */
export function exp(x: number): number {
  return expOfSum(x, 0);
}

// ---------------------------------------------------------------------------------------------------------------------
// log:  x = 2ᵏ · m,  √½ < m ≤ √2,  s = (m−1)/(m+1):   ln x = k · ln2 + 2s + 2s³/3 + 2s⁵/5 + …      (|s| ≤ 0.1716)

const TWO_THIRDS = quotient(2, 3);

const bits = new DataView(new ArrayBuffer(8)); // big-endian by default, on every machine

/** ln x for a positive finite x; the error is below 2⁻⁶⁴ of the result. */
function logAsSum(x: number): DoubleDouble {
  const isSubnormal = x < POWERS_OF_TWO[-1022 - MIN_EXPONENT];
  const normal = isSubnormal ? x * 18014398509481984 : x; // 2⁵⁴
  bits.setFloat64(0, normal);
  let k = (bits.getUint16(0) >> 4) - 1023;
  let m = normal * POWERS_OF_TWO[-k - MIN_EXPONENT];
  if (m > SQRT2) {
    m /= 2;
    k += 1;
  }
  if (isSubnormal) k -= 54;

  // m − 1 is exact, m + 1 is d + dLo
  const d = 1 + m;
  const dLo = m - (d - 1);
  const ratio = quotient(m - 1, d);
  const s = { hi: ratio.hi, lo: ratio.lo - (ratio.hi * dLo) / d };
  const s2 = multiply(s, s);
  const s3 = multiply(s, s2);

  // t = 2s²/5 + … + 2s²²/25 is below 0.013 and s³ below 0.0051, so t needs no tail; what is left out, 2s²⁷/27, is below
  // 2⁻⁷². The terms with even and odd powers of z are summed separately: two short chains run in parallel, which is faster
  // than one long one.
  const z = s2.hi;
  const w = z * z;
  const even = 2 / 5 + w * (2 / 9 + w * (2 / 13 + w * (2 / 17 + w * (2 / 21 + w * (2 / 25)))));
  const odd = 2 / 7 + w * (2 / 11 + w * (2 / 15 + w * (2 / 19 + w * (2 / 23))));
  const t = z * (even + z * odd);

  const cubic = multiply(s3, add(TWO_THIRDS, { hi: t, lo: 0 }));
  return add({ hi: k * LN2_HI, lo: k * LN2_LO }, add({ hi: 2 * s.hi, lo: 2 * s.lo }, cubic));
}

/** ln x within ELEMENTARY_ULPS for every double: −Infinity at ±0, NaN below 0 and for NaN, Infinity at Infinity. */
export function log(x: number): number {
  if (x > 0 && x < Infinity) return logAsSum(x).hi;
  return x === 0 ? -Infinity : x > 0 ? x : NaN;
}

/**
 * baseᵃ, a = exponent, as e^(a · ln base), within ELEMENTARY_ULPS wherever the result is finite, subnormals included: RoPE's
 * frequency i is power(theta, −2i/HS). Overflows to Infinity, underflows to 0; NaN if either argument is NaN. Throws
 * RangeError unless base is positive and finite.
 */
export function power(base: number, exponent: number): number {
  if (base <= 0 || base === Infinity) throw new RangeError(`power needs a positive, finite base, got base=${base}`);
  if (base !== base) return NaN;
  const { hi, lo } = logAsSum(base);
  const product = exponent * hi;
  if (!(Math.abs(product) < 746)) return expOfSum(product, 0); // 0, Infinity or NaN, and nothing to correct
  return expOfSum(product, productError(exponent, hi, product) + exponent * lo);
}

// ---------------------------------------------------------------------------------------------------------------------
// sin, cos:  x = k · π/2 + r,  |r| ≤ π/4:   sin x and cos x are ± sin r or ± cos r by k mod 4

/** r = hi + lo and k mod 4. Throws RangeError, naming the function, for |x| > 2²⁰. */
function reduce(x: number, name: string): { hi: number; lo: number; quadrant: number } {
  if (Math.abs(x) > MAX_ANGLE && Math.abs(x) < Infinity) {
    throw new RangeError(`${name} needs |x| ≤ 2^20 = ${MAX_ANGLE}, got x=${x}`);
  }
  const k = Math.round(x * TWO_OVER_PI);
  if (k === 0) return { hi: x, lo: 0, quadrant: 0 };
  const first = x - k * HALF_PI_1; // exact: a multiple of x's last bit, and small
  const b = k * HALF_PI_2;
  const c = k * HALF_PI_3;
  // Knuth's two-sum, twice: where these differences cancel, their errors are exact too
  const second = first - b;
  const bBack = first - second;
  const secondLo = first - (second + bBack) + (bBack - b);
  const third = second - c;
  const cBack = second - third;
  const thirdLo = second - (third + cBack) + (cBack - c);
  const rest = secondLo + thirdLo - k * HALF_PI_4;
  const hi = third + rest;
  return { hi, lo: rest - (hi - third), quadrant: k & 3 };
}

/** sin(r + rLo), |r| ≤ π/4: r − r³/6 + …; what is left out, r¹⁹/19!, is below 2⁻⁶³. */
function sinNearZero(r: number, rLo: number): number {
  const z = r * r;
  const w = z * z;
  const even = 1 / 120 + w * (1 / 362880 + w * (1 / 6227020800 + w * (1 / 355687428096000)));
  const odd = 1 / 5040 + w * (1 / 39916800 + w * (1 / 1307674368000));
  return r + (r * z * (z * (even - z * odd) - 1 / 6) + rLo * (1 - z / 2));
}

/** cos(r + rLo), |r| ≤ π/4: 1 − r²/2 + …; what is left out, r²⁰/20!, is below 2⁻⁶⁸. */
function cosNearZero(r: number, rLo: number): number {
  const z = r * r;
  const zLo = productError(r, r, z);
  const w = z * z;
  const even = 1 / 24 + w * (1 / 40320 + w * (1 / 479001600 + w * (1 / 20922789888000)));
  const odd = 1 / 720 + w * (1 / 3628800 + w * (1 / 87178291200 + w * (1 / 6402373705728000)));
  const y = 1 - z / 2;
  return y + (1 - y - z / 2 + (w * (even - z * odd) - zLo / 2 - r * rLo));
}

/** sin x within ELEMENTARY_ULPS for |x| ≤ 2²⁰, −0 at −0; NaN for NaN and ±Infinity. Throws RangeError for any other x. */
export function sin(x: number): number {
  if (Math.abs(x) < 7.450580596923828e-9) return x; // below 2⁻²⁷, where x³/6 is less than half an ulp; keeps −0
  const { hi, lo, quadrant } = reduce(x, "sin");
  const y = (quadrant & 1) === 0 ? sinNearZero(hi, lo) : cosNearZero(hi, lo);
  return (quadrant & 2) === 0 ? y : -y;
}

/** cos x within ELEMENTARY_ULPS for |x| ≤ 2²⁰; NaN for NaN and ±Infinity. Throws RangeError for any other x. */
export function cos(x: number): number {
  const { hi, lo, quadrant } = reduce(x, "cos");
  const y = (quadrant & 1) === 0 ? cosNearZero(hi, lo) : sinNearZero(hi, lo);
  return quadrant === 0 || quadrant === 3 ? y : -y;
}
