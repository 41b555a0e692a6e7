// The tokenizer of a run: bytes, or a file, of which a copy is kept next to the checkpoint.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
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
