// Sampling: one token after another from p = softmax(logits / temperature), by the inverse of its cumulative sum.
//
// With top-p below 1 (Holtzman et al. 2020, section 3.1) p is first cut to the fewest likeliest tokens whose sum reaches it.
import type { LlamaConfig } from "../config.ts";
import { exp } from "../elementary.ts";
import { streamOf, uniform } from "../random.ts";
import type { Weights } from "../weights.ts";
import { forward } from "./model.ts";
import type { Reader } from "./reader.ts";

/** The stream of random numbers that chooses; token i of a text takes number i of it. */
export const SAMPLE_STREAM = "sample";

export interface Sampling {
  /** 0 takes the likeliest. */
  readonly temperature: number;
  /** In (0, 1]. */
  readonly topP: number;
  readonly seed: number;
}

/** Always the likeliest token; the first one of equals. */
export const greedy: Sampling = { temperature: 0, topP: 1, seed: 0 };

/**
 * Ids that continue `prompt`, at least one id, one at a time until the context is full; the last sees every position. Throws
 * RangeError for an empty prompt, one longer than the context, or logits that are not numbers.
 */
export async function* continuation(
  reader: Reader,
  prompt: Int32Array,
  { temperature, topP, seed }: Sampling,
): AsyncGenerator<number> {
  if (prompt.length === 0) throw new RangeError("the prompt is empty, expected at least one id");
  const { maxSeqLen, vocabSize } = reader.config;
  const stream = streamOf(SAMPLE_STREAM);
  let unread = prompt;
  for (let i = 0; reader.length + unread.length <= maxSeqLen || i === 0; i++) {
    const { data } = await reader.read(unread);
    const id = chooseToken(data.subarray(data.length - vocabSize), temperature, uniform(seed, stream, i), topP);
    yield id;
    unread = Int32Array.of(id);
  }
}

/**
 * `count` ids that continue `prompt`, at least one id; each sees at most the last maxSeqLen tokens, so the text may be longer
 * than the context. Throws RangeError for an empty prompt, or logits that are not numbers.
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
    ids.push(chooseToken(last, temperature, uniform(seed, streamOf(SAMPLE_STREAM), i)));
  }
  return ids.slice(prompt.length);
}

/**
 * The id at which the cumulative sum of softmax(logits / temperature), cut to `topP`, passes `at`, in [0, 1). Throws RangeError
 * unless the logits are numbers of which the largest is finite.
 */
export function chooseToken(logits: ArrayLike<number>, temperature: number, at: number, topP = 1): number {
  let best = 0;
  for (let v = 0; v < logits.length; v++) {
    if (Number.isNaN(logits[v])) throw new RangeError(`logits[${v}] is NaN`);
    if (logits[v] > logits[best]) best = v;
  }
  if (!Number.isFinite(logits[best])) throw new RangeError(`logits[${best}] is ${logits[best]}, the largest`);
  if (temperature === 0) return best;
  const weights = new Float64Array(logits.length);
  for (let v = 0; v < weights.length; v++) weights[v] = exp((logits[v] - logits[best]) / temperature);
  if (topP < 1) keepNucleus(weights, topP);
  let rest = at * sumOf(weights);
  for (let v = 0; v < weights.length; v++) {
    rest -= weights[v];
    if (rest < 0) return v;
  }
  return best; // rounding left the sum below `at`
}

/** Keeps the fewest largest weights whose share reaches topP, the first ones of equals, and sets the others to 0. */
function keepNucleus(weights: Float64Array, topP: number): void {
  const descending = weights.toSorted().toReversed();
  const wanted = topP * sumOf(weights);
  let count = 0;
  for (let kept = 0; count < weights.length && !(kept >= wanted && kept > 0); count++) kept += descending[count];
  const least = descending[count - 1];
  let equals = count - descending.indexOf(least); // how many of the weights equal to `least` are kept
  for (let v = 0; v < weights.length; v++) {
    if (!(weights[v] > least || (weights[v] === least && equals-- > 0))) weights[v] = 0;
  }
}

function sumOf(weights: Float64Array): number {
  let sum = 0;
  for (let v = 0; v < weights.length; v++) sum += weights[v];
  return sum;
}
