// Text files, plain or compressed with gzip (RFC 1952): those whose names end in .gz are compressed.
import { constants, gunzipSync } from "node:zlib";
import { FormatError } from "./error.ts";
import { openInput, readBytes } from "./input.ts";

/** A text that is read whole, and no longer than this: V8's strings end at 2²⁹ characters. */
export const LARGEST_TEXT = 2 ** 28;
/**
 * No text is decompressed to more bytes than this: the result is held in memory, and a few kilobytes can expand to terabytes.
 * Larger texts must be decompressed first.
 */
export const LARGEST_DECOMPRESSED = LARGEST_TEXT;

export interface TextFile {
  /** In bytes, decompressed. */
  readonly size: number;
  /** Whether the whole text is in memory: opening it again would decompress it again. */
  readonly isDecompressed: boolean;
  /** Fills `into` from byte `at` on. Returns how many bytes there were: fewer only at the end. */
  read(at: number, into: Uint8Array): number;
  close(): void;
}

const expected = "a readable text";

/** Opens a text. Throws FormatError if it cannot be read, is not a regular file, or is not a whole gzip file. */
export function openText(path: string): TextFile {
  if (path.endsWith(".gz")) return inMemory(decompressed(path));
  const { size, read: fill, close } = openInput(path, expected);
  const read = (at: number, into: Uint8Array): number => {
    const length = Math.min(into.length, Math.max(0, size - at));
    fill(at, into.subarray(0, length));
    return length;
  };
  return { size, isDecompressed: false, read, close };
}

/** All bytes of a text. Throws as openText does, and for a text of more than LARGEST_TEXT bytes. */
export function readTextBytes(path: string): Uint8Array {
  return path.endsWith(".gz") ? decompressed(path) : readBytes(path, expected, LARGEST_TEXT);
}

function inMemory(bytes: Uint8Array): TextFile {
  const read = (at: number, into: Uint8Array): number => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
  return { size: bytes.length, isDecompressed: true, read, close: () => {} };
}

function decompressed(path: string): Uint8Array {
  const bytes = readBytes(path, "a text compressed with gzip", LARGEST_DECOMPRESSED);
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_DECOMPRESSED, finishFlush: constants.Z_FINISH });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(path);
    throw new FormatError(path, `cannot be decompressed, ${message}, expected a whole gzip file`, { cause: error });
  }
}

function tooLarge(path: string): FormatError {
  return new FormatError(
    path,
    `holds more than ${LARGEST_DECOMPRESSED} bytes of text, expected at most that many in a .gz file: decompress it first`,
  );
}
