// From a line of tokens to batches: windows of T tokens, each with the tokens that follow as its targets.
import { integer, streamOf } from "../random.ts";
import type { Batch } from "../training/step.ts";

/** The stream of random numbers that places the windows; window b of step n takes number n · B + b of it. */
export const BATCH_STREAM = "batches";

/**
 * B windows of T tokens for step n ≥ 0, each at a place that is a pure function of (seed, n, b), so a resumed run draws the
 * same windows. Throws RangeError unless the tokens hold a window and its targets.
 */
export function batchAt(tokens: Int32Array, B: number, T: number, seed: number, n: number): Batch {
  const places = tokens.length - T;
  if (!(places >= 1)) throw new RangeError(`${tokens.length} tokens hold no window of ${T} and the token after it`);
  const stream = streamOf(BATCH_STREAM);
  const starts = Array.from({ length: B }, (_, b) => integer(seed, stream, n * B + b, places));
  return windows(tokens, starts, T);
}

/** Every token except the first as a target once: windows of T one after another, then one for the rest. */
export function consecutive(tokens: Int32Array, T: number): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start + 1 < tokens.length; start += T) {
    batches.push(windows(tokens, [start], Math.min(T, tokens.length - 1 - start)));
  }
  return batches;
}

function windows(tokens: Int32Array, starts: readonly number[], T: number): Batch {
  const shape = [starts.length, T];
  const inputs = new Int32Array(starts.length * T);
  const targets = new Int32Array(starts.length * T);
  for (const [b, start] of starts.entries()) {
    inputs.set(tokens.subarray(start, start + T), b * T);
    targets.set(tokens.subarray(start + 1, start + T + 1), b * T);
  }
  return { tokens: { data: inputs, shape }, targets: { data: targets, shape } };
}
