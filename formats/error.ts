// One class of errors for every file that cannot be used; the message says what, where, and what was expected, in one line.
import { messageLine, printable } from "./printable.ts";

/**
 * A file that cannot be read, or written, as what it should be. The message is one line, `PATH: what, where, what was
 * expected`; control characters that came from the file itself are escaped.
 *
 * @example
 * ```ts
 * import { FormatError, readTokenizer } from "touchstone-llama/node";
 *
 * try {
 *   readTokenizer("step.safetensors");
 * } catch (error) {
 *   if (error instanceof FormatError) console.error(error.path, error.message);
 * }
 * ```
 */
export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly path: string;

  constructor(path: string, what: string, options?: ErrorOptions) {
    super(messageLine(`${path === "" ? '""' : path}: ${what}`), options);
    this.path = path;
  }
}

/** A name found in a file, in quotation marks, and cut to fit on a line. */
export function quote(name: string): string {
  return printable(JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name));
}
