// Standard input, which has no size before its end: read up to a limit, whatever feeds it.
import { fstatSync } from "node:fs";
import { FormatError } from "./error.ts";
import { asFormatError } from "./system-error.ts";

const path = "standard input";

/**
 * All bytes of standard input: a file, a pipe or a terminal. Throws FormatError for more than `most` bytes, as soon as there are more,
 * and where it is closed or a folder; `expected` is what messages say it should be.
 */
export async function readStandardInput(expected: string, most: number): Promise<Uint8Array> {
  try {
    // Node gives a folder, or a descriptor that was closed, as an empty stream.
    if (fstatSync(0).isDirectory()) throw new FormatError(path, `is a folder, expected ${expected}`);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of process.stdin) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > most)
        throw new FormatError(path, `is longer than ${most} bytes, expected ${expected}, at most that long`);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", expected);
  }
}
