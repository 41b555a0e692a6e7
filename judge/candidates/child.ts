// A process that runs what others wrote: how it is started, waited for, and ended with everything that it started.
//
// Between it and the judge stands a shell that does nothing but wait, so a candidate that signals its parent reaches that shell.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { Interrupted } from "../../reference/candidate.ts";
import { startTimer } from "../../reference/timer.ts";
import { descendants, endDescendants, type Found, MARK } from "./descendants.ts";

export interface ChildOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Whether standard output is read by `hear`; else it is counted and passed on like standard error. */
  readonly hear?: (text: string) => void;
  /** The number of pipes after standard error. */
  readonly pipes?: number;
  /** Gets what the process prints, the first bytes of it. */
  readonly print?: (text: string) => void;
}

const isWindows = process.platform === "win32";
/** The shell's own words ("Killed") are left out; $? is the status of the program. */
const KEEPER = 'exec 9>&2 2>/dev/null; "$@" 2>&9 9>&-; exit $?';
const LONGEST_STDERR = 4096;
/** Bytes that a process may print while it computes one case. */
export const MOST_PRINTED = 2 ** 24;
/** Milliseconds to wait, after a process has ended, for its last output. */
const LAST_WORDS = 500;

/** One candidate's process. It fails once: the first thing that goes wrong is what `ask` throws, also if it went wrong before. */
export class Child {
  /** The end of what it printed on standard error. */
  stderr = "";
  private readonly child: ChildProcess;
  private readonly mark = randomUUID();
  private printed = 0;
  private failure: Error | undefined;
  private settle: ((answer: unknown) => void) | undefined;
  private end: Ended | undefined;
  private readonly whenEnded: Promise<void>;
  private readonly endNow = (): void => this.kill();

