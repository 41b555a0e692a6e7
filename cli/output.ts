// The one door to standard output and standard error. Whoever writes says what it is: lines, JSON, or a text.
import type { Command } from "commander";
import { writeAtomically } from "../formats/atomic.ts";
import { printableJson, printableLine, printableText } from "../formats/printable.ts";
import { asFormatError } from "../formats/system-error.ts";
import { UserError } from "./errors.ts";
import { checkOutput, type Replacing } from "./outputs.ts";

/** A file that a command writes its result to; "-" is standard output, and then whatever else is said goes to standard error. */
export interface ResultFile {
  readonly write: (text: string) => void;
}

/** The options of files that may be "-"; every other one that names what is written refuses it. */
const mayBeStandardOutput = new Set(["check --json", "invariance --json", "order --json", "plan --json"]);
const isWritten = /^--(json|out|svg|evidence|resume)$/;

let isResultOnStandardOutput = false;

/** Throws UserError or FormatError, before a long run, for a file that could not be written at its end, or may not be replaced. */
export function openResult(option: string, path: string, replacing: Replacing): ResultFile {
  if (path !== "-") {
    checkOutput(option, path, replacing);
    return { write: (text) => writeAtomically(path, (append) => append(new TextEncoder().encode(text))) };
  }
  isResultOnStandardOutput = true;
  return { write: (text) => void process.stdout.write(text) };
}

/** Ends what a result on standard output began. */
export function leaveStandardOutput(): void {
  isResultOnStandardOutput = false;
}

/** Throws UserError where a command would write to a file or folder that is called "-", or has no name at all. */
export function refuseNames(command: Command): void {
  const refuse = (what: string): never => {
    throw new UserError(`${what}: is standard output, to which ${command.name()} does not write, expected a path`);
  };
  const refuseEmpty = (what: string): never => {
    throw new UserError(`${what}: is empty, expected a path`);
  };
  for (const option of command.options) {
    const name = option.long ?? "";
    if (!isWritten.test(name)) continue;
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value === "") refuseEmpty(name);
    if (value !== "-") continue;
    if (!mayBeStandardOutput.has(`${command.name()} ${name}`)) refuse(`${name} -`);
  }
  const out = command.registeredArguments.findIndex((argument) => argument.name() === "out");
  if (command.args[out] === "-") refuse("<out> -");
  if (command.args[out] === "") refuseEmpty("<out>");
}

/** Lines to standard output. Each stays one line, whatever names from files or words of candidates it holds. */
export function say(lines: string | readonly string[]): void {
  (isResultOnStandardOutput ? process.stderr : process.stdout).write(asLines(lines));
}

/** Lines to standard error. Each stays one line. */
export function note(lines: string | readonly string[]): void {
  process.stderr.write(asLines(lines));
}

/** A line on a terminal's standard error that the next line overwrites; "" removes it. */
export function live(line: string): void {
  process.stderr.write(`\r\x1b[K${printableLine(line)}`);
}

/** A text of several lines to standard output, as part of what else is said there. */
export function sayText(text: string): void {
  process.stdout.write(`${printableText(text)}\n`);
}

/** A value as JSON to standard output. */
export function sayJson(value: unknown): void {
  process.stdout.write(jsonText(value));
}

/** A value as JSON, after a replacer of `JSON.stringify`. */
export function jsonText(value: unknown, replacer?: (name: string, value: unknown) => unknown): string {
  return `${printableJson(JSON.stringify(value, replacer, 2))}\n`;
}

/**
 * A text whose lines are its own, such as a model writes: as it is into a file or a pipe, and without control characters onto a
 * terminal. Resolves once it is written: to true, or to false when the reader has gone (`| head`). Throws FormatError when it cannot
 * be written, for example to a full disk.
 */
export async function print(text: string): Promise<boolean> {
  const safe = process.stdout.isTTY ? printableText(text) : text;
  // An error comes as an event too, and again with whatever is written later.
  if (process.stdout.listenerCount("error", ignore) === 0) process.stdout.on("error", ignore);
  return new Promise((resolve, reject) => {
    process.stdout.write(safe, (error) => {
      if (error == null) resolve(true);
      else if ((error as NodeJS.ErrnoException).code === "EPIPE") resolve(false);
      else reject(unwritable(error));
    });
  });
}

/** What to say when standard output takes no more. */
export function unwritable(error: Error): Error {
  return asFormatError(error, "standard output", "cannot be written", "room for it") as Error;
}

function ignore(): void {}

function asLines(lines: string | readonly string[]): string {
  return (typeof lines === "string" ? [lines] : lines).map((line) => `${printableLine(line)}\n`).join("");
}
