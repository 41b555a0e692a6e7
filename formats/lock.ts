// One process at a time writes into a folder: FOLDER/.touchstone-lock says which.
import { randomBytes } from "node:crypto";
import { linkSync, lstatSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "./error.ts";
import { parseJson } from "./json.ts";
import { readText } from "./input.ts";
import { hasEnded, type Owner, temporaryName, thisProcess, UNFINISHED } from "./owner.ts";
import { asFormatError } from "./system-error.ts";

/** The name of the lock in its folder. */
export const LOCK = ".touchstone-lock";
const LONGEST = 2 ** 12;

export interface Lock {
  /** What to tell people: that the lock of a process that has ended was taken over. */
  readonly note?: string;
  /** Removes the lock. The end of the process does too, unless it is killed. */
  readonly release: () => void;
}

interface Holder extends Owner {
  /** The time at which it was taken, for people. */
  readonly since: string;
  /** What the holder does, such as "train". */
  readonly doing: string;
}

/**
 * Takes the lock of a folder that exists. Throws FormatError, with who holds it since when, if another process does; one on this
 * host that has ended holds nothing.
 */
export function lockFolder(folder: string, doing: string): Lock {
  const path = join(folder, LOCK);
  const holder: Holder = { ...thisProcess(), since: new Date().toISOString(), doing };
  // With a number of its own, since one process may take two locks within a millisecond.
  const mine = `${JSON.stringify({ ...holder, id: randomBytes(6).toString("hex") })}\n`;
  try {
    let note: string | undefined;
    while (!taken(folder, path, mine)) {
      const text = contents(path);
      if (text === undefined) continue; // released at this moment
      const other = holderIn(text);
      if (other === undefined || !hasEnded(other)) throw new FormatError(folder, held(path, other));
      if (!removeExactly(folder, path, text)) continue;
      note = `${folder}: took over the lock of process ${other.pid} (${other.doing}), which has ended`;
    }
    const release = (): void => {
      process.removeListener("exit", release);
      if (contents(path) === mine) rmSync(path, { force: true });
    };
    process.once("exit", release);
    return { release, ...(note === undefined ? {} : { note }) };
  } catch (error) {
    throw asFormatError(error, folder, "cannot be locked", "room in a writable folder");
  }
}

/** Whether the lock was free. A link appears with its contents, or not at all. */
function taken(folder: string, path: string, mine: string): boolean {
  const temporary = join(folder, temporaryName(UNFINISHED));
  try {
    writeFileSync(temporary, mine, { flag: "wx" });
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!withoutLinks.has(code)) throw error;
    return created(path, mine);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** What a file system without hard links answers. */
const withoutLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

function created(path: string, mine: string): boolean {
  try {
    writeFileSync(path, mine, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the lock only if it holds this text: another process may have taken it over in the meantime. */
function removeExactly(folder: string, path: string, text: string): boolean {
  const aside = join(folder, temporaryName(UNFINISHED));
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const isTheSame = contents(aside) === text;
  if (!isTheSame) linkSync(aside, path); // a live process's: back to its place
  rmSync(aside, { force: true });
  return isTheSame;
}

function contents(path: string): string | undefined {
  try {
    return readText(path, "a lock", LONGEST);
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
      // A link to nothing is there nevertheless, and would be waited for without end.
      return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? "" : undefined;
    }
    throw error;
  }
}

function holderIn(text: string): Holder | undefined {
  try {
    const value = parseJson(text) as Partial<Holder> | null;
    const { host, pid, start, since, doing } = value ?? {};
    if (typeof host !== "string" || typeof since !== "string" || typeof doing !== "string") return undefined;
    if (!Number.isSafeInteger(pid) || !Number.isSafeInteger(start) || pid! <= 0) return undefined;
    return { host, pid: pid!, start: start!, since, doing };
  } catch {
    return undefined;
  }
}

function held(path: string, holder: Holder | undefined): string {
  const remove = `remove ${path}`;
  if (holder === undefined)
    return `is locked, by whom is not readable, expected a free folder; if nothing uses it, ${remove}`;
  const { host, pid, since, doing } = holder;
  const who = `is in use by process ${pid} on ${host} (${doing}) since ${since}`;
  const isHere = host === thisProcess().host;
  return `${who}, expected a folder that no other process writes to${isHere ? "" : `; if that process has ended, ${remove}`}`;
}
