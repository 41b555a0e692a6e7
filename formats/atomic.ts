// A file is replaced whole or not at all: it is written next to its place under a temporary name, flushed to the disk, then
// renamed.
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { writeAll } from "./bytes.ts";
import { FormatError } from "./error.ts";
import { removeLeftOvers, temporaryName, UNFINISHED } from "./owner.ts";
import { asFormatError } from "./system-error.ts";

/**
 * Calls `fill` with a function that appends bytes, then puts the result in the place of `path`. If anything
 * throws, `fill` included, the temporary file is removed and an earlier file at `path` is left as it was. A symbolic link
 * stays, and its target is replaced; mode and owner stay, the owner as far as the system lets. Other names of the earlier
 * file (hard links) keep the earlier contents. Throws FormatError, naming the path and the cause, when the operating system
 * refuses.
 */
export function writeAtomically(path: string, fill: (write: (bytes: Uint8Array) => void) => void): void {
  const wanted = `room in a writable folder ${dirname(path)}`;
  try {
    const earlier = replaceable(path);
    const target = followed(path);
    const folder = dirname(target);
    sweep(folder);
    const temporary = join(folder, temporaryName(UNFINISHED));
    const file = openSync(temporary, "wx");
    try {
      try {
        fill((bytes) => writeAll(file, bytes));
        if (earlier !== undefined) keepPermissions(file, earlier);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(folder);
  } catch (error) {
    throw asFormatError(error, path, "cannot be written", wanted);
  }
}

const swept = new Set<string>();

/** Removes, once in this process, what ended processes left unfinished in a folder. */
export function sweep(folder: string): void {
  if (swept.has(folder)) return;
  swept.add(folder);
  removeLeftOvers(folder, UNFINISHED);
}

/** The place that a path names, at the end of its symbolic links; nothing need be there. */
export function followed(path: string): string {
  let at = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links++) {
    at = join(realpathSync(dirname(at)), basename(at));
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return at;
    at = resolve(dirname(at), readlinkSync(at));
  }
  throw new FormatError(path, "is a symbolic link without an end, expected a file's path");
}

/** As many as Linux follows. */
const MOST_LINKS = 40;

// A rename replaces anything, even a device such as /dev/null or a file without permission to write, so these are refused here.
function replaceable(path: string): Stats | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (found.isFile()) {
    accessSync(path, constants.W_OK);
    return found;
  }
  throw new FormatError(
    path,
    found.isDirectory()
      ? "cannot be written, illegal operation on a directory (EISDIR), expected a file's path"
      : "cannot be written, it is a device or a pipe, expected a regular file or a free name",
  );
}

function keepPermissions(file: number, { uid, gid, mode }: Stats): void {
  try {
    fchownSync(file, uid, gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error; // only root may give a file away
  }
  fchmodSync(file, mode & 0o777);
}

// The file is whole after the rename; this only makes the new name survive a power cut, and some file systems refuse it.
export function syncFolder(folder: string): void {
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
