// A candidate in a process of its own, in any language: docs/protocol.md specifies what it reads and writes.
//
// The process lives for the whole run. Nothing that it writes is trusted: a crash, a hang, a wrong line, a missing,
// misshapen, truncated or mistyped file is a finding, after which the process is started again for the next case.
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DTypeName } from "../../reference/dtype.ts";
import {
  type Inputs,
  type Operation,
  type Outputs,
  outputShapes,
  type Scalars,
  storageOf,
} from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { type DType, openSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { type Candidate, type CandidateResult, Interrupted, ProtocolError } from "../../reference/candidate.ts";
import { checkAnswer, PROTOCOL, Refusal } from "./answer.ts";
import { keepEvidence, makeScratch } from "./scratch.ts";

export interface ProcessOptions {
  /** A line for the shell, such as "python3 mine.py". */
  readonly command: string;
  readonly operation: Operation;
  readonly dtype: DTypeName;
  /** Milliseconds that one case may take. */
  readonly timeout: number;
  /** Ends a case at once, and the process with it. */
  readonly signal?: AbortSignal;
  /** Where the files of a failing case are kept for good; by default in the temporary folder, within a limit. */
  readonly evidence?: string;
}

const pythonClient = fileURLToPath(new URL("../../golden/clients/python", import.meta.url));
/** How each dtype is written to a file. */
const fileTypes: Readonly<Record<DTypeName, DType>> = {
  float64: "F64",
  float32: "F32",
  bfloat16: "BF16",
  float16: "F16",
};
/** An answer is a short line; anything longer is not an answer. */
const LONGEST_LINE = 1 << 16;
const LONGEST_STDERR = 4096;
/** Milliseconds to wait, after a process has ended, for its last output. */
const LAST_WORDS = 500;

/** Starts with the first case. `close` ends the process and removes its files, and so does the end of this program. */
export function startProcess(options: ProcessOptions): Candidate {
  const { command, operation, dtype, signal } = options;
  const folder = makeScratch();
  const float32Outputs = Object.keys(operation.outputs).filter(
    (name) => storageOf(operation, name, dtype) === "float32",
  );
  let worker: Worker | undefined;
  let number = 0;
  /** Whether the command has shown that it runs. */
  let answered = false;
  let kept: string | undefined;
  const filesOf = (n: number) => ({
    inputs: join(folder, `${n}.in.safetensors`),
    outputs: join(folder, `${n}.out.safetensors`),
  });
  const run = async (inputs: Inputs, scalars: Scalars): Promise<CandidateResult> => {
    if (signal?.aborted === true) throw new Interrupted();
    if (number > 0) for (const file of Object.values(filesOf(number))) rmSync(file, { force: true, recursive: true });
    const files = filesOf(++number);
    writeInputs(files.inputs, operation, dtype, inputs);
    worker ??= new Worker(command);
    const request: Request = {
      protocol: PROTOCOL,
      case: number,
      op: operation.name,
      dtype,
      scalars,
      float32Outputs,
      ...files,
    };
    try {
      await worker.ask(request, options.timeout, signal);
      answered = true;
      return {
        outputs: readOutputs(files.outputs, operation, dtype, outputShapes(operation, inputs, scalars)),
        complaints: [],
      };
    } catch (error) {
      const { message } = error as Error;
      const last = worker.stderr.trim();
      if (error instanceof Refusal) answered = true;
      else {
        worker.kill();
        worker = undefined;
      }
      if (error instanceof Interrupted) throw error;
      if (error instanceof ProtocolError) throw new ProtocolError(`${command} ${message}`);
      const end = last === "" ? "" : `; its standard error ends: ${last.split("\n").slice(-3).join(" | ")}`;
      if (!answered && error instanceof Ended && (error.status === notFound || error.status === notExecutable)) {
        const why = last === "" ? message : last;
        throw new ProtocolError(
          `${command}: cannot be run (${why}), expected a program that the shell finds and may run`,
        );
      }
      throw new Error(message + end, { cause: error });
    }
  };
  const end = (): void => {
    worker?.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", end);
  return {
    name: command,
    run,
    keep: () => {
      if (kept !== undefined) rmSync(kept, { recursive: true, force: true });
      kept = keepEvidence(folder, operation.name, options.evidence);
      return kept;
    },
    close: async () => {
      process.removeListener("exit", end);
      end();
    },
  };
}

/** The process has ended. */
class Ended extends Error {
  readonly status: number | null;

  constructor(status: number | null, signal: string | null) {
    super(signal === null ? `ended with exit status ${status}` : `was ended by ${signal}`);
    this.status = status;
  }
}

/** A shell's statuses for a command that it does not find, or may not run (POSIX, Shell Command Language, 2.8.2). */
const notFound = 127;
const notExecutable = 126;

/** The request to the process: one JSON line. */
interface Request {
  readonly protocol: typeof PROTOCOL;
  readonly case: number;
  readonly op: string;
  readonly dtype: DTypeName;
  readonly scalars: Scalars;
  /** Outputs that are float32 whatever the dtype is. */
  readonly float32Outputs: readonly string[];
  /** Files: the one to read, and the one to write. */
  readonly inputs: string;
  readonly outputs: string;
}

/** The process and its lines. */
class Worker {
  /** The end of what it wrote to standard error. */
  stderr = "";
  private readonly child: ChildProcess;
  private buffered = "";
  private answer: ((line: string | Error) => void) | undefined;

  constructor(command: string) {
    // A group of its own, so that what the shell starts ends with it.
    this.child = spawn(command, {
      shell: true,
      env: withClients(process.env),
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.hear(text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-LONGEST_STDERR);
    });
    this.child.stdin!.on("error", () => {}); // a process that has ended is reported by its exit
    this.child.on("error", (error) => this.tell(new Error(`cannot be started: ${error.message}`)));
    const ended = (code: number | null, signal: string | null): void => this.tell(new Ended(code, signal));
    this.child.on("close", ended);
    // A child of the process may hold its standard output open. Then "close" never comes, but all earlier output has arrived.
    this.child.on("exit", (code, signal) => void setTimeout(ended, LAST_WORDS, code, signal).unref());
  }

  /** Sends a request and waits for its answer. Throws an Error that says what went wrong. */
  async ask(request: Request, timeout: number, signal: AbortSignal | undefined): Promise<void> {
    const line = await new Promise<string | Error>((resolve) => {
      const timer = setTimeout(() => this.tell(new Error(`did not answer within ${timeout / 1000} s`)), timeout);
      const stop = (): void => this.tell(new Interrupted());
      signal?.addEventListener("abort", stop);
      this.answer = (answer) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.answer = undefined;
        resolve(answer);
      };
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        this.tell(new Ended(this.child.exitCode, this.child.signalCode));
      } else this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    });
    if (line instanceof Error) throw line;
    checkAnswer(line, request.case);
  }

  kill(): void {
    const { pid } = this.child;
    try {
      if (pid !== undefined && process.platform !== "win32") process.kill(-pid, "SIGKILL");
      else this.child.kill("SIGKILL");
    } catch {
      this.child.kill("SIGKILL"); // the group is gone already
    }
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream?.destroy();
  }

  private hear(text: string): void {
    const lines = (this.buffered + text).split("\n");
    this.buffered = lines.pop()!;
    for (const line of lines) this.tell(line); // a line that arrives before a request is ignored
    if (this.buffered.length > LONGEST_LINE) {
      this.buffered = "";
      this.tell(new Error(`wrote more than ${LONGEST_LINE} characters to standard output without ending a line`));
    }
  }

  private tell(answer: string | Error): void {
    this.answer?.(answer);
  }
}

