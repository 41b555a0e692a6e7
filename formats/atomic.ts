// A file is replaced whole or not at all: it is written next to its place under a temporary name, flushed to the disk, then
// renamed.
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeAll } from "./bytes.ts";
import { FormatError } from "./error.ts";
import { asFormatError } from "./system-error.ts";

/**
 * Calls `fill` with a function that appends bytes, then puts the result in the place of `path`. If anything
 * throws, `fill` included, the temporary file is removed and an earlier file at `path` is left as it was. A symbolic link
 * is followed. Throws FormatError, naming the path and the cause, when the operating system refuses.
 */
export function writeAtomically(path: string, fill: (write: (bytes: Uint8Array) => void) => void): void {
  const wanted = `room in a writable folder ${dirname(path)}`;
  try {
    const target = replaceable(path);
    const temporary = join(dirname(target), `.touchstone-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
    const file = openSync(temporary, "wx");
    try {
      try {
        fill((bytes) => writeAll(file, bytes));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(dirname(target));
  } catch (error) {
    throw asFormatError(error, path, "cannot be written", wanted);
  }
}

// A rename replaces anything, even a device such as /dev/null, so only a regular file may be replaced.
function replaceable(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return path;
  if (found.isFile()) return realpathSync(path);
  throw new FormatError(
    path,
    found.isDirectory()
      ? "cannot be written, illegal operation on a directory (EISDIR), expected a file's path"
      : "cannot be written, it is a device or a pipe, expected a regular file or a free name",
  );
}

// The file is whole after the rename; this only makes the new name survive a power cut, and some file systems refuse it.
function syncFolder(folder: string): void {
  try {
    const file = openSync(folder, "r");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (!(error instanceof Error && "errno" in error)) throw error;
  }
}
