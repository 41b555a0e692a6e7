// Standard output for what people pipe on.
import { UserError } from "./errors.ts";

/**
 * Resolves when the text is handed over, to true; to false when nobody reads any more (`| head`). Throws UserError when the text
 * cannot be written, to a full disk for one.
 */
export async function print(text: string): Promise<boolean> {
  // An error comes as an event too, and again with whatever is written later.
  if (process.stdout.listenerCount("error", ignore) === 0) process.stdout.on("error", ignore);
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error == null) resolve(true);
      else if ((error as NodeJS.ErrnoException).code === "EPIPE") resolve(false);
      else reject(new UserError(`standard output cannot be written: ${error.message}`, { cause: error }));
    });
  });
}

function ignore(): void {}

/** What is said besides: to standard error, a line. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
