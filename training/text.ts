// The text of a run: bytes, cut into the part that is learned and the part that is held out.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { FormatError } from "../formats/error.ts";
import { readTextBytes } from "../formats/text.ts";

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
  const bytes = files.length === 0 ? readTextBytes(FROZEN_TEXT) : Buffer.concat(files.map(readUtf8));
  let cut = Math.floor(bytes.length * TRAINING_SHARE);
  while (cut > 0 && cut < bytes.length && bytes[cut] >> 6 === 0b10) cut--; // not within a character
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { training: bytes.subarray(0, cut), heldOut: bytes.subarray(cut), sha256 };
}

function readUtf8(path: string): Uint8Array {
  const bytes = readTextBytes(path);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return bytes;
  } catch (error) {
    throw new FormatError(path, "is not UTF-8, expected text in UTF-8", { cause: error });
  }
}
