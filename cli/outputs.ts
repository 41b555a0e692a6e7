// Where a command writes: never over what it reads, and over an earlier file only where nothing is lost or --overwrite says so.
import { accessSync, type BigIntStats, constants, existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { openInput } from "../formats/input.ts";
import { asFormatError } from "../formats/system-error.ts";
import { UserError } from "./errors.ts";

export const overwriteHelp = "replace a file that is there";

/** How reports begin: one that a command made may be replaced by its next one. */
export const beginnings = {
  check: `{\n  "report": "touchstone check",\n`,
  invariance: `{\n  "report": "touchstone invariance",\n`,
  order: `{\n  "report": "touchstone order",\n`,
  plan: `{\n  "report": "touchstone plan",\n`,
  picture: `<svg id="touchstone-plan" `,
} as const;

export interface Replacing {
  readonly overwrite?: boolean | undefined;
  /** The files that the command reads; a folder stands for the files in it. */
  readonly inputs?: readonly (string | undefined)[];
  /** The beginning of a file that may be replaced without --overwrite. */
  readonly report?: string;
}

/**
 * Throws UserError or FormatError, before a long run, for a file that could not be written at its end, is an input of the command
 * (under another name too), or would be lost: only an empty file, or a report of the same command, is replaced without --overwrite.
 * `what` is an option, or "" for an argument.
 */
export function checkOutput(what: string, path: string, { overwrite = false, inputs = [], report }: Replacing): void {
  const shown = what === "" ? path : `${what} ${path}`;
  const found = writableAt(path, shown);
  if (found === undefined) return;
  if (!found.isFile()) throw new UserError(`${shown}: is not a regular file, expected the path of a file to write`);
  const input = inputs.flatMap(filesAt).find((file) => isSame(found, file));
  if (input !== undefined) throw new UserError(`${shown}: is the input ${input}, expected another file`);
  if (overwrite || found.size === 0n || (report !== undefined && beginsWith(path, report))) return;
  throw new UserError(`${shown}: is there already, expected a free name, or --overwrite`);
}

/** What is at a path, which must be writable, and so must its folder: the new file is made there. */
function writableAt(path: string, shown: string): BigIntStats | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    if (found !== undefined) accessSync(path, constants.W_OK);
    accessSync(dirname(found === undefined ? path : realpathSync(path)), constants.W_OK | constants.X_OK);
    return found;
  } catch (error) {
    throw asFormatError(error, shown, "cannot be written", `a writable folder ${dirname(path)}`);
  }
}

function filesAt(path: string | undefined): string[] {
  if (path === undefined || !existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).map((name) => join(path, name));
}

/** By device and inode, so that links are seen through. */
function isSame(found: BigIntStats, path: string): boolean {
  const other = statSync(path, { throwIfNoEntry: false, bigint: true });
  return other !== undefined && other.dev === found.dev && other.ino === found.ino;
}

function beginsWith(path: string, text: string): boolean {
  const wanted = new TextEncoder().encode(text);
  const file = openInput(path, "a report");
  try {
    if (file.size < wanted.length) return false;
    const head = new Uint8Array(wanted.length);
    file.read(0, head);
    return head.every((byte, i) => byte === wanted[i]);
  } finally {
    file.close();
  }
}
