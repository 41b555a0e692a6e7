// Fills tensors with numbers: a profile, a seed and the tensor's name decide every element.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import { bits, normal, streamOf, uniform } from "../reference/random.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";

/**
 * unit: normal, deviation 1. large, tiny, subnormal: the same scaled by 2⁸, 2⁻⁴⁰, 2⁻¹³⁰. constant: one number throughout.
 * cancelling: pairs that nearly cancel. sorted: ascending along the tensor. one-hot: one large element in about 16, zeros
 * elsewhere. small-scores: deviation 2⁻⁵, so that no key or class dominates. lattice: integers from −4 to 4, whose sums
 * of products are exact. real: inputs recorded in a training step on real text. scale: what a fixture at scale describes.
 *
 * Some are tried in examples alone. signed-zeros: one-hot with −0 in half of the zeros. huge: unit times 2⁵⁵, so that squares
 * still fit; times 2¹²⁰ where nothing is squared. below-zero: around −200, where e^x is 0. below-masks: below −5·10⁴, where finite masks lie. peak: one number of
 * each row 150 above the others, in the next row at the next place. masked: −∞ through whole tiles of a row. bit-patterns:
 * any float32, infinities and NaN of any bits included. ends: hyperparameters at the ends of their ranges. near-underflow: unit times 2⁻⁵⁰, whose
 * squares are normal numbers; times 2⁻¹⁰⁰ where nothing is squared. tail: unit in the last eight places of each row, times 2⁻²⁰ before. uneven: unit, but
 * every fourth row and every fourth column have one number in 64, and zeros elsewhere. For arithmetic in float16: sixteenfold, and below-underflow, around −24, where
 * its e^x is 0.
 */
export const profiles = [
  "unit",
  "large",
  "tiny",
  "subnormal",
  "constant",
  "cancelling",
  "sorted",
  "one-hot",
  "small-scores",
  "lattice",
  "signed-zeros",
  "huge",
  "below-zero",
  "below-masks",
  "peak",
  "masked",
  "bit-patterns",
  "ends",
  "uneven",
  "near-underflow",
  "tail",
  "sixteenfold",
  "below-underflow",
  "real",
  "scale",
] as const;
export type Profile = (typeof profiles)[number];
/** The profiles that make up numbers for cases of any sizes. */
export type MadeUp = Exclude<Profile, "real" | "scale">;
/** Those under which cases are drawn: they make sense for every tensor. */
export const madeUp = profiles.slice(0, profiles.indexOf("signed-zeros")) as readonly MadeUp[];

/** Profiles whose numbers keep their few bits. */
const whole: ReadonlySet<MadeUp> = new Set(["constant", "cancelling", "lattice", "below-masks"]);
/** A peak is this far above the other numbers of its row: e^−150 is 0. */
export const PEAK = 150;
/** The last vector of a row, which a kernel may lose. */
const VECTOR = 8;
/** Masks cover whole tiles of this many. */
const TILE = 32;
/** What kernels that work on the bits of float32 may take for another number: NaN of all kinds, infinities, zeros, ties. */
const PATTERNS = [
  0x7fffffff, 0xffffffff, 0x7f800001, 0xff800001, 0x7fc00000, 0xffc00000, 0x7f807fff, 0x7f808000, 0x7fff8000, 0x7f800000,
  0xff800000, 0x80000000, 0x00000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f7f8000, 0x7f7f7fff,
  0x3f808000, 0x3f818000, 0x3f801000, 0x3f803000, 0xbf80ffff,
] as const; // prettier-ignore

/** A float32 tensor of that shape, the same for the same arguments on every engine. */
export function fill(profile: MadeUp, seed: number, name: string, shape: readonly number[]): Tensor<Float32Array> {
  const data = new Float32Array(sizeOf(shape));
  const stream = streamOf(name);
  if (profile === "bit-patterns") return { data: new Float32Array(patterns(seed, stream, data.length).buffer), shape };
  const width = shape.at(-1) ?? 1;
  const fine = streamOf(`${name} fine`);
  for (let i = 0; i < data.length; i++) {
    const x = element(profile, seed, stream, i, width);
    // A sum of uniforms has few bits: without more of them most sums would be exact, and lost bits would go unseen.
    data[i] = whole.has(profile) ? x : x * (1 + uniform(seed, fine, i) / 4096);
  }
  if (profile === "sorted") data.sort();
  return { data, shape };
}

