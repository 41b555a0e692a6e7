// Standard output that people pipe on.
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { asFormatError } from "../formats/system-error.ts";
import { UserError } from "./errors.ts";

/**
 * Resolves once the text is written: to true, or to false when the reader has gone (`| head`). Throws FormatError when the text
 * cannot be written, for example to a full disk.
 */
export async function print(text: string): Promise<boolean> {
  // An error comes as an event too, and again with whatever is written later.
  if (process.stdout.listenerCount("error", ignore) === 0) process.stdout.on("error", ignore);
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error == null) resolve(true);
      else if ((error as NodeJS.ErrnoException).code === "EPIPE") resolve(false);
      else reject(unwritable(error));
    });
  });
}

/** Throws UserError or FormatError, before a long run, for a file that could not be written at its end. */
export function checkWritable(option: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) {
    throw new UserError(`${option} ${path}: is not a regular file, expected the path of a file to write`);
  }
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asFormatError(error, `${option} ${path}`, "cannot be written", `a writable folder ${dirname(path)}`);
  }
}

/** What to say when standard output takes no more. */
export function unwritable(error: Error): Error {
  return asFormatError(error, "standard output", "cannot be written", "room for it") as Error;
}

function ignore(): void {}

/** Writes a line to standard error. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
