// The data of a run, a text or a mixture: its batches, and the trained model's loss on the part that was held out.
import type { LlamaConfig } from "../reference/config.ts";
import { batchAt } from "../reference/text/batches.ts";
import { bigramEntropy } from "../reference/text/bigram.ts";
import { mixture, type MixtureState } from "../reference/text/mixture.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { fromUtf8 } from "../reference/text/tokenizer-utf8.ts";
import type { Batch } from "../reference/training/step.ts";
import type { Weights } from "../reference/weights.ts";
import { learnedSources, type OpenedMixture } from "./mixture.ts";
import { totalLoss } from "./run.ts";
import type { Text } from "./text.ts";
import { largest } from "../reference/lists.ts";
import { counted } from "../reference/words.ts";

/** The bytes of each source on which its held-out loss is measured. */
const MOST_HELD_OUT_BYTES = 2 ** 15;

export interface Placement {
  readonly batchSize: number;
  readonly sequenceLength: number;
  readonly seed: number;
}

export interface TrainingData {
  /** Lines that describe the data. */
  readonly summary: readonly string[];
  /** The batch of a step, counted from 0. A mixture's must be requested in order. */
  batchOf(step: number): Batch;
  /** The state from which a mixture continues; undefined for a text. */
  state(): MixtureState | undefined;
  /** Lines on how much has been learned from each source so far; none for a text. */
  progress(): string[];
  /** Lines on a model's loss on the held-out part. */
  heldOut(config: LlamaConfig, weights: Weights): string[];
  /** Ids that a sample may continue. */
  readonly prompt: Int32Array;
}

/** Windows of one text at places that the seed draws. Throws RangeError for a text that is too short. */
export function textData(
  text: Text,
  tokenizer: Tokenizer,
  { batchSize, sequenceLength, seed }: Placement,
): TrainingData {
  const { training, heldOut } = text;
  const tokens = tokenizer.encode(fromUtf8(training));
  if (!(tokens.length > sequenceLength && heldOut.length >= 2)) {
    const bytes = training.length + heldOut.length;
    const wanted = `more than ${sequenceLength} tokens to learn and at least 2 bytes to hold out`;
    throw new RangeError(`the text has ${bytes} bytes, ${heldOut.length} of them held out, expected ${wanted}`);
  }
  return {
    summary: [`${training.length} bytes to learn, ${tokens.length} tokens, ${heldOut.length} bytes held out`],
    batchOf: (step) => batchAt(tokens, batchSize, sequenceLength, seed, step),
    state: () => undefined,
    progress: () => [],
    heldOut(config, weights) {
      const loss = lossPerByte(config, weights, tokenizer, heldOut, tokens.subarray(-1), sequenceLength);
      const entropy = bigramEntropy(training, Buffer.concat([training.subarray(-1), heldOut])).toFixed(4);
      return [
        `held-out loss   ${loss.toFixed(4)} nats a byte`,
        `bigram entropy  ${entropy} nats a byte: pairs counted in the same text, one added, on the same bytes`,
      ];
    },
    prompt: tokens.subarray(-sequenceLength),
  };
}

/** Sequences of a mixture, from its beginning or from a state. Throws RangeError for a tokenizer without begin or end token. */
export function mixtureData(
  opened: OpenedMixture,
  tokenizer: Tokenizer,
  { batchSize, sequenceLength, seed }: Placement,
  from: MixtureState | undefined,
): TrainingData {
  const { sources } = opened;
  if (tokenizer.bos < 0 || tokenizer.eos < 0) {
    throw new RangeError("the vocabulary has no begin or no end token, expected both around documents");
  }
  const drawn = mixture(learnedSources(opened, tokenizer), sequenceLength, seed, from);
  const width = largest(sources.map(({ name }) => name.length));
  return {
    summary: sources.map(({ name, share, files, learned }) => {
      const documents = `${counted(learned, "document")} to learn, ${files.count - learned} held out, ${counted(files.bytes, "byte")}`;
      return `${name.padEnd(width)}  ${percent(share)} of the tokens: ${documents} in ${counted(files.files, "file")}`;
    }),
    batchOf: () => drawn.next(batchSize),
    state: () => drawn.state(),
    progress() {
      const state = drawn.state();
      const all = state.sources.reduce((sum, { sequences }) => sum + sequences, 0);
      return state.sources.map(({ name, sequences, epoch, document }, s) => {
        const epochs = (epoch + document / sources[s].learned).toFixed(2);
        const share = percent(all > 0 ? sequences / all : 0);
        return `${name.padEnd(width)}  ${share} of the tokens so far: ${sequences * sequenceLength}, ${epochs} epochs`;
      });
    },
    heldOut: (config, weights) =>
      sources.map(({ name, files, learned }) => {
        const at = name.padEnd(width);
        if (learned === files.count) return `${at}  nothing is held out of so few documents`;
        const texts: Uint8Array[] = [];
        let length = 0;
        for (let d = learned; d < files.count && length < MOST_HELD_OUT_BYTES; d++) {
          texts.push(files.read(d, MOST_HELD_OUT_BYTES - length));
          length += texts.at(-1)!.length;
        }
        const begin = Int32Array.of(tokenizer.bos);
        const sum = texts.reduce((total, text) => {
          return total + text.length * lossPerByte(config, weights, tokenizer, text, begin, sequenceLength);
        }, 0);
        return `${at}  held-out loss ${(sum / length).toFixed(4)} nats a byte, ${length} bytes`;
      }),
    prompt: Int32Array.of(tokenizer.bos),
  };
}

/** Loss in nats of every token of a text, which follows the ids `before`, divided by the text's bytes. */
function lossPerByte(
  config: LlamaConfig,
  weights: Weights,
  tokenizer: Tokenizer,
  text: Uint8Array,
  before: Int32Array,
  T: number,
): number {
  const tokens = Int32Array.from([...before, ...tokenizer.encode(fromUtf8(text))]);
  return totalLoss(config, weights, tokens, T) / text.length;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).padStart(5)} %`;
}
