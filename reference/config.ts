// The shape of a LLaMA (Touvron et al. 2023, table 2) and the hyperparameters of its training (section 2.2, 2.3).
import { shown } from "./shown.ts";

/**
 * The shape of a LLaMA, in the letters of its axes. `checkConfig` reports a shape that makes no model.
 *
 * @example
 * ```ts
 * import { reference } from "touchstone-llama";
 *
 * const config: reference.LlamaConfig = { ...reference.presets.tiny, nKvHeads: 1 };
 * reference.checkConfig(config);
 * ```
 */
export interface LlamaConfig {
  /** C: width of the residual stream. */
  readonly dim: number;
  readonly nLayers: number;
  /** NH query heads; the head size is dim / nHeads. */
  readonly nHeads: number;
  /** NKV key/value heads; divides nHeads. */
  readonly nKvHeads: number;
  /** F: width of the feed-forward layer. */
  readonly ffnDim: number;
  /** V: rows of the embedding. */
  readonly vocabSize: number;
  /** Added to the mean square in RMSNorm. */
  readonly normEps: number;
  /** Base of RoPE's frequencies. */
  readonly ropeTheta: number;
  /** Whether the head is the embedding, transposed. */
  readonly tiedEmbeddings: boolean;
  /** The longest sequence, in tokens. */
  readonly maxSeqLen: number;
}

const paper = { vocabSize: 32_000, normEps: 1e-6, ropeTheta: 10_000, tiedEmbeddings: false, maxSeqLen: 2048 } as const;
/** 256 bytes and three specials: unknown, begin, end. */
const bytes = { vocabSize: 259, normEps: 1e-5, ropeTheta: 10_000, maxSeqLen: 256 } as const;

/** The paper's four sizes, and two for tests and training on a processor, over the byte vocabulary. */
export const presets = {
  tiny: { ...bytes, dim: 48, nLayers: 2, nHeads: 4, nKvHeads: 2, ffnDim: 128, tiedEmbeddings: true },
  small: { ...bytes, dim: 128, nLayers: 4, nHeads: 8, nKvHeads: 4, ffnDim: 344, tiedEmbeddings: false },
  "7B": { ...paper, dim: 4096, nLayers: 32, nHeads: 32, nKvHeads: 32, ffnDim: 11_008 },
  "13B": { ...paper, dim: 5120, nLayers: 40, nHeads: 40, nKvHeads: 40, ffnDim: 13_824 },
  "33B": { ...paper, dim: 6656, nLayers: 60, nHeads: 52, nKvHeads: 52, ffnDim: 17_920 },
  "65B": { ...paper, dim: 8192, nLayers: 80, nHeads: 64, nKvHeads: 64, ffnDim: 22_016 },
} as const satisfies Record<string, LlamaConfig>;
/** Llama 3's smallest (Grattafiori et al. 2024, table 3 and section 3.2): grouped heads and a larger vocabulary. */
export const llama3 = {
  "8B": {
    dim: 4096,
    nLayers: 32,
    nHeads: 32,
    nKvHeads: 8,
    ffnDim: 14_336,
    vocabSize: 128_256,
    normEps: 1e-5,
    ropeTheta: 500_000,
    tiedEmbeddings: false,
    maxSeqLen: 8192,
  },
} as const satisfies Record<string, LlamaConfig>;
export type PresetName = keyof typeof presets;

/** HS. */
export function headSize(config: LlamaConfig): number {
  return config.dim / config.nHeads;
}

/** The most layers that a configuration may have: thirty times as many as any model, so that a few bytes cannot ask for millions of names. */
const MOST_LAYERS = 4096;

/** Throws RangeError, in one line that names the field and what was expected, unless the configuration makes a model. */
export function checkConfig(config: LlamaConfig): void {
  const counts = ["dim", "nLayers", "nHeads", "nKvHeads", "ffnDim", "vocabSize", "maxSeqLen"] as const;
  for (const name of counts) {
    const value = config[name];
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`configuration: ${name} is ${shown(value)}, expected a positive integer`);
    }
  }
  if (config.nLayers > MOST_LAYERS) {
    throw new RangeError(`configuration: nLayers is ${config.nLayers}, expected at most ${MOST_LAYERS}`);
  }
  for (const name of ["normEps", "ropeTheta"] as const) {
    const value = config[name];
    // A kernel gets it as float32, where 1e-60 is 0 and 1e300 is infinite.
    if (!(typeof value === "number" && Math.fround(value) > 0 && Math.fround(value) < Infinity)) {
      throw new RangeError(`configuration: ${name} is ${shown(value)}, expected a positive float32 number`);
    }
  }
  if (typeof config.tiedEmbeddings !== "boolean") {
    throw new RangeError(`configuration: tiedEmbeddings is ${shown(config.tiedEmbeddings)}, expected true or false`);
  }
  const { dim, nHeads, nKvHeads } = config;
  if (dim % nHeads !== 0) throw new RangeError(`configuration: dim ${dim} is not divisible by nHeads ${nHeads}`);
  if (headSize(config) % 2 !== 0) {
    throw new RangeError(`configuration: head size ${dim} / ${nHeads} = ${headSize(config)} is odd, RoPE turns pairs`);
  }
  if (nHeads % nKvHeads !== 0) {
    throw new RangeError(`configuration: nHeads ${nHeads} is not a multiple of nKvHeads ${nKvHeads}`);
  }
}
