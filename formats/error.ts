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

/** An error about a file in a temporary folder as one about the place that the folder is for; any other error unchanged. */
export function aboutPlace(error: unknown, temporary: string, place: string): unknown {
  if (!(error instanceof FormatError && error.path.startsWith(temporary))) return error;
  const what = error.message.slice(error.path.length + 2).replaceAll(temporary, () => place);
  return new FormatError(place + error.path.slice(temporary.length), what, { cause: error });
}

/** A name found in a file, in quotation marks, and cut to fit on a line. */
export function quote(name: string): string {
  return printable(JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name));
}
