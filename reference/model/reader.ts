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

/** Tokens that are read before the next pause. The cache gives the same bits whatever their number is. */
const AT_ONCE = 32;

/**
 * The forward of this folder, with a cache. `pause` is awaited between parts of a long text, so that the caller can look at
 * signals.
 */
export function referenceReader<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  pause: () => Promise<void> = async () => {},
): Reader {
  const cache = emptyCache(config, weights);
  return {
    config,
    get length() {
      return cache.length;
    },
    async read(tokens) {
      const before = cache.length;
      const parts: Tensor<P>[] = [];
      try {
        for (let at = 0; at === 0 || at < tokens.length; at += AT_ONCE) {
          if (at > 0) await pause();
          parts.push(read(config, weights, cache, tokens.subarray(at, at + AT_ONCE)));
        }
      } catch (error) {
        cache.cut(before);
        throw error;
      }
      return joined(parts);
    },
    cut: (length) => cache.cut(length),
    close() {},
  };
}

/** Rows after rows. */
function joined<P extends Floats>(parts: readonly Tensor<P>[]): Tensor<P> {
  const [first] = parts;
  if (parts.length === 1) return first;
  const [, V] = first.shape;
  const T = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  const Storage = first.data.constructor as new (length: number) => P;
  const all = { data: new Storage(T * V), shape: [T, V] };
  let at = 0;
  for (const { data } of parts) {
    all.data.set(data, at);
    at += data.length;
  }
  return all;
}
