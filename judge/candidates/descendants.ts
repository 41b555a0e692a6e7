// Whatever a candidate's process started, wherever it went: a process may leave its group and its session, and be adopted by
// another, but the environment with which it was started keeps the mark. Linux alone shows that, in /proc; elsewhere the group is all
// that can be ended.
//
// Two things lead to a process: its mark, and its parents. One that clears its environment and outlives its parents is not found.
import { readdirSync, readFileSync } from "node:fs";

/** The variable that marks a candidate's processes. */
export const MARK = "TOUCHSTONE_CANDIDATE";

export interface Found {
  readonly pid: number;
  readonly name: string;
  readonly group: number;
  /** When it was started, in ticks since the machine was: with its number, what no other process has. */
  readonly started: string;
}

/** Times that the list is read again while processes start others. */
const MOST_ROUNDS = 50;

/**
 * The processes that carry a mark, descend from one that does or from `root`, or were found before; `root` itself is left out.
 */
export function descendants(mark: string, root: number, before: readonly Found[] = []): Found[] {
  const all = everyProcess();
  const wanted = new Set([root]);
  const known = new Map(before.map(({ pid, started }) => [pid, started]));
  for (const { pid, started } of all) if (known.get(pid) === started) wanted.add(pid);
  for (const { pid } of all) if (isMarked(pid, mark)) wanted.add(pid);
  for (let size = 0; size !== wanted.size;) {
    size = wanted.size;
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
  }
  return all.filter(({ pid }) => pid !== root && pid !== process.pid && wanted.has(pid));
}

/** Ends all of them, and what they start meanwhile; `first` ends the root, once it is known who descends from it. */
export function endDescendants(mark: string, root: number, before: readonly Found[], first: () => void): void {
  let found = descendants(mark, root, before);
  first();
  for (let round = 0; found.length > 0 && round < MOST_ROUNDS; round++) {
    for (const { pid } of found) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it has ended, or is another user's
      }
    }
    found = descendants(mark, root, found);
  }
}

/** The place of the time of start after the name (proc(5), field 22 of all). */
const STARTED = 19;

/** All living processes. Fields of /proc/PID/stat follow a name that may hold anything, in parentheses. */
function everyProcess(): (Found & { readonly parent: number })[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((entry) => {
    const stat = /^\d+$/.test(entry) ? textOf(`/proc/${entry}/stat`) : "";
    const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
    const fields = stat.slice(close + 2).split(" ");
    const [state, parent, group] = fields;
    if (open < 0 || state === "Z" || state === "X") return [];
    const [pid, name, started] = [Number(entry), stat.slice(open + 1, close), fields[STARTED]];
    return [{ pid, name, group: Number(group), parent: Number(parent), started }];
  });
}

function isMarked(pid: number, mark: string): boolean {
  return `\0${textOf(`/proc/${pid}/environ`)}`.includes(`\0${MARK}=${mark}\0`);
}

/** Nothing where a process has ended, or is another user's. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
