// The operating system's errors about files, in the form of FormatError.
import { getSystemErrorMap } from "node:util";
import { FormatError } from "./error.ts";

/** An error of the operating system, or about a path that it could not even take, as a FormatError; any other error unchanged. */
export function asFormatError(error: unknown, path: string, what: string, expected: string): unknown {
  if (!(error instanceof Error)) return error;
  // Node refuses such a path itself.
  if ("code" in error && error.code === "ERR_INVALID_ARG_VALUE" && path.includes("\0")) {
    return new FormatError(path, `${what}, its name holds a NUL character, expected ${expected}`, { cause: error });
  }
  if (!("errno" in error && typeof error.errno === "number")) return error;
  const [code, meaning] = getSystemErrorMap().get(error.errno) ?? [String(error.errno), "unknown system error"];
  return new FormatError(path, `${what}, ${meaning} (${code}), expected ${expected}`, { cause: error });
}
