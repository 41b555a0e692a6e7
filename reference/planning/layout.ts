// How a run is laid out over GPUs, and the rules that a layout keeps. Each broken rule is one line that ends in the nearest
// legal choice.
import type { LlamaConfig } from "../config.ts";
import type { TensorGroup } from "../model/sizes.ts";

export const zeroStages = [0, 1, 2, 3] as const;
export type ZeroStage = (typeof zeroStages)[number];

/** data × tensor ranks. */
export interface Layout extends TensorGroup {
  /** Ranks that share the sequences of a batch (data parallelism). */
  readonly data: number;
  /** The parts of the state that data ranks cut: none, moments, also gradients, also weights (Rajbhandari et al. 2020). */
  readonly zero: ZeroStage;
}

export interface BatchSize {
  /** Tokens of a step, of a sequence; sequences of a micro-batch. */
  readonly tokens: number;
  readonly context: number;
  readonly microBatch: number;
}

/**
 * Throws RangeError for a tensor size that does not divide one of the axes it cuts, or sequence parallelism that has nothing
 * to divide; T is the length of a sequence.
 */
export function checkTensorGroup(
  config: LlamaConfig,
  gpus: number,
  { tensor, sequence }: TensorGroup,
  T: number,
): void {
  const divided: [string, number][] = [
    ["heads", config.nHeads],
    ["key/value heads", config.nKvHeads],
    ["features of the feed-forward layer", config.ffnDim],
    ["rows of the vocabulary", config.vocabSize],
  ];
  if (sequence) divided.push(["positions of a sequence", T]);
  const fits = (t: number): boolean => gpus % t === 0 && divided.every(([, length]) => length % t === 0);
  const legal = divisors(config.nHeads).filter(fits);
  for (const [what, length] of divided) {
    if (length % tensor !== 0) {
      throw new RangeError(
        `${length} ${what} are not divisible by the tensor size ${tensor}; nearest legal: tensor size ${nearest(legal, tensor)}`,
      );
    }
  }
  if (tensor > gpus) {
    throw new RangeError(
      `more ranks than GPUs: tensor size ${tensor} on ${gpus}; nearest legal: tensor size ${nearest(legal, tensor)}`,
    );
  }
  if (sequence && tensor === 1) {
    const choice = legal.length > 1 ? `tensor size ${legal[1]}, or no sequence parallelism` : "no sequence parallelism";
    throw new RangeError(
      `sequence parallelism divides positions over a tensor-parallel group, and that is 1 rank; nearest legal: ${choice}`,
    );
  }
}

/** The data ranks, `asked` or as many as fill the GPUs. Throws RangeError where ranks and GPUs do not match. */
export function dataRanks(gpus: number, tensor: number, asked?: number): number {
  const most = Math.floor(gpus / tensor);
  if (asked === undefined) {
    const idle = gpus % tensor;
    if (idle === 0) return most;
    const wanted = idle < tensor / 2 ? gpus - idle : gpus - idle + tensor;
    throw new RangeError(
      `${gpus} GPUs are not a multiple of the tensor size ${tensor}; ` +
        `nearest legal: ${wanted} GPUs, or ${most} data ranks and ${idle} idle GPUs`,
    );
  }
  if (asked > most) {
    throw new RangeError(
      `more ranks than GPUs: ${asked} data ranks × tensor size ${tensor} = ${asked * tensor} on ${gpus}; ` +
        `nearest legal: ${most} data ranks`,
    );
  }
  return asked;
}

/** Throws RangeError for a stage that has nothing to shard over. */
export function checkZero(zero: ZeroStage, data: number): void {
  if (zero > 0 && data === 1) {
    throw new RangeError(
      `ZeRO stage ${zero} shards over data ranks, and there is 1; nearest legal: stage 0, or 2 data ranks`,
    );
  }
}

/** A data rank's sequences in a step, and its number of micro-batches. Throws RangeError where they do not divide. */
export function divideBatch(
  config: LlamaConfig,
  { tokens, context, microBatch }: BatchSize,
  data: number,
): { sequences: number; microBatches: number } {
  if (context > config.maxSeqLen) {
    throw new RangeError(
      `context ${context} is longer than the model's ${config.maxSeqLen} positions; nearest legal: ${config.maxSeqLen}`,
    );
  }
  const unit = context * microBatch * data;
  const wanted = `nearest legal: ${unit * Math.max(1, Math.round(tokens / unit))} tokens`;
  if (tokens % context !== 0) {
    throw new RangeError(`a batch of ${tokens} tokens is not divisible into sequences of ${context}; ${wanted}`);
  }
  if ((tokens / context) % data !== 0) {
    throw new RangeError(
      `a batch of ${tokens} tokens, ${tokens / context} sequences of ${context}, is not divisible over ${data} data ranks; ${wanted}`,
    );
  }
  const sequences = tokens / context / data;
  if (sequences % microBatch !== 0) {
    throw new RangeError(
      `${sequences} sequences of a data rank are not divisible into micro-batches of ${microBatch}; ` +
        `nearest legal: micro-batch ${nearest(divisors(sequences), microBatch)}`,
    );
  }
  return { sequences, microBatches: sequences / microBatch };
}

/** In ascending order. */
export function divisors(n: number): number[] {
  const small: number[] = [];
  for (let d = 1; d * d <= n; d++) if (n % d === 0) small.push(d);
  const large = small.map((d) => n / d).filter((d) => d * d > n);
  return [...small, ...large.toReversed()];
}

/** The lower of two that are equally near. `legal` is in ascending order. */
export function nearest(legal: readonly number[], asked: number): number {
  return legal.reduce((best, n) => (Math.abs(n - asked) < Math.abs(best - asked) ? n : best));
}
