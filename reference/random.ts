// The one generator: counter-based (Salmon et al. 2011), so that element i of stream s under a seed is a pure function
// of (seed, s, i): the same bits in any order, on any engine, and in ten lines of any language with 32-bit integers.
//
//   bits(seed, stream, i) = mix(mix(mix(mix(seed + φ) + stream) + ⌊i / 2³²⌋) + i mod 2³²),   all modulo 2³²
//
// mix is the finaliser of MurmurHash3 (Appleby), a bijection of 32-bit words; φ = 0x9e3779b9.

function mix(word: number): number {
  let h = word | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const HIGH = 4294967296;

/** 32 uniform bits as an integer in [0, 2³²). seed and stream: integers, taken modulo 2³²; i: an integer in [0, 2⁵³). */
export function bits(seed: number, stream: number, i: number): number {
  return mix(mix(mix(mix(seed + 0x9e3779b9) + stream) + Math.floor(i / HIGH)) + (i % HIGH)) >>> 0;
}

/** Uniform in [0, 1), a multiple of 2⁻²⁴: exact in float32. */
export function uniform(seed: number, stream: number, i: number): number {
  return (bits(seed, stream, i) >>> 8) / 16777216;
}

/**
 * Nearly normal: the sum of three uniforms (Irwin–Hall) brought to mean 0 and variance 1, within ±3, a multiple of 2⁻¹⁶:
 * exact in float32. Takes the 16-bit halves of words 2i and the upper half of word 2i + 1.
 */
export function normal(seed: number, stream: number, i: number): number {
  const first = bits(seed, stream, 2 * i);
  const second = bits(seed, stream, 2 * i + 1);
  return (2 * ((first >>> 16) + (first & 0xffff) + (second >>> 16)) - 3 * 65535) / 65536;
}

/** An integer in [0, below), below ≤ 2³²; uniform up to a bias of below · 2⁻³². */
export function integer(seed: number, stream: number, i: number, below: number): number {
  return Math.floor((bits(seed, stream, i) / HIGH) * below);
}

/** A 32-bit number from a text (FNV-1a), to name streams by what they are for. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
