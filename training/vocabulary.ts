// The tokenizer of a run: bytes, or a file, of which a copy is kept next to the checkpoint.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../formats/atomic.ts";
import { FormatError } from "../formats/error.ts";
import { parseTokenizer, readTokenizerBytes } from "../formats/tokenizer.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { byteTokenizer } from "../reference/text/tokenizer-bytes.ts";

/** The name of the tokenizer in a folder, in either format. */
export const tokenizerNames = ["tokenizer.model", "tokenizer.bin"] as const;

export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  /** Absent for bytes. */
  readonly file?: { readonly path: string; readonly sha256: string; readonly bytes: Uint8Array };
}

/** The tokenizer in a file, or bytes. Throws FormatError. */
export function openVocabulary(path: string | undefined): Vocabulary {
  if (path === undefined) return { tokenizer: byteTokenizer };
  const bytes = readTokenizerBytes(path);
  return {
    tokenizer: parseTokenizer(path, bytes),
    file: { path, bytes, sha256: createHash("sha256").update(bytes).digest("hex") },
  };
}

/** The tokenizer file in a folder, if there is one. */
export function tokenizerIn(folder: string): string | undefined {
  return tokenizerNames.map((name) => join(folder, name)).find((file) => existsSync(file));
}

/** Puts a copy in a folder. Throws FormatError, also if the folder holds another run's tokenizer. */
export function keepVocabulary(folder: string, { file }: Vocabulary): void {
  const there = tokenizerIn(folder);
  if (file === undefined) {
    if (there === undefined) return;
    throw new FormatError(there, "is another run's tokenizer, expected another --out for a run with bytes as tokens");
  }
  // A .model begins with a field and its length, a .bin with a small int32.
  const name = file.bytes[2] === 0 && file.bytes[3] === 0 ? "tokenizer.bin" : "tokenizer.model";
  if (there !== undefined && there !== join(folder, name)) {
    throw new FormatError(there, `is another run's tokenizer, expected another --out for ${name}`);
  }
  writeAtomically(join(folder, name), (write) => write(file.bytes));
}
