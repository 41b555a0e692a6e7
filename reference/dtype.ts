// Storage formats: IEEE 754-2019 binary64, binary32, binary16, and bfloat16 (binary32 with 16 bits cut off); and TF32, in
// which nothing is stored, but to which matrix units reduce float32 when they read it.
import { powerOfTwo } from "./elementary.ts";

export type DTypeName = "float64" | "float32" | "bfloat16" | "float16";
/** Formats that numbers pass through: those of storage, and TF32. */
export type FormatName = DTypeName | "tf32";

/** A binary format: `precision` significant bits (the hidden one included), normal from `minNormal`, finite up to `max`. */
export interface Format {
  readonly name: string;
  readonly precision: number;
  /** Unit roundoff to nearest: half the distance between 1 and the next number. */
  readonly u: number;
  readonly minNormal: number;
  readonly minSubnormal: number;
  readonly max: number;
}

/** A format that tensors or numbers on their way have. */
export interface DType extends Format {
  readonly name: FormatName;
}

function format(name: FormatName, precision: number, minExponent: number, maxExponent: number): DType {
  return {
    name,
    precision,
    u: powerOfTwo(-precision),
    minNormal: powerOfTwo(minExponent),
    minSubnormal: powerOfTwo(minExponent - precision + 1),
    max: (2 - powerOfTwo(1 - precision)) * powerOfTwo(maxExponent),
  };
}

/** IEEE 754-2019, table 3.5; bfloat16 has the exponents of binary32. */
export const dtypes: Readonly<Record<DTypeName, DType>> = {
  float64: format("float64", 53, -1022, 1023),
  float32: format("float32", 24, -126, 127),
  bfloat16: format("bfloat16", 8, -126, 127),
  float16: format("float16", 11, -14, 15),
};

/** TF32 has the exponents of binary32 and the precision of binary16 (NVIDIA A100 architecture whitepaper, 2020). */
export const formats: Readonly<Record<FormatName, DType>> = { ...dtypes, tf32: format("tf32", 11, -126, 127) };

/** The distance between the two numbers of the format around |x|; the smallest subnormal below the normal range. */
export function ulp(x: number, dtype: Format): number {
  const magnitude = Math.abs(x);
  if (!(magnitude >= dtype.minNormal)) return Number.isNaN(x) ? NaN : dtype.minSubnormal;
  if (magnitude > dtype.max) return Infinity;
  return powerOfTwo(exponentOf(magnitude) - dtype.precision + 1);
}

const WHOLE = 1.5 * powerOfTwo(52);

/** x rounded to the format, to nearest with ties to even; beyond the largest number, an infinity (IEEE 754-2019, 4.3.1). */
export function round(x: number, dtype: Format): number {
  if (dtype.name === "float64" || !Number.isFinite(x) || x === 0) return x;
  if (dtype.name === "float32") return Math.fround(x);
  const magnitude = Math.abs(x);
  if (magnitude >= 2 * dtype.max) return x > 0 ? Infinity : -Infinity;
  const spacing =
    magnitude < dtype.minNormal ? dtype.minSubnormal : powerOfTwo(exponentOf(magnitude) - dtype.precision + 1);
  // Around 1.5 · 2⁵² spacings the doubles are one spacing apart, so this addition rounds to whole spacings, ties to even.
  const shift = WHOLE * spacing;
  const rounded = x + shift - shift;
  if (Math.abs(rounded) > dtype.max) return x > 0 ? Infinity : -Infinity;
  return rounded === 0 && x < 0 ? -0 : rounded;
}

/** x truncated to the format, towards zero; beyond the largest number, the largest number. */
export function truncate(x: number, dtype: Format): number {
  if (dtype.name === "float64" || !Number.isFinite(x) || x === 0) return x;
  const magnitude = Math.abs(x);
  if (magnitude > dtype.max) return Math.sign(x) * dtype.max;
  const spacing = ulp(magnitude, dtype);
  return Math.sign(x) * Math.floor(magnitude / spacing) * spacing;
}

/** How many numbers of the format lie from a to b (both rounded to it first); NaN if either is not finite. */
export function ulpDistance(a: number, b: number, dtype: DType): number {
  const from = ordinal(round(a, dtype), dtype);
  return Math.abs(ordinal(round(b, dtype), dtype) - from);
}

/** The numbers of the format counted from zero; exact for formats of at most 52 bits of ordinal, rounded for float64. */
function ordinal(x: number, dtype: DType): number {
  if (!Number.isFinite(x)) return NaN;
  const magnitude = Math.abs(x);
  if (magnitude < dtype.minNormal) return Math.sign(x) * (magnitude / dtype.minSubnormal);
  const exponent = exponentOf(magnitude);
  const binade = powerOfTwo(dtype.precision - 1);
  const fraction = magnitude / powerOfTwo(exponent); // in [1, 2)
  return Math.sign(x) * ((exponent - exponentOf(dtype.minNormal)) * binade + fraction * binade);
}

const bits = new DataView(new ArrayBuffer(8));

/** ⌊log₂ x⌋ for a normal double x > 0, read from its bits. */
export function exponentOf(x: number): number {
  bits.setFloat64(0, x);
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
}
