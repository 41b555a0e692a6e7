// Files and candidates whose names and words a terminal would obey.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { writeSentencePiece } from "../../formats/sentencepiece.ts";
import { trainTokenizer, trainingDefaults } from "../../reference/text/train.ts";
import { wordCounter } from "../../reference/text/train-words.ts";
import { root } from "../command.ts";

/** Sets a title, clears the screen, colours by one byte, runs backwards, overwrites, and forges a line. */
export const hostile = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e\u200b\x7f\rover\nFORGED pass\u2028\u0085";
export const shown = "\\u001b]0;pwned\\u0007\\u001b[2J\\u009b31m\\u202e\\u200b\\u007f";
export const text = JSON.stringify(hostile);

export const folder = mkdtempSync(join(tmpdir(), "touchstone-words-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file below a folder of a hostile name. */
mkdirSync(join(folder, hostile));
export const at = (name: string): string => join(folder, hostile, name);
export const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};

export const tasks = (): string =>
  file("tasks.jsonl", JSON.stringify({ task: hostile, kind: "perplexity", text: "a b" }));

export const model = join(root, "golden/models/small/model.safetensors");
/** The model that ships, at a path of a hostile name. */
export function copied(): string {
  cpSync(model, at("model.safetensors"));
  return at("model.safetensors");
}

const suite = join(root, "golden/fixtures/suite");
const ones = (n: number) => ({ data: new Float32Array(n).fill(1), shape: [n] });

export function tensors(name: string, names: readonly string[], metadata: Record<string, string> = {}): string {
  writeSafetensors(at(name), new Map(names.map((one) => [one, ones(3)])), metadata);
  return at(name);
}

export function candidate(name: string, lines: string): string {
  const path = file(name, `#!/usr/bin/env node\n${lines}\n`);
  chmodSync(path, 0o755);
  return `node '${path}'`;
}

/** A tokenizer whose pieces hold the text, learned from it. */
export function vocabulary(): string {
  const counter = wordCounter();
  counter.add(`${hostile} `.repeat(50));
  const learned = trainTokenizer(counter.finish(), { vocabSize: 300, ...trainingDefaults });
  writeSentencePiece(at("hostile.model"), learned, {
    splitDigits: true,
    allowWhitespaceOnlyPieces: true,
    characterCoverage: trainingDefaults.characterCoverage,
    maxSentencepieceLength: trainingDefaults.longestPiece,
  });
  return at("hostile.model");
}

/** A folder of one fixture with the word in place of a field of its metadata. */
export function fixtures(name: string, field: string): string {
  mkdirSync(at(name), { recursive: true });
  const first = "add.forward.0.float32.safetensors";
  const bytes = readFileSync(join(suite, first));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, Record<string, string>>;
  header["__metadata__"][field] = hostile;
  const begin = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([begin, Buffer.alloc((8 - (begin.length % 8)) % 8, " ")]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(join(at(name), first), Buffer.concat([size, padded, bytes.subarray(8 + length)]));
  return at(name);
}

export const line = (words: string, ...more: string[]): string[] => [...words.split(" "), ...more];
export const add = "check --op add.forward --runs 1 --seed 1";
export const exec = (command: string): string[] => line(`${add} --exec`, command);
export const throwing = (): string => file("throws.mjs", `export default () => { throw Error(${text}); }`);
export const target = (fields: object): string => JSON.stringify({ u: "2^-24", source: "x", ...fields });
