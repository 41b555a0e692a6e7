// The operating system's errors about files, in the form of FormatError.
import { getSystemErrorMap } from "node:util";
import { FormatError } from "./error.ts";

/** An error of the operating system as a FormatError; any other error unchanged. */
export function asFormatError(error: unknown, path: string, what: string, wanted: string): unknown {
  if (!(error instanceof Error && "errno" in error && typeof error.errno === "number")) return error;
  const [code, meaning] = getSystemErrorMap().get(error.errno) ?? [String(error.errno), "unknown system error"];
  return new FormatError(path, `${what}, ${meaning} (${code}), expected ${wanted}`, { cause: error });
}
