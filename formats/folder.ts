// A folder: what it holds, and whether files can be written into it.
import { accessSync, constants, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { asFormatError } from "./system-error.ts";

/** The names in a folder. Throws FormatError, with what was expected, if it cannot be read. */
export function namesIn(path: string, expected: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", expected);
  }
}

/** Makes a folder and its parents, unless they exist. Throws FormatError unless files can be made in it. */
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