  constructor({ command, env = process.env, hear, pipes = 0, print }: ChildOptions) {
    const [program, ...words] = isWindows ? command : ["/bin/sh", "-c", KEEPER, "touchstone", ...command];
    this.child = spawn(program, words, {
      env: { ...env, [MARK]: this.mark },
      stdio: [hear === undefined ? "ignore" : "pipe", "pipe", "pipe", ...Array<"pipe">(pipes).fill("pipe")],
      detached: !isWindows, // a group of its own
    });
    process.once("exit", this.endNow);
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.count(text);
      (hear ?? print)?.(text);
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.count(text);
      this.stderr = (this.stderr + text).slice(-LONGEST_STDERR);
      print?.(text);
    });
    for (const stream of this.child.stdio) stream?.on("error", () => {}); // a process that has ended is reported by its exit
    this.child.on("error", (error) => this.fail(new Error(`cannot be started: ${error.message}`)));
    this.whenEnded = new Promise((resolve) => {
      const onEnd = (code: number | null, signal: string | null): void => {
        this.end ??= new Ended(code, signal);
        this.fail(this.end);
        resolve();
      };
      this.child.on("close", onEnd);
      this.child.on("error", () => resolve());
      // A child of the process may hold its standard output open. Then "close" never comes, but all earlier output has arrived.
      this.child.on("exit", (code, signal) => void setTimeout(onEnd, LAST_WORDS, code, signal).unref());
    });
  }

  /** Standard input, or the pipe of that number. */
  input(pipe = 0): Writable {
    return this.child.stdio[pipe] as Writable;
  }

  output(pipe: number): Readable {
    return this.child.stdio[pipe] as Readable;
  }

  /** Sends something and waits for the answer to it. Throws an Error that says what went wrong, or Interrupted. */
  async ask(send: () => void, timeout: number, signal: AbortSignal | undefined): Promise<unknown> {
    if (signal?.aborted === true) throw new Interrupted();
    if (this.failure !== undefined) throw this.failure;
    this.printed = 0;
    const answer = await new Promise((resolve) => {
      const stopTimer = startTimer(timeout, () => this.fail(new Error(`did not answer within ${timeout / 1000} s`)));
      const stop = (): void => this.fail(new Interrupted());
      signal?.addEventListener("abort", stop);
      this.settle = (settled) => {
        stopTimer();
        signal?.removeEventListener("abort", stop);
        this.settle = undefined;
        resolve(settled);
      };
      send();
    });
    if (answer instanceof Error) throw answer;
    return answer;
  }

  /** Throws what has gone wrong since the answer, apart from the end. */
  checkSound(): void {
    if (this.failure !== undefined && !(this.failure instanceof Ended)) throw this.failure;
  }

  /** Whether a request waits for its answer. */
  get isAsked(): boolean {
    return this.settle !== undefined;
  }

  /** Gives the request that waits its answer. */
  answer(answer: unknown): void {
    this.settle?.(answer);
  }

  /** Ends the request that waits, or else the next one. */
  fail(error: Error): void {
    this.failure ??= error;
    this.settle?.(this.failure);
  }

  /**
   * Closes an input, so that the process ends by itself, and waits for that; then ends what is left of it.
   */
  async retire(pipe: number, within: number): Promise<Retired> {
    const { pid } = this.child;
    // What clears its environment is known by its parents as long as they live.
    const before = pid === undefined ? [] : descendants(this.mark, pid);
    this.input(pipe).end();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.whenEnded, new Promise((resolve) => (timer = setTimeout(resolve, within)))]);
    clearTimeout(timer);
    const end = this.end;
    // What is left of one that had to be ended had no chance to end.
    const found = pid === undefined || end === undefined ? [] : descendants(this.mark, pid, before);
    const failure = this.failure === end ? undefined : this.failure;
    this.kill(before);
    return { failure, end, left: leftLine(found.filter(({ group }) => group !== pid)) };
  }

  /** The end of what it wrote to standard error, to follow a message. */
  get lastWords(): string {
    const last = this.stderr.trim();
    return last === "" ? "" : `; its standard error ends: ${last.split("\n").slice(-3).join(" | ")}`;
  }

  /** Ends the process, its group, and everything that it started; `before` was found among that earlier. */
  kill(before: readonly Found[] = []): void {
    process.removeListener("exit", this.endNow);
    const { pid } = this.child;
    if (pid === undefined) return;
    endDescendants(this.mark, pid, before, () => {
      try {
        if (isWindows) this.child.kill("SIGKILL");
        else process.kill(-pid, "SIGKILL");
      } catch {
        // the group is gone already
      }
    });
    for (const stream of this.child.stdio) stream?.destroy();
  }

  private count(text: string): void {
    this.printed += text.length;
    if (this.printed > MOST_PRINTED) this.fail(new Error(`printed more than ${MOST_PRINTED} characters in one case`));
  }
}

export interface Retired {
  /** The first thing that went wrong, apart from the end. */
  readonly failure: Error | undefined;
  /** Undefined where it did not end in time. */
  readonly end: Ended | undefined;
  /** What had left its group and still ran, in words. */
  readonly left: string | undefined;
}

function leftLine(found: readonly Found[]): string | undefined {
  if (found.length === 0) return undefined;
  const names = found.slice(0, 3).map(({ name, pid }) => `${name} (${pid})`);
  return `left ${found.length === 1 ? "a process" : `${found.length} processes`} running outside its group: ${names.join(", ")}`;
}

/** The process has ended by itself. */
export class Ended extends Error {
  /** The exit status, that of the shell where a signal ended the program; null where one ended the shell. */
  readonly code: number | null;

  constructor(code: number | null, signal: string | null) {
    const name = signal ?? signalOf(code);
    super(name === undefined ? `ended with exit status ${code}` : `was ended by ${name}`);
    this.code = code;
  }
}

/** A shell's exit status for a program that a signal ended is 128 and the signal's number. */
function signalOf(code: number | null): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => code === 128 + number)?.[0];
}
