// The interface of every vocabulary: text to token ids and back.

/**
 * A vocabulary: text to token ids and back.
 *
 * @example
 * ```ts
 * import { readTokenizer, type Tokenizer } from "touchstone-llama/node";
 *
 * const tokenizer: Tokenizer = readTokenizer("tokenizer.model");
 * tokenizer.encode("text", { bos: true })[0] === tokenizer.bos; // true
 * ```
 */
export interface Tokenizer {
  readonly vocabSize: number;
  /** The ids of the begin, the end and the unknown token; −1 where the vocabulary has none. */
  readonly bos: number;
  readonly eos: number;
  readonly unk: number;
  /**
   * Text → ids in [0, vocabSize), with the begin token before and the end token after where asked. Half a surrogate pair
   * is read as U+FFFD. Throws RangeError only when a token is asked for that the vocabulary does not have.
   */
  encode(text: string, ends?: { readonly bos?: boolean; readonly eos?: boolean }): Int32Array;
  /** Ids → text. Throws RangeError for an id outside [0, vocabSize). */
  decode(ids: Iterable<number>): string;
  /** Decodes one id at a time, as a generation produces them. */
  decoder(): Decoder;
}

/** The texts that push and end return, joined, are the result of Tokenizer.decode for all the ids. */
export interface Decoder {
  /** The text that is certain after this id; "" while a character's bytes are incomplete. Throws RangeError as decode does. */
  push(id: number): string;
  /** The text for the bytes of an incomplete character. */
  end(): string;
}

/** All ids through one decoder. */
export function decodeAll(decoder: Decoder, ids: Iterable<number>): string {
  const parts: string[] = [];
  for (const id of ids) parts.push(decoder.push(id));
  parts.push(decoder.end());
  return parts.join("");
}

/** Ids between their begin and end tokens. Throws RangeError for a token that the vocabulary does not have. */
export function between(
  { bos, eos }: Pick<Tokenizer, "bos" | "eos">,
  ids: Int32Array,
  ends: { readonly bos?: boolean; readonly eos?: boolean } = {},
): Int32Array {
  if (ends.bos === true && bos < 0) throw new RangeError("the vocabulary has no begin token, expected one");
  if (ends.eos === true && eos < 0) throw new RangeError("the vocabulary has no end token, expected one");
  const before = ends.bos === true ? 1 : 0;
  const all = new Int32Array(before + ids.length + (ends.eos === true ? 1 : 0)).fill(eos);
  if (ends.bos === true) all[0] = bos;
  all.set(ids, before);
  return all;
}

/** Throws RangeError unless id is an integer in [0, vocabSize). */
export function checkId(id: number, vocabSize: number): void {
  if (!(Number.isInteger(id) && id >= 0 && id < vocabSize)) {
    throw new RangeError(`token id ${id} is outside the vocabulary, expected an integer from 0 to ${vocabSize - 1}`);
  }
}
