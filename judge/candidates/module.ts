// A candidate in a module, `touchstone check --op attention.forward --kernel ./mine.ts`, in a process of its own: whatever it does to a
// process, it does to that one. The process is started again after a crash, a hang, or anything that was thrown outside a call.
import { type Stats, statSync } from "node:fs";
import { totalmem } from "node:os";
import { resolve } from "node:path";
import { type Candidate, Interrupted, Unsupported } from "../../reference/candidate.ts";
import type { Operation } from "../../reference/operation.ts";
import { asFormatError } from "../../formats/system-error.ts";
import { ModuleProcess, Threw } from "./module-process.ts";
import { thrownLine } from "./result.ts";

export interface ModuleOptions {
  readonly path: string;
  readonly operation: Operation;
  /** Milliseconds for a case, and for loading the module. */
  readonly timeout: number;
  /** Bytes that its process may occupy. */
  readonly memory: number;
  readonly signal?: AbortSignal;
  /** The module that makes a function of a declaration, in the module's process, and what it is told. */
  readonly host?: URL;
  readonly terms?: unknown;
  /** Gets what the module prints. */
  readonly print?: (text: string) => void;
}

/** The most milliseconds that a process may take to end when it is asked to. */
const CLOSING = 4000;

export interface LoadedModule extends Candidate {
  /** Where a declared kernel runs; undefined for a function. */
  readonly where: string | undefined;
}

/** Bytes that a module's process may occupy: 4 GiB, or half of what the machine has where that is less. */
export function defaultMemory(): number {
  return Math.min(2 ** 32, Math.floor(Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2));
}

/** Loads a module, in its process. Throws RangeError in one line where there is none or it cannot be loaded, and Interrupted. */
export async function startModule(options: ModuleOptions): Promise<LoadedModule> {
  const { path, operation, timeout, signal } = options;
  checkPath(path);
  const file = resolve(path);
  let worker: ModuleProcess | undefined = new ModuleProcess(options, file);
  let where: string | undefined;
  try {
    where = await worker.load();
  } catch (error) {
    worker.kill();
    if (error instanceof Interrupted) throw error;
    throw new RangeError(`--kernel ${path}: ${thrownLine(error)}`, { cause: error });
  }
  /** The next run starts another process. */
  const end = async (): Promise<void> => {
    const last = worker;
    worker = undefined;
    if (signal?.aborted === true) last?.kill();
    else await last?.retire(Math.min(timeout, CLOSING));
  };
  /** Asks the process, which is started again if it has ended. */
  const asking = async <T>(ask: (worker: ModuleProcess) => Promise<T>): Promise<T> => {
    try {
      if (worker === undefined) {
        worker = new ModuleProcess(options, file);
        await worker.load();
      }
      return await ask(worker);
    } catch (error) {
      if (error instanceof Threw || error instanceof Unsupported) throw error;
      worker?.kill();
      worker = undefined;
      throw error;
    }
  };
  return {
    name: path,
    where,
    run: (inputs, scalars) => asking((running) => running.run(operation, inputs, scalars)),
    ...(where === undefined ? {} : { races: (inputs, scalars) => asking((running) => running.races(inputs, scalars)) }),
    restart: end,
    close: end,
  };
}

function stats(path: string): Stats | undefined {
  try {
    return statSync(resolve(path), { throwIfNoEntry: false });
  } catch (error) {
    throw asFormatError(error, `--kernel ${path}`, "cannot be read", "a module");
  }
}

/** Throws RangeError unless there is a file. */
function checkPath(path: string): void {
  const found = path === "" ? undefined : stats(path);
  if (found === undefined) throw new RangeError(`--kernel ${path}: does not exist, expected a module`);
  if (!found.isFile()) throw new RangeError(`--kernel ${path}: is not a regular file, expected a module`);
}
