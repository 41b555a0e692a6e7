// touchstone <command> in a process of its own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The command as JavaScript, built before the tests: node's first argument. */
export const cli = inject("cli");

export interface Ended {
  /** null after a signal. */
  readonly code: number | null;
  readonly out: string;
  /** Standard output as it is. */
  readonly bytes: Buffer;
  readonly err: string;
}

export interface Options {
  /** What the shell does first, as `ulimit -f 64;`. */
  readonly before?: string;
  /** A signal that the command gets when it has printed `when`, or anything. */
  readonly send?: NodeJS.Signals;
  readonly when?: string;
}

/** Runs a command in the repository's root. */
export function touchstone(args: readonly string[], { before = "", send, when = "" }: Options = {}): Promise<Ended> {
  const signal = send === undefined ? [] : ["--import", "./test/signal-when.mjs"];
  const shell = ["-c", `${before} exec "$0" "$@"`, process.execPath, ...signal, cli, ...args];
  const env = { ...process.env, SIGNAL: send, SIGNAL_WHEN: when };
  const child = spawn("/bin/sh", shell, { cwd: root, env });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (piece: Buffer) => void out.push(piece));
  child.stderr.on("data", (piece: Buffer) => void err.push(piece));
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const bytes = Buffer.concat(out);
      resolve({ code, bytes, out: bytes.toString(), err: Buffer.concat(err).toString() });
    });
  });
}
