// Fills tensors with numbers: a profile, a seed and the tensor's name decide every element.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import { bits, normal, streamOf, uniform } from "../reference/random.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";

/**
 * unit: normal, deviation 1. large, tiny, subnormal: the same scaled by 2⁸, 2⁻⁴⁰, 2⁻¹³⁰. constant: one number throughout.
 * cancelling: pairs that nearly cancel. sorted: ascending along the tensor. one-hot: one large element in about 16, zeros
 * elsewhere. small-scores: deviation 2⁻⁵, so that no key or class dominates. lattice: integers from −4 to 4, whose sums
 * of products are exact. real: inputs recorded in a training step on real text. scale: what a fixture at scale describes.
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
  "real",
  "scale",
] as const;
export type Profile = (typeof profiles)[number];
/** The profiles that make up numbers for cases of any sizes. */
export type MadeUp = Exclude<Profile, "real" | "scale">;
export const madeUp = profiles.filter((p): p is MadeUp => p !== "real" && p !== "scale");

/** Profiles whose numbers keep their few bits. */
const whole: ReadonlySet<MadeUp> = new Set(["constant", "cancelling", "lattice"]);

/** A float32 tensor of that shape, the same for the same arguments on every engine. */
export function fill(profile: MadeUp, seed: number, name: string, shape: readonly number[]): Tensor<Float32Array> {
  const data = new Float32Array(sizeOf(shape));
  const stream = streamOf(name);
  const fine = streamOf(`${name} fine`);
  for (let i = 0; i < data.length; i++) {
    const x = element(profile, seed, stream, i);
    // A sum of uniforms has few bits: without more of them most sums would be exact, and lost bits would go unseen.
    data[i] = whole.has(profile) ? x : x * (1 + uniform(seed, fine, i) / 4096);
  }
  if (profile === "sorted") data.sort();
  return { data, shape };
}

function element(profile: MadeUp, seed: number, stream: number, i: number): number {
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
  }
}

/** Token ids or classes in [0, below): some repeat, some never occur. */
export function fillIds(seed: number, name: string, shape: readonly number[], below: number): Tensor<Int32Array> {
  const data = new Int32Array(sizeOf(shape));
  const stream = streamOf(name);
  for (let i = 0; i < data.length; i++) data[i] = bits(seed, stream, i) % below;
  return { data, shape };
}

/** The tensor as a candidate of that dtype reads it: what a forward leaves for its backward is computed from this. */
export function asStored(t: Tensor<Float32Array>, dtype: DTypeName): Tensor<Float32Array> {
  return dtype === "float32" ? t : { data: t.data.map((x) => round(x, dtypes[dtype])), shape: t.shape };
}
