// Sampling: one token after another from p = softmax(logits / temperature), by the inverse of its cumulative sum.
import type { LlamaConfig } from "../config.ts";
import { exp } from "../elementary.ts";
import { streamOf, uniform } from "../random.ts";
import type { Weights } from "../weights.ts";
import { forward } from "./model.ts";

/** The stream of random numbers that chooses; token i of a text takes number i of it. */
export const SAMPLE_STREAM = "sample";

/**
 * `count` ids that continue `prompt`, at least one id; each sees at most the last maxSeqLen tokens. Temperature 0 takes the
 * likeliest. Throws RangeError for an empty prompt, or logits that are not numbers.
 */
export function generate(
  config: LlamaConfig,
  weights: Weights,
  prompt: readonly number[],
  count: number,
  temperature: number,
  seed: number,
): number[] {
  if (prompt.length === 0) throw new RangeError("the prompt is empty, expected at least one id");
  const ids = [...prompt];
  for (let i = 0; i < count; i++) {
    const seen = Int32Array.from(ids.slice(-config.maxSeqLen));
    const { logits } = forward(config, weights, { data: seen, shape: [1, seen.length] });
    const last = logits.data.subarray((seen.length - 1) * config.vocabSize);
    ids.push(choose(last, temperature, uniform(seed, streamOf(SAMPLE_STREAM), i)));
  }
  return ids.slice(prompt.length);
}

/** The id at which the cumulative sum of softmax(logits / temperature) passes `at`, in [0, 1). */
export function choose(logits: ArrayLike<number>, temperature: number, at: number): number {
  let best = 0;
  for (let v = 0; v < logits.length; v++) {
    if (Number.isNaN(logits[v])) throw new RangeError(`logits[${v}] is NaN`);
    if (logits[v] > logits[best]) best = v;
  }
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (z) => exp((z - logits[best]) / temperature));
  let rest = at * weights.reduce((sum, weight) => sum + weight, 0);
  for (let v = 0; v < weights.length; v++) {
    rest -= weights[v];
    if (rest < 0) return v;
  }
  return best; // what rounding left over
}
