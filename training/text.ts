// The text of a run: bytes, cut into the part that is learned and the part that is held out.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { FormatError } from "../formats/error.ts";
import { LARGEST_TEXT, readTextBytes } from "../formats/text.ts";

/** The text that ships with the project, which a run learns unless it names another. It never changes: checkpoints hold its hash. */
export const FROZEN_TEXT = fileURLToPath(new URL("../golden/text/frozen-corpus.txt.gz", import.meta.url));

/** The share that is learned; the rest, at the end, is held out. */
const TRAINING_SHARE = 0.9;

export interface Text {
  readonly training: Uint8Array;
  readonly heldOut: Uint8Array;
  /** Of all bytes, in hexadecimal. */
  readonly sha256: string;
}

/** The files one after another, or the frozen text if none is named. Throws FormatError unless they are UTF-8. */
export function readTrainingText(files: readonly string[]): Text {
  const bytes = files.length === 0 ? readTextBytes(FROZEN_TEXT) : joined(files);
  let cut = Math.floor(bytes.length * TRAINING_SHARE);
  while (cut > 0 && cut < bytes.length && bytes[cut] >> 6 === 0b10) cut--; // not within a character
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { training: bytes.subarray(0, cut), heldOut: bytes.subarray(cut), sha256 };
}

/** All files together are one text, of at most LARGEST_TEXT bytes. */
function joined(files: readonly string[]): Uint8Array {
  let length = 0;
  const texts = files.map((path) => {
    const text = readUtf8(path, LARGEST_TEXT - length);
    length += text.length;
    return text;
  });
  return texts.length === 1 ? texts[0] : Buffer.concat(texts);
}

function readUtf8(path: string, most: number): Uint8Array {
  const bytes = readTextBytes(path, most);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return bytes;
  } catch (error) {
    throw new FormatError(path, "is not UTF-8, expected text in UTF-8", { cause: error });
  }
}
