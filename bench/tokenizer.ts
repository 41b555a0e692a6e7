// Encoding, decoding and learning a vocabulary (reference/text), in megabytes of UTF-8 a second on one core.
import { existsSync } from "node:fs";
import { readTextBytes } from "../formats/text.ts";
import { readTokenizer } from "../formats/tokenizer.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { sentencePiece } from "../reference/text/tokenizer-sentencepiece.ts";
import { trainTokenizer, trainingDefaults } from "../reference/text/train.ts";
import { wordCounter } from "../reference/text/train-words.ts";
import { fromUtf8 } from "../reference/text/tokenizer-utf8.ts";
import { FROZEN_TEXT } from "../training/text.ts";
import { medianMilliseconds } from "./measure.ts";

/** The least speed at which real text should be encoded, in MB/s. */
const LEAST = 1;
const VOCABULARY = 1000;
const shared = new URL("../../shared/data/", import.meta.url);

/** Prints the speeds; with LLaMA's kind of vocabulary and a long text if the shared data is present. */
export function benchTokenizer(): void {
  console.log("tokenizer on one core, median: MB/s");
  const text = fromUtf8(readTextBytes(FROZEN_TEXT)).repeat(8);
  let vocabulary = trainTokenizer(words(text), { vocabSize: VOCABULARY, ...trainingDefaults });
  const [milliseconds] = medianMilliseconds(() => {
    vocabulary = trainTokenizer(words(text), { vocabSize: VOCABULARY, ...trainingDefaults });
  });
  line(`learning ${VOCABULARY} pieces`, text, milliseconds);
  both(`${VOCABULARY} pieces`, sentencePiece(vocabulary), text);

  const [model, book] = ["tokenizer/openllama.model", "text/tiny-shakespeare.txt"].map((path) => new URL(path, shared));
  if (existsSync(model) && existsSync(book)) {
    const tokenizer = readTokenizer(model.pathname);
    both("openllama", tokenizer, fromUtf8(readTextBytes(book.pathname)));
    both("openllama, one long word", tokenizer, "a".repeat(1_000_000));
  } else {
    console.log("  openllama: skipped, ../shared/data is absent");
  }
  console.log(`  encoding: expected at least ${LEAST} MB/s`);
}

function both(name: string, tokenizer: Tokenizer, text: string): void {
  const ids = tokenizer.encode(text);
  const [encode, decode] = medianMilliseconds(
    () => tokenizer.encode(text),
    () => tokenizer.decode(ids),
  );
  line(`encode, ${name}`, text, encode);
  line(`decode, ${name}`, text, decode);
}

function line(name: string, text: string, milliseconds: number): void {
  const speed = Buffer.byteLength(text) / milliseconds / 1000;
  console.log(`  ${name.padEnd(34)} ${speed.toFixed(2).padStart(6)}`);
}

function words(text: string): ReadonlyMap<string, number> {
  const counter = wordCounter();
  counter.add(text);
  return counter.finish();
}
