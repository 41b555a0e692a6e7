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
/** Bytes that zlib makes at once, where a file does not say how many there are. */
const LEAST_CHUNK = 2 ** 16;

/**
 * Opens a text; a compressed one may hold at most `most` bytes. Throws FormatError if it cannot be read, is not a regular file, or
 * is not a whole gzip file.
 */
export function openText(path: string, most = LARGEST_DECOMPRESSED): TextFile {
  if (path.endsWith(".gz")) return inMemory(decompressed(path, most));
  const { size, read: fill, close } = openInput(path, expected);
  const read = (at: number, into: Uint8Array): number => {
    const length = Math.min(into.length, Math.max(0, size - at));
    fill(at, into.subarray(0, length));
    return length;
  };
  return { size, isDecompressed: false, read, close };
}

/** All bytes of a text. Throws as openText does, and for any text of more than `most` bytes. */
export function readTextBytes(path: string, most = LARGEST_TEXT): Uint8Array {
  return path.endsWith(".gz") ? decompressed(path, most) : readBytes(path, expected, most);
}

function inMemory(bytes: Uint8Array): TextFile {
  const read = (at: number, into: Uint8Array): number => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
  return { size: bytes.length, isDecompressed: true, read, close: () => {} };
}

function decompressed(path: string, most: number): Uint8Array {
  const bytes = readBytes(path, "a text compressed with gzip", LARGEST_DECOMPRESSED);
  const claimed = claimedSize(bytes);
  // In one piece, where the claim is true: pieces would be in memory twice when they are joined.
  const chunkSize = Math.max(LEAST_CHUNK, claimed <= most ? claimed + 1 : 0);
  try {
    // A limit of 0 would be refused as an argument.
    const maxOutputLength = Math.max(1, most);
    const { buffer, byteOffset, length } = gunzipSync(bytes, {
      chunkSize,
      maxOutputLength,
      finishFlush: constants.Z_FINISH,
    });
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(path, most);
    throw new FormatError(path, `cannot be decompressed, ${message}, expected a whole gzip file`, { cause: error });
  }
}

/** The last four bytes of a gzip file: the size of what its last member holds, modulo 2³². */
function claimedSize(bytes: Uint8Array): number {
  if (bytes.length < 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

function tooLarge(path: string, most: number): FormatError {
  const before = LARGEST_DECOMPRESSED - most;
  const others = before > 0 ? `, of which other texts take ${before}` : "";
  const what = `holds more than ${most} bytes of text, expected at most ${LARGEST_DECOMPRESSED} in memory${others}`;
  return new FormatError(path, `${what}: decompress it first`);
}