function writeInputs(path: string, operation: Operation, dtype: DTypeName, inputs: Inputs): void {
  writeSafetensors(
    path,
    new Map(
      Object.entries(inputs).map(([name, tensor]) => [
        name,
        { tensor, dtype: operation.integers.includes(name) ? "I32" : fileTypes[storageOf(operation, name, dtype)] },
      ]),
    ),
    { op: operation.name, dtype },
  );
}

/** Reads only tensors with the names of the op's outputs, and only in the requested dtype. */
function readOutputs(
  path: string,
  operation: Operation,
  dtype: DTypeName,
  shapes: Readonly<Record<string, readonly number[]>>,
): Outputs {
  const file = openSafetensors(path);
  try {
    const outputs: Record<string, Tensor> = {};
    for (const name of Object.keys(operation.outputs)) {
      const entry = file.tensors.get(name);
      if (entry === undefined) throw new Error(`its outputs file has no tensor ${name}`);
      const wanted = fileTypes[storageOf(operation, name, dtype)];
      if (entry.dtype !== wanted) throw new Error(`its output ${name} is ${entry.dtype}, expected ${wanted}`);
      if (entry.shape.join() !== shapes[name].join()) {
        throw new Error(`its output ${name} has shape [${entry.shape}], expected [${shapes[name]}]`);
      }
      outputs[name] = file.readFloats(name);
    }
    return outputs;
  } finally {
    file.close();
  }
}

/** The environment of a candidate: Python finds the client, `import touchstone`. */
function withClients(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const path = [env.PYTHONPATH, pythonClient].filter((one) => one !== undefined && one !== "").join(delimiter);
  return { ...env, PYTHONPATH: path };
}
