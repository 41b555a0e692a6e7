// A model that reads tokens one after another and gives the logits of the next token: enough to generate and to score text.
import type { LlamaConfig } from "../config.ts";
import type { Floats, Tensor } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import { emptyCache, read } from "./cache.ts";

/** Methods are called one after another, each awaited. */
export interface Reader {
  readonly config: LlamaConfig;
  /** Positions read so far. */
  readonly length: number;
  /**
   * Reads T more tokens → their logits: [T, V]. Throws RangeError, having read nothing, for an id outside [0, V), or more
   * positions than maxSeqLen.
   */
  read(tokens: Int32Array): Promise<Tensor>;
  /** Forgets all but the first `length` positions. Throws RangeError if there are fewer. */
  cut(length: number): void;
  /** Releases what the reader holds. */
  close(): void;
}

/** The forward of this folder, with a cache. */
export function referenceReader<P extends Floats>(config: LlamaConfig, weights: Weights<P>): Reader {
  const cache = emptyCache(config, weights);
  return {
    config,
    get length() {
      return cache.length;
    },
    read: async (tokens) => read(config, weights, cache, tokens),
    cut: (length) => cache.cut(length),
    close() {},
  };
}
