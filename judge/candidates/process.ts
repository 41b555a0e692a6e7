// A candidate in a process of its own, in any language: docs/protocol.md specifies what it reads and writes.
//
// The process lives for the whole run. Nothing that it writes is trusted: a crash, a hang, a wrong line, a missing,
// misshapen, truncated or mistyped file is a finding, after which the process is started again for the next case.
import type { DTypeName } from "../../reference/dtype.ts";
import { type Inputs, type Operation, outputShapes, type Scalars, storageOf } from "../../reference/operation.ts";
import { messageLine } from "../../formats/printable.ts";
import {
  type Candidate,
  type CandidateResult,
  Interrupted,
  ProtocolError,
  Unsupported,
} from "../../reference/candidate.ts";
import { PROTOCOL, Refusal } from "./answer.ts";
import { CaseFiles } from "./case-files.ts";
import { Ended } from "./child.ts";
import { LineProcess, type Request } from "./lines.ts";

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
  /** Called with the reason where there is no room for these files. */
  readonly onUnkept?: (why: string) => void;
}

/** A shell's statuses for a command that it does not find, or may not run (POSIX, Shell Command Language, 2.8.2). */
const notFound = 127;
const notExecutable = 126;

/**
 * Starts with the first case. `close` ends the process and removes its files, and so does the end of this program. Its run throws
 * FormatError where the temporary folder takes no files, and ProtocolError where there is no program or one of another version.
 */
export function startProcess(options: ProcessOptions): Candidate {
  const { command, operation, dtype, timeout, signal } = options;
  const files = new CaseFiles(operation, dtype, options.evidence, options.onUnkept);
  const float32Outputs = Object.keys(operation.outputs).filter(
    (name) => storageOf(operation, name, dtype) === "float32",
  );
  let worker: LineProcess | undefined;
  let number = 0;
  /** Whether the command has shown that it runs. */
  let hasAnswered = false;
  const kill = (): void => {
    worker?.kill();
    worker = undefined;
  };
  /** The next run starts another process. */
  const end = async (): Promise<void> => {
    const last = worker;
    worker = undefined;
    if (signal?.aborted === true) last?.kill();
    else await last?.retire();
  };
  const run = async (inputs: Inputs, scalars: Scalars): Promise<CandidateResult> => {
    if (signal?.aborted === true) throw new Interrupted();
    const shapes = outputShapes(operation, inputs, scalars);
    try {
      files.checkFolder();
    } catch (error) {
      kill();
      throw error;
    }
    const request: Request = {
      protocol: PROTOCOL,
      case: ++number,
      op: operation.name,
      dtype,
      scalars,
      float32Outputs,
      ...files.write(number, inputs),
    };
    const asked = (worker ??= new LineProcess(command));
    try {
      const since = performance.now();
      await asked.ask(request, timeout, signal);
      const milliseconds = performance.now() - since;
      hasAnswered = true;
      files.checkFolder();
      const complaints = files.hasInputs() ? [] : ["its inputs file was changed, expected it to be read"];
      return { outputs: files.read(shapes), complaints, milliseconds };
    } catch (error) {
      if (error instanceof Refusal || error instanceof Unsupported) hasAnswered = true;
      else kill();
      if (error instanceof Unsupported) {
        files.checkFolder();
        files.checkUntouched();
        throw error;
      }
      if (error instanceof Interrupted) throw error;
      const { message } = error as Error;
      if (error instanceof ProtocolError) throw new ProtocolError(messageLine(`${command} ${message}`));
      if (!hasAnswered && error instanceof Ended && (error.code === notFound || error.code === notExecutable)) {
        const why = asked.stderr === "" ? message : asked.stderr;
        throw new ProtocolError(
          messageLine(`${command}: cannot be run (${why}), expected a program that the shell finds and may run`),
        );
      }
      files.checkRoom(shapes);
      throw new Error(`${message}${asked.lastWords}`, { cause: error });
    }
  };
  const remove = (): void => files.remove();
  process.once("exit", remove);
  return {
    name: command,
    isIsolated: true,
    run,
    restart: end,
    keep: (earlier) => files.keep(earlier),
    close: async () => {
      try {
        await end();
      } finally {
        process.removeListener("exit", remove);
        remove();
      }
    },
  };
}
