// A folder appears whole or not at all: it is filled next to its place under a temporary name, then renamed.
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { FormatError } from "./error.ts";
import { asFormatError } from "./system-error.ts";

/**
 * Calls `fill` with an empty folder, then gives it the name `path`. If anything throws, `fill` included, the folder is
 * removed. Nothing at `path` is ever replaced except an empty folder. Throws FormatError, naming the path and
 * the cause.
 */
export function writeFolderAtomically(path: string, fill: (folder: string) => void): void {
  const parent = dirname(path);
  const wanted = `room in a writable folder ${parent}`;
  try {
    checkFree(path);
    const temporary = join(realpathSync(parent), `.touchstone-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
    mkdirSync(temporary);
    try {
      fill(temporary);
      renameSync(temporary, join(realpathSync(parent), basename(path)));
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    }
  } catch (error) {
    throw asFormatError(error, path, "cannot be written", wanted);
  }
}

function checkFree(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new FormatError(path, "is a file, expected a free name for a folder");
  const [first] = readdirSync(path);
  if (first === undefined) return;
  throw new FormatError(
    path,
    `is a folder with ${readdirSync(path).length} entries, expected a free name or an empty one`,
  );
}