function element(profile: MadeUp, seed: number, stream: number, i: number, width: number): number {
  switch (profile) {
    case "unit":
    case "sorted":
      return normal(seed, stream, i);
    case "large":
      return 256 * normal(seed, stream, i);
    case "tiny":
      return normal(seed, stream, i) / 1099511627776;
    case "subnormal":
      return normal(seed, stream, i) / 1099511627776 / 1099511627776 / 1099511627776 / 1024;
    case "constant":
      return 0.5 + normal(seed, stream, 0);
    case "cancelling": {
      const half = normal(seed, stream, i >> 1);
      return i % 2 === 0 ? half : -half * (1 + uniform(seed, stream, i) / 1024);
    }
    case "one-hot":
      return bits(seed, stream, i) % 16 === 0 ? 4 * normal(seed, stream, i) : 0;
    case "small-scores":
      return normal(seed, stream, i) / 32;
    case "lattice":
      return (bits(seed, stream, i) % 9) - 4;
    case "signed-zeros":
    case "ends": {
      const drawn = bits(seed, stream, i) % 16;
      return drawn === 0 ? 4 * normal(seed, stream, i) : drawn % 2 === 0 ? 0 : -0;
    }
    case "uneven": {
      const isSparse = Math.floor(i / width) % 4 === 1 || (i % width) % 4 === 1;
      if (!isSparse) return normal(seed, stream, i);
      return bits(seed, stream, i) % 64 === 0 ? 4 * normal(seed, stream, i) : 0;
    }
    case "near-underflow":
      return 2 ** -50 * normal(seed, stream, i);
    case "sixteenfold":
      return 16 * normal(seed, stream, i);
    case "below-underflow":
      return normal(seed, stream, i) - 24;
    case "tail":
      return (isTail(i, width) ? 1 : 2 ** -20) * normal(seed, stream, i);
    case "huge":
      return 2 ** 55 * normal(seed, stream, i);
    case "below-zero":
      return normal(seed, stream, i) - 200;
    case "below-masks":
      return -256 * (224 + (bits(seed, stream, i) % 16)); // also in bfloat16, and in float16's range
    case "peak":
      return normal(seed, stream, i) + (i % width === peakOf(seed, Math.floor(i / width), width) ? PEAK : 0);
    case "masked": {
      const [row, tile] = [Math.floor(i / width), Math.floor((i % width) / TILE)];
      const [seen, tiles] = [bits(seed, streamOf("seen"), row), Math.ceil(width / TILE)];
      // In every other row one tile only, so that tiles of any kernel are masked as a whole, before it and after it.
      const isSeen = tile === seen % tiles || (row % 2 === 1 && (seen >>> (tile % 16)) % 4 === 3);
      return isSeen ? normal(seed, stream, i) : -Infinity;
    }
    case "bit-patterns":
      throw new RangeError("bit-patterns are no numbers");
  }
}

function isTail(i: number, width: number): boolean {
  return (i % width) + VECTOR >= width;
}

/** Logits of which the last eight classes of a row have all the weight, under the profile tail: the others lie 150 below. */
export function asLogits({ data, shape }: Tensor<Float32Array>, profile: MadeUp): Tensor<Float32Array> {
  if (profile !== "tail") return { data, shape };
  const width = shape.at(-1) ?? 1;
  return { data: data.map((x, i) => (isTail(i, width) ? x : x - PEAK)), shape };
}

/** The place of a row's peak: that of the row before and one more. */
export function peakOf(seed: number, row: number, width: number): number {
  return (bits(seed, streamOf("peak"), 0) + row) % width;
}

/** The patterns at which conversions go wrong, each in turn, with any bits between them. */
function patterns(seed: number, stream: number, length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, i) =>
    i % 2 === 0 ? PATTERNS[(i / 2) % PATTERNS.length] : bits(seed, stream, i),
  );
}

/** What brings numbers of these profiles into float16's range, and in the others to its end. */
const HALF: Partial<Record<MadeUp, number>> = { huge: 2 ** -43, "near-underflow": 2 ** 40 };
const TO_END: Partial<Record<MadeUp, number>> = { huge: 2 ** 65, "near-underflow": 2 ** -50 };

function scaled({ data, shape }: Tensor<Float32Array>, factor = 1): Tensor<Float32Array> {
  return factor === 1 ? { data, shape } : { data: data.map((x) => x * factor), shape };
}

/** Numbers of the profile huge, up to 4·10¹⁷, as a formula takes them that multiplies two; in float16 to 12,288, which it holds. */
export function inRange(t: Tensor<Float32Array>, profile: MadeUp, dtype: DTypeName): Tensor<Float32Array> {
  return dtype === "float16" ? scaled(t, HALF[profile]) : t;
}

/** Numbers of the profile huge for a formula that is linear in them: up to 4·10³⁶, of which float32 still holds 64 added up; or of 2⁻¹⁰⁰. */
export function atRangesEnd(t: Tensor<Float32Array>, profile: MadeUp, dtype: DTypeName): Tensor<Float32Array> {
  return dtype === "float16" ? inRange(t, profile, dtype) : scaled(t, TO_END[profile]);
}

/** The profile of the other factor of a product with a huge one, or with one near underflow; the product must fit float16. */
export function besideHuge(profile: MadeUp, dtype: DTypeName): MadeUp {
  if (profile === "near-underflow") return "unit";
  return profile === "huge" && dtype === "float16" ? "small-scores" : profile;
}

/** The profile of a tensor that stays ordinary where another is huge or near underflow. */
export function unlessHuge(profile: MadeUp): MadeUp {
  return profile === "huge" || profile === "near-underflow" ? "unit" : profile;
}

/** In a table of more rows than this few ids occur, and its last tile has none by chance. */
const LONG_TABLE = 1024;

/** Token ids or classes in [0, below): some repeat, some never occur. In a long table the first is the last, and every other one is of its last tile. */
export function fillIds(seed: number, name: string, shape: readonly number[], below: number): Tensor<Int32Array> {
  const data = new Int32Array(sizeOf(shape));
  const stream = streamOf(name);
  for (let i = 0; i < data.length; i++) {
    const drawn = bits(seed, stream, i);
    data[i] = below > LONG_TABLE && i % 2 === 0 ? below - 1 - (drawn % TILE) : drawn % below;
  }
  if (below > LONG_TABLE && data.length > 0) data[0] = below - 1;
  return { data, shape };
}

/** The tensor as a candidate of that dtype reads it: what a forward leaves for its backward is computed from this. */
export function asStored(t: Tensor<Float32Array>, dtype: DTypeName): Tensor<Float32Array> {
  return dtype === "float32" ? t : { data: t.data.map((x) => round(x, dtypes[dtype])), shape: t.shape };
}
