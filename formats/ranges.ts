// A file read by range: only the bytes that are asked for are in memory, and none beyond its end are asked for.
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { readAt } from "./bytes.ts";
import { FormatError } from "./error.ts";
import { asFormatError } from "./system-error.ts";

/** An open file. */
export interface RangeFile {
  readonly path: string;
  /** In bytes, when it was opened. */
  readonly size: number;
  /** Fills `into` with the bytes from `position` on. Throws FormatError if the file ends too early. */
  read(position: number, into: Uint8Array): void;
  close(): void;
}

/** Opens a regular file; `wanted` is what messages say it should be. Throws FormatError. */
export function openRanges(path: string, wanted: string): RangeFile {
  let file: number;
  let size: number;
  try {
    // Before opening, because opening a pipe would wait for its writer.
    if (!statSync(path).isFile()) throw new FormatError(path, `is not a regular file, expected ${wanted}`);
    file = openSync(path, "r");
    size = fstatSync(file).size;
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", wanted);
  }
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
      throw asFormatError(error, path, "cannot be read", wanted);
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

/** A small text file, such as a configuration. Throws FormatError if it is longer than `most` bytes, or not UTF-8. */
export function readText(path: string, wanted: string, most: number): string {
  const file = openRanges(path, wanted);
  try {
    if (file.size > most)
      throw new FormatError(path, `is ${file.size} bytes long, expected ${wanted}, at most ${most}`);
    const bytes = new Uint8Array(file.size);
    file.read(0, bytes);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new FormatError(path, `is not UTF-8, expected ${wanted}`, { cause: error });
    throw error;
  } finally {
    file.close();
  }
}
