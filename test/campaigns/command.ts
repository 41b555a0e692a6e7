// A command that a campaign starts, builds once, and may interrupt or starve of room.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

/** A folder for the campaign, which is removed at its end. */
export function scratch(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `touchstone-${name}-`));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Builds the command line; returns node's first argument. */
export function build(into: string): string {
  execFileSync(process.execPath, ["--import", "tsx", "build.ts", into], { cwd: root, stdio: "inherit" });
  copyFileSync(join(root, "package.json"), join(into, "package.json"));
  symlinkSync(join(root, "node_modules"), join(into, "node_modules"));
  return join(into, "cli/index.js");
}

export interface Conditions {
  /** What the shell does first, such as `ulimit -f 64;`. */
  readonly before?: string;
  /** Called with the process as soon as it has started. */
  readonly meanwhile?: (child: ChildProcess) => void;
  /** Of candidates' files. */
  readonly temporary?: string;
}

/** Runs a command to its end. */
export function run(cli: string, args: readonly string[], conditions: Conditions = {}): Promise<Ended> {
  const { before = "", meanwhile, temporary } = conditions;
  const env = { ...process.env, ...(temporary === undefined ? {} : { TMPDIR: temporary }) };
  const begun = performance.now();
  const child = spawn("/bin/sh", ["-c", `${before} exec "$0" "$@"`, process.execPath, cli, ...args], {
    cwd: root,
    env,
  });
  const texts = { out: "", err: "" };
  child.stdout.on("data", (piece: Buffer) => (texts.out += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (texts.err += piece.toString()));
  meanwhile?.(child);
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, ...texts, ms: performance.now() - begun }));
  });
}

/** The files under a folder, by path, their bytes in hexadecimal. */
export type Contents = Readonly<Record<string, string>>;

/** What lies under a folder now. */
export function contents(folder: string): Contents {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.toSorted().map((path) => [path.slice(folder.length + 1), readFileSync(path, "hex")]));
}

export function isEqual(a: Contents, b: Contents): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Without what waits for the next run: temporary files, locks. */
export function visible(now: Contents): Contents {
  const isWaiting = (path: string): boolean => path.split("/").some((name) => name.startsWith(".touchstone-"));
  return Object.fromEntries(Object.entries(now).filter(([path]) => !isWaiting(path)));
}

export function names(now: Contents): string {
  return `[${Object.keys(now).join(", ")}]`;
}
