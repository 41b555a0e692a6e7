// The memory of inference: the weights, and for every position of every sequence a key and a value of each layer.
//
//   cache = 2 · L · NKV · HS · batch · context numbers
import { headSize, type LlamaConfig } from "../config.ts";
import { countParameters } from "../weights.ts";
import { storageBytes, type StorageName } from "../model/storage.ts";

/** Bytes. */
export interface InferenceMemory {
  readonly weights: number;
  readonly cache: number;
  readonly total: number;
}

/** The memory for a batch of sequences of `context` positions each. Activations of one position are left out. */
export function inferenceMemory(
  config: LlamaConfig,
  batch: number,
  context: number,
  dtype: StorageName,
): InferenceMemory {
  const weights = countParameters(config) * storageBytes[dtype];
  const cache = 2 * config.nLayers * config.nKvHeads * headSize(config) * batch * context * storageBytes[dtype];
  return { weights, cache, total: weights + cache };
}
