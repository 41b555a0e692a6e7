// A tokenizer from a file of either format, recognised by its content.
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import type { TokenizerModel } from "../reference/text/tokenizer-model.ts";
import { sentencePiece } from "../reference/text/tokenizer-sentencepiece.ts";
import { FormatError } from "./error.ts";
import { readBytes } from "./input.ts";
import { parseLlama2cTokenizer } from "./llama2c-tokenizer.ts";
import { parseSentencePiece } from "./sentencepiece.ts";

/** Six times the largest vocabulary in use: a larger file is of another kind. */
const LARGEST = 2 ** 25;

/**
 * The tokenizer in a SentencePiece `.model` or a llama2.c `.bin`. Throws FormatError for any other file.
 *
 * @example
 * ```ts
 * import { readTokenizer } from "touchstone-llama/node";
 *
 * const tokenizer = readTokenizer("tokenizer.model");
 * tokenizer.decode(tokenizer.encode("A kernel is")); // "A kernel is"
 * ```
 */
export function readTokenizer(path: string): Tokenizer {
  return parseTokenizer(path, readTokenizerBytes(path));
}

/** The bytes of such a file, as they are. Throws FormatError. */
export function readTokenizerBytes(path: string): Uint8Array {
  return readBytes(path, "a tokenizer", LARGEST);
}

/** The tokenizer in the bytes of such a file; `path` is named in messages. Throws FormatError. */
export function parseTokenizer(path: string, bytes: Uint8Array): Tokenizer {
  const model = parseTokenizerModel(path, bytes);
  try {
    return sentencePiece(model);
  } catch (error) {
    throw error instanceof RangeError ? new FormatError(path, error.message, { cause: error }) : error;
  }
}

/** The vocabulary in such a file. Throws FormatError. */
export function readTokenizerModel(path: string): TokenizerModel {
  return parseTokenizerModel(path, readTokenizerBytes(path));
}

function parseTokenizerModel(path: string, bytes: Uint8Array): TokenizerModel {
  if (bytes.length === 0) throw new FormatError(path, "is empty, expected a tokenizer");
  if (bytes[0] === 0x7b) throw new FormatError(path, "is JSON, expected a SentencePiece .model or a llama2.c .bin");
  // llama2.c's file begins with a small int32; a .model with a field and its length, then a field inside it.
  const isLlama2c = bytes.length < 4 || (bytes[2] === 0 && bytes[3] === 0);
  return isLlama2c ? parseLlama2cTokenizer(path, bytes) : parseSentencePiece(path, bytes);
}
