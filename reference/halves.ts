// The two 16-bit formats, from and to their bits:  value = (−1)^s · (1 + m/2^t) · 2^(e − bias),  e > 0;  m/2^t · 2^(1 − bias), e = 0.
//
// float16 (IEEE 754 binary16): t = 10, bias = 15.   bfloat16: t = 7, bias = 127, the upper half of a float32.

import { powerOfTwo } from "./elementary.ts";

interface Half {
  /** Stored bits of the significand. */
  readonly t: number;
  /** 1 − bias: the exponent of the smallest normal number, and of the subnormals. */
  readonly smallestExponent: number;
  /** The bits of +infinity; those of a quiet NaN. */
  readonly infinity: number;
  readonly nan: number;
}

const float16: Half = { t: 10, smallestExponent: -14, infinity: 0x7c00, nan: 0x7e00 };
const bfloat16: Half = { t: 7, smallestExponent: -126, infinity: 0x7f80, nan: 0x7fc0 };

const TWO_52 = powerOfTwo(52);
const word = new DataView(new ArrayBuffer(8));

/** The bits of x rounded once to float16, to nearest, ties to even; any NaN becomes the positive quiet NaN. */
export function encodeFloat16(x: number): number {
  return encode(x, float16);
}

/** The bits of x rounded once to bfloat16, to nearest, ties to even; any NaN becomes the positive quiet NaN. */
export function encodeBfloat16(x: number): number {
  return encode(x, bfloat16);
}

/** The number that 16 bits stand for as float16, exactly. */
export function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const e = (bits >> 10) & 0x1f;
  const m = bits & 0x3ff;
  if (e === 0) return sign * m * powerOfTwo(-24);
  if (e === 0x1f) return m === 0 ? sign * Infinity : NaN;
  return sign * (0x400 + m) * powerOfTwo(e - 25);
}

/** The number that 16 bits stand for as bfloat16, exactly. */
export function decodeBfloat16(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

// With e = max(⌊log₂|x|⌋, smallestExponent) and q = |x| / 2^(e − t) rounded to an integer, the bits are
// (e − smallestExponent)·2^t + q: the leading one of q, and a carry out of it, add to the exponent's field. Beyond the
// largest number they pass infinity's.
function encode(x: number, { t, smallestExponent, infinity, nan }: Half): number {
  if (Number.isNaN(x)) return nan;
  word.setFloat64(0, x);
  const high = word.getUint32(0);
  const e = Math.max(((high >>> 20) & 0x7ff) - 1023, smallestExponent);
  word.setFloat64(0, 0);
  word.setUint32(0, (1023 + t - e) << 20); // 2^(t − e)
  const q = Math.abs(x) * word.getFloat64(0) + TWO_52 - TWO_52; // above 2⁵² the last place is 1, so the sum rounds
  return ((high >>> 16) & 0x8000) | Math.min((e - smallestExponent) * (1 << t) + q, infinity);
}
