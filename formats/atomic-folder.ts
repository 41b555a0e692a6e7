// A folder appears whole or not at all: it is filled next to its place under a temporary name, then renamed.
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { followed, sweep } from "./atomic.ts";
import { aboutPlace, FormatError } from "./error.ts";
import { temporaryName, UNFINISHED } from "./owner.ts";
import { asFormatError } from "./system-error.ts";

/**
 * Calls `fill` with an empty folder, then gives it the name `path`. If anything throws, `fill` included, the folder is
 * removed. Nothing at `path` is ever replaced except an empty folder, whose mode stays. Throws FormatError, naming the path
 * and the cause.
 */
export function writeFolderAtomically(path: string, fill: (folder: string) => void): void {
  const wanted = `room in a writable folder ${dirname(path)}`;
  try {
    checkFree(path);
    const target = followed(path);
    sweep(dirname(target));
    const temporary = join(dirname(target), temporaryName(UNFINISHED));
    mkdirSync(temporary);
    try {
      fill(temporary);
      const earlier = statSync(target, { throwIfNoEntry: false });
      if (earlier !== undefined) chmodSync(temporary, earlier.mode & 0o7777);
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw aboutPlace(error, temporary, path);
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
