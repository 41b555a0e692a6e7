// Temporary files and folders carry the process that made them in their names, so that a later run can tell what a killed
// process left from what a live one still uses:  PREFIX + HOST-PID-START- + RANDOM
import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** A process, wherever it runs. */
export interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the kernel started it, in its own ticks: a process identifier is used again, both together are not. 0 where unknown. */
  readonly start: number;
}

/** This process. A function, since a fork of the process is another one. */
export function thisProcess(): Owner {
  return {
    host: hostname()
      .replaceAll(/[^\w.]/g, "_")
      .slice(0, 64),
    pid: process.pid,
    start: startOf(process.pid),
  };
}

/** Whether the process is known to have ended. One on another host never is. */
export function hasEnded({ host, pid, start }: Owner): boolean {
  if (host !== thisProcess().host) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  const now = startOf(pid);
  return start !== 0 && now !== 0 && now !== start;
}

/** A new name for a temporary file or folder of this process. */
export function temporaryName(prefix: string): string {
  const { host, pid, start } = thisProcess();
  return `${prefix}${host}-${pid}-${start}-${randomBytes(6).toString("hex")}`;
}

/** The process in a name that `temporaryName` made with this prefix; undefined for any other name. */
export function ownerIn(name: string, prefix: string): Owner | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const match = /^([\w.]+)-(\d{1,10})-(\d{1,15})-[\da-f]{12}$/.exec(name.slice(prefix.length));
  return match === null ? undefined : { host: match[1], pid: Number(match[2]), start: Number(match[3]) };
}

/** The prefix of what lies next to its place until it is whole. */
export const UNFINISHED = ".touchstone-";

/** Removes what ended processes left in a folder under this prefix. What cannot be removed stays, without a word. */
export function removeLeftOvers(folder: string, prefix: string): void {
  for (const name of entriesOf(folder)) {
    const owner = ownerIn(name, prefix);
    if (owner === undefined || !hasEnded(owner)) continue;
    try {
      rmSync(join(folder, name), { recursive: true, force: true });
    } catch {
      // another user's, or removed by another process at the same moment
    }
  }
}

/** What lies in a folder under this prefix and belongs to no live process, with its last change, the newest first. */
export function leftOvers(folder: string, prefix: string): { readonly path: string; readonly changed: number }[] {
  const found = entriesOf(folder).flatMap((name) => {
    const owner = ownerIn(name, prefix);
    if (owner === undefined || !hasEnded(owner)) return [];
    const path = join(folder, name);
    const changed = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
    return changed === undefined ? [] : [{ path, changed }];
  });
  return found.toSorted((a, b) => b.changed - a.changed);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Field 22 of /proc/PID/stat, which follows a name that may hold anything in parentheses; 0 where there is none. */
function startOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) || 0;
  } catch {
    return 0;
  }
}
