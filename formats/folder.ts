// A folder that files are to be written into.
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { asFormatError } from "./system-error.ts";

/** Makes a folder and those it lies in, where they are not there yet. Throws FormatError unless files can be made in it. */
export function makeFolder(path: string): void {
  try {
    make(resolve(path));
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asFormatError(error, path, "cannot hold files", "a writable folder");
  }
}

// By hand, because mkdirSync's `recursive` never returns below a folder such as /proc, which refuses with ENOENT.
function make(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found === undefined) make(dirname(path));
  mkdirSync(path);
}
