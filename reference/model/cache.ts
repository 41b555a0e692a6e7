// The key/value cache: a causal model's earlier positions never change, so their keys and values are kept.
//
//   logits(t₀ … tₙ) at n  =  logits of tₙ alone, whose queries look at the kept keys and values and its own
//
// Every sum runs over the same numbers in the same order as in the whole forward, so the logits have the same bits.
import type { LlamaConfig } from "../config.ts";
import { headSize } from "../config.ts";
import type { Floats, Tensor } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import type { KeysAndValues } from "./block.ts";
import { forward, type Past } from "./model.ts";

/** The keys and values of one sequence. */
export interface Cache<P extends Floats = Floats> extends Past<P> {
  /** Keeps the first `length` positions. Throws RangeError if there are fewer. */
  cut(length: number): void;
  /** Counts the last T computed positions as part of the cache. */
  advance(T: number): void;
}

/** A cache without positions, in the weights' storage; memory grows with the positions, up to maxSeqLen. */
export function emptyCache<P extends Floats>(config: LlamaConfig, weights: Weights<P>): Cache<P> {
  const { data } = weights.get("tok_embeddings.weight")!;
  const Storage = data.constructor as new (length: number) => P;
  const width = config.nKvHeads * headSize(config);
  const empty = (): P[] => Array.from({ length: config.nLayers }, () => new Storage(0));
  const keys = empty();
  const values = empty();
  let length = 0;

  /** Writes t after the positions that count: [1, length + T, NKV, HS]. */
  function extended(kept: P[], i: number, t: Tensor<P>): Tensor<P> {
    const [, T, NKV, HS] = t.shape;
    const S = length + T;
    if (kept[i].length < S * width) {
      const larger = new Storage(Math.min(config.maxSeqLen, 2 * S) * width);
      larger.set(kept[i].subarray(0, length * width));
      kept[i] = larger;
    }
    kept[i].set(t.data, length * width);
    return { data: kept[i].subarray(0, S * width) as P, shape: [1, S, NKV, HS] };
  }
  return {
    get length() {
      return length;
    },
    extend: (i: number, { k, v }: KeysAndValues<P>) => ({ k: extended(keys, i, k), v: extended(values, i, v) }),
    cut(wanted) {
      if (!(Number.isInteger(wanted) && wanted >= 0 && wanted <= length)) {
        throw new RangeError(`the cache holds ${length} positions, cannot keep ${wanted}`);
      }
      length = wanted;
    },
    advance(T) {
      length += T;
    },
  };
}

/**
 * Reads T tokens after those in the cache, which it then holds too → their logits: [T, V]. Throws RangeError, and leaves
 * the cache as it was, for an id outside [0, V), or more positions than maxSeqLen.
 */
export function read<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  cache: Cache<P>,
  tokens: Int32Array,
): Tensor<P> {
  const { logits } = forward(config, weights, { data: tokens, shape: [1, tokens.length] }, cache);
  cache.advance(tokens.length);
  return logits;
}
