// Tables and long lines as wide as the terminal; whatever is piped is not folded.
import Table from "cli-table3";
import { Help } from "commander";
import { printable, shortened } from "../formats/printable.ts";

export type Column = readonly [head: string, align: "left" | "right"];

/** Wider than any name that people give a tensor. */
const WIDEST_CELL = 200;

/** The lines of a table, or where it is wider than the terminal several below one another, each with the first column. */
export function tableOf(
  columns: readonly Column[],
  rows: readonly (readonly (string | number)[])[],
  width = terminalWidth(),
): string[] {
  const cells = rows.map((row) => row.map((cell) => shortened(printable(String(cell)), WIDEST_CELL)));
  return partsOf(columns, cells, width).flatMap((part) => {
    const table = new Table({
      head: part.map((i) => columns[i][0]),
      colAligns: part.map((i) => columns[i][1]),
      style: { head: [], border: [], compact: true },
    });
    for (const row of cells) table.push(part.map((i) => row[i]));
    return table.toString().split("\n");
  });
}

/** The columns of each part: the first, and as many of the others, in order, as fit beside it. */
function partsOf(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): number[][] {
  const widths = columns.map(([head], i) => {
    const longest = rows.reduce((n, row) => Math.max(n, lengthOf(row[i])), lengthOf(head));
    return longest + 3; // a space on each side, and a rule
  });
  const parts: number[][] = [[0]];
  let used = widths[0] + 1;
  for (let i = 1; i < columns.length; i++) {
    const part = parts.at(-1)!;
    if (part.length > 1 && used + widths[i] > width) {
      parts.push([0, i]);
      used = widths[0] + 1 + widths[i];
    } else {
      part.push(i);
      used += widths[i];
    }
  }
  return parts;
}

/** `begin` and then the text, which goes on below itself where the line is wider than the terminal. */
export function folded(begin: string, text: string, width = terminalWidth()): string[] {
  if (begin.length + text.length <= width) return [begin + text];
  const lines = new Help().boxWrap(text, width - begin.length).split("\n");
  return lines.map((line, i) => (i === 0 ? begin : " ".repeat(begin.length)) + line);
}

/** Commands are copied as they stand, and a table is as wide as it is. */
const WHOLE = /^ *touchstone |^[┌├│└]/;

/** The lines, each of which goes on below itself, two places further in, where it is wider than the terminal. */
export function foldedLines(lines: readonly string[], width = terminalWidth()): string[] {
  return lines.flatMap((line) => {
    const text = printable(line);
    if (text.length <= width || WHOLE.test(text)) return [text];
    const indent = text.length - text.trimStart().length;
    const [first, ...rest] = new Help().boxWrap(text.trimStart(), width - indent - HANGING).split("\n");
    return [" ".repeat(indent) + first, ...rest.map((more) => " ".repeat(indent + HANGING) + more)];
  });
}

const HANGING = 2;

function terminalWidth(): number {
  return process.stdout.columns ?? Infinity;
}

function lengthOf(text: string): number {
  return Array.from(text).length;
}
