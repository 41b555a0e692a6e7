// Standard output for what people pipe on.

/**
 * Resolves when the text is handed over: the process ends itself when a command is done, so a pipe must have taken everything by
 * then. Resolves to false when nobody reads any more (`| head`).
 */
export async function print(text: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const isGone = (error: Error): boolean => (error as NodeJS.ErrnoException).code === "EPIPE";
    const failed = (error: Error): void => (isGone(error) ? resolve(false) : reject(error));
    process.stdout.once("error", failed);
    process.stdout.write(text, (error) => {
      if (error != null) return failed(error); // the event follows, so the listener stays
      process.stdout.removeListener("error", failed);
      resolve(true);
    });
  });
}

/** What is said besides: to standard error, a line. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
