// Text files, plain or compressed with gzip (RFC 1952): those whose names end in .gz are compressed.
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { constants, gunzipSync } from "node:zlib";
import { readAt } from "./bytes.ts";
import { FormatError } from "./error.ts";
import { asFormatError } from "./system-error.ts";

/**
 * No text is decompressed to more bytes than this: the result is held in memory, and a few kilobytes can expand to terabytes.
 * Larger texts must be decompressed first.
 */
export const LARGEST_DECOMPRESSED = 2 ** 28;

export interface TextFile {
  /** In bytes, decompressed. */
  readonly size: number;
  /** Whether the whole text is in memory: opening it again would decompress it again. */
  readonly isDecompressed: boolean;
  /** Fills `into` from byte `at` on. Returns how many bytes there were. */
  read(at: number, into: Uint8Array): number;
  close(): void;
}

/** Opens a text. Throws FormatError if it cannot be read, is not a regular file, or is not a whole gzip file. */
export function openText(path: string): TextFile {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a readable text");
  }
  try {
    const stats = fstatSync(handle);
    if (!stats.isFile()) throw new FormatError(path, "is not a regular file, expected a text");
    if (path.endsWith(".gz")) {
      const bytes = decompressed(path, readFileSync(handle));
      closeSync(handle);
      return inMemory(bytes);
    }
    const read = (at: number, into: Uint8Array): number => readAt(handle, at, into);
    return { size: stats.size, isDecompressed: false, read, close: () => closeSync(handle) };
  } catch (error) {
    closeSync(handle);
    throw asFormatError(error, path, "cannot be read", "a readable text");
  }
}

/** All bytes of a text. Throws as openText does, but also reads a pipe or whatever else is not a regular file. */
export function readTextBytes(path: string): Uint8Array {
  try {
    const bytes = readFileSync(path);
    return path.endsWith(".gz") ? decompressed(path, bytes) : bytes;
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a readable text");
  }
}

function inMemory(bytes: Uint8Array): TextFile {
  const read = (at: number, into: Uint8Array): number => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
  return { size: bytes.length, isDecompressed: true, read, close: () => {} };
}

function decompressed(path: string, bytes: Uint8Array): Uint8Array {
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
