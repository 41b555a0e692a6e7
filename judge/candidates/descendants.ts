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
}

/** Times that the list is read again while processes start others. */
const MOST_ROUNDS = 50;

/** The processes that carry a mark, or descend from one that does or from `root`; `root` itself is left out. */
export function descendants(mark: string, root: number): Found[] {
  const all = everyProcess();
  const wanted = new Set([root]);
  for (const { pid } of all) if (isMarked(pid, mark)) wanted.add(pid);
  for (let before = 0; before !== wanted.size;) {
    before = wanted.size;
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
  }
  return all.filter(({ pid }) => pid !== root && pid !== process.pid && wanted.has(pid));
}

/** Ends all of them, and what they start meanwhile; `first` ends the root, once it is known who descends from it. */
export function endDescendants(mark: string, root: number, first: () => void): void {
  let found = descendants(mark, root);
  first();
  for (let round = 0; found.length > 0 && round < MOST_ROUNDS; round++) {
    for (const { pid } of found) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it has ended, or is another user's
      }
    }
    found = descendants(mark, root);
  }
}

/** All living processes. Fields of /proc/PID/stat follow a name that may hold anything, in parentheses. */
function everyProcess(): (Found & { readonly parent: number })[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((entry) => {
    const stat = /^\d+$/.test(entry) ? textOf(`/proc/${entry}/stat`) : "";
    const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
    const [state, parent, group] = stat.slice(close + 2).split(" ");
    if (open < 0 || state === "Z" || state === "X") return [];
    return [{ pid: Number(entry), name: stat.slice(open + 1, close), group: Number(group), parent: Number(parent) }];
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
