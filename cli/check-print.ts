// What a module prints, on standard error: line by line, escaped, and no more than somebody would read.
import { note } from "./output.ts";

const MOST_LINES = 1000;

/** Takes pieces of text as they come. Lines beyond the first thousand are dropped, which is said once. */
export function printModule(path: string): (text: string) => void {
  let rest = "";
  let lines = 0;
  return (text) => {
    if (lines > MOST_LINES) return;
    const pieces = `${rest}${text}`.split("\n");
    rest = pieces.pop()!.slice(0, LONGEST_REST);
    for (const line of pieces) {
      if (++lines > MOST_LINES) return note(`${path} prints more than ${MOST_LINES} lines: the others are dropped`);
      note(`${path}: ${line}`);
    }
  };
}

const LONGEST_REST = 1 << 16;
