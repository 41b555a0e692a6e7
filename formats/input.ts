// The one way in which a file that someone names is opened: a regular file, without waiting, and no longer than its kind ever is.
// It is read by range, so that only the bytes that are asked for are in memory.
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, type Stats } from "node:fs";
import { readAt } from "./bytes.ts";
import { FormatError } from "./error.ts";
import { parseFile } from "./json.ts";
import { asFormatError } from "./system-error.ts";

/** An open file. */
export interface InputFile {
  readonly path: string;
  /** In bytes, when it was opened. */
  readonly size: number;
  /** Fills `into` with the bytes from `position` on. Throws FormatError if the file ends too early. */
  read(position: number, into: Uint8Array): void;
  close(): void;
}

// Without O_NONBLOCK, opening a pipe waits for its writer; a terminal must not become this process's own. Windows has neither.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Opens a regular file, or a link to one, of at most `most` bytes; `expected` is what messages say it should be. A pipe (also
 * /dev/stdin, and a shell's <(…)), a device or a folder is refused: its size is not known before it has been read. Throws FormatError.
 */
export function openInput(path: string, expected: string, most = Infinity): InputFile {
  if (typeof path !== "string") throw new TypeError(`the path is a ${typeof path}, expected a string: ${expected}`);
  let file: number | undefined;
  let size: number;
  try {
    file = openSync(path, flags);
    // Of the file that is open: another may take its name in between.
    const found = fstatSync(file);
    if (!found.isFile())
      throw new FormatError(path, `is not a regular file but ${kindOf(found)}, expected ${expected}`);
    size = found.size;
    if (size > most) throw new FormatError(path, `is ${size} bytes long, expected ${expected}, at most ${most} bytes`);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    throw asFormatError(error, path, "cannot be read", expected);
  }
  return opened(path, file, size, expected);
}

function opened(path: string, file: number, size: number, expected: string): InputFile {
  let isOpen = true;
  function read(position: number, into: Uint8Array): void {
    if (!isOpen) throw new FormatError(path, "is closed, expected an open file");
    // Written so that NaN is refused too.
    if (!(position >= 0 && position + into.length <= size)) {
      throw new FormatError(path, `is ${size} bytes long, expected ${into.length} bytes from byte ${position} on`);
    }
    let count: number;
    try {
      count = readAt(file, position, into);
    } catch (error) {
      throw asFormatError(error, path, "cannot be read", expected);
    }
    if (count < into.length) {
      throw new FormatError(
        path,
        `ends at byte ${position + count}, expected ${position + into.length}: it has shrunk`,
      );
    }
  }
  const close = (): void => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return { path, size, read, close };
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder";
  return found.isFIFO() ? "a pipe" : "a device";
}

/** All bytes of a file. Throws FormatError as openInput does. */
export function readBytes(path: string, expected: string, most: number): Uint8Array {
  const file = openInput(path, expected, most);
  try {
    const bytes = new Uint8Array(file.size);
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}

/** Bytes hashed at once. */
const chunkBytes = 2 ** 20;

/** The SHA-256 of a file of any length, in hexadecimal. Throws FormatError as openInput does. */
export function sha256Of(path: string): string {
  const { size, read, close } = openInput(path, "a file to hash");
  const hash = createHash("sha256");
  try {
    const chunk = new Uint8Array(Math.min(chunkBytes, size));
    for (let at = 0; at < size; at += chunkBytes) {
      const part = chunk.subarray(0, size - at);
      read(at, part);
      hash.update(part);
    }
  } finally {
    close();
  }
  return hash.digest("hex");
}

/** A text file, such as a configuration. Throws FormatError if it is longer than `most` bytes, or not UTF-8. */
export function readText(path: string, expected: string, most: number): string {
  const bytes = readBytes(path, expected, most);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(path, `is not UTF-8, expected ${expected}`, { cause: error });
  }
}

/** The value in a JSON file, which is still to be checked. Throws FormatError if it is longer than `most` bytes, or not JSON. */
export function readJson(path: string, expected: string, most: number): unknown {
  return parseFile(path, readText(path, expected, most), expected);
}
