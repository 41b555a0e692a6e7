// The folders of candidates: one for the files of a running candidate, removed at its end, and copies that are kept as evidence.
//
//   TMPDIR/touchstone-files-OWNER      a running candidate's; what a killed run left is removed by the next
//   TMPDIR/touchstone-evidence-OWNER   the newest stay, within a number and a size
//   DIR/OP-NUMBER                      with `--evidence DIR`: kept, and never removed
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAt } from "../../formats/bytes.ts";
import { makeFolder } from "../../formats/folder.ts";
import { leftOvers, removeLeftOvers, temporaryName } from "../../formats/owner.ts";
import { asFormatError } from "../../formats/system-error.ts";

const FILES = "touchstone-files-";
const EVIDENCE = "touchstone-evidence-";
/** Evidence of earlier runs that stays in the temporary folder. */
const MOST_KEPT = 32;
const MOST_KEPT_BYTES = 2 ** 28;

let cleaned = false;

/** A new folder for the files of a candidate. */
export function makeScratch(): string {
  if (!cleaned) {
    removeLeftOvers(tmpdir(), FILES);
    limitEvidence(MOST_KEPT, MOST_KEPT_BYTES);
    cleaned = true;
  }
  return made(join(tmpdir(), temporaryName(FILES)));
}

/** Removes earlier runs' evidence in the temporary folder, the oldest first, beyond a number and a size. */
export function limitEvidence(most: number, mostBytes: number): void {
  let bytes = 0;
  for (const [i, { path }] of leftOvers(tmpdir(), EVIDENCE).entries()) {
    bytes += sizeOf(path);
    if (i < most && bytes <= mostBytes) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // another user's
    }
  }
}

/** What is copied of one folder: the rest is named in a file left-out.txt. */
const MOST_FILES = 100;
const MOST_COPIED_BYTES = 2 ** 28;

/**
 * A copy of a candidate's folder, plain files only and within a limit, in `into` or else in the temporary folder. The caller may replace
 * it by a later copy. Throws FormatError if there is no room for it, and leaves nothing then.
 */
export function keepEvidence(folder: string, op: string, into?: string): string {
  let copy: string | undefined;
  try {
    copy = into === undefined ? made(join(tmpdir(), temporaryName(EVIDENCE))) : numbered(into, op);
    copyFiles(folder, copy);
    return copy;
  } catch (error) {
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true });
    throw asFormatError(error, into ?? tmpdir(), "takes no files of a failing case", "a folder with room");
  }
}

function copyFiles(folder: string, copy: string): void {
  let left = MOST_COPIED_BYTES;
  const leftOut: string[] = [];
  for (const [i, name] of readdirSync(folder).entries()) {
    const { size } = lstatSync(join(folder, name));
    const copied = i < MOST_FILES && size <= left ? copyFile(join(folder, name), join(copy, name), left) : undefined;
    if (copied === undefined) leftOut.push(`${JSON.stringify(name)}: ${size} bytes\n`);
    else left -= copied;
  }
  if (leftOut.length > 0) writeFileSync(join(copy, "left-out.txt"), leftOut.slice(0, MOST_FILES).join(""));
}

/** Copies what a regular file has now, since its writer may still run; returns how much, or undefined for anything else. */
function copyFile(from: string, to: string, most: number): number | undefined {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  let file: number;
  try {
    file = openSync(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return undefined; // a link, or gone
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile() || found.size > most) return undefined;
    const bytes = new Uint8Array(found.size);
    writeFileSync(to, bytes.subarray(0, readAt(file, 0, bytes)));
    return found.size;
  } finally {
    closeSync(file);
  }
}

/** The first DIR/OP-NUMBER that is free. */
function numbered(into: string, op: string): string {
  makeFolder(into);
  for (let n = 1; ; n++) {
    const path = join(into, `${op}-${n}`);
    if (existsSync(path)) continue;
    try {
      return made(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

function made(path: string): string {
  mkdirSync(path, { mode: 0o700 });
  return path;
}

function sizeOf(path: string): number {
  try {
    return readdirSync(path, { withFileTypes: true }).reduce(
      (sum, entry) => sum + (entry.isFile() ? lstatSync(join(path, entry.name)).size : 0),
      0,
    );
  } catch {
    return 0;
  }
}
