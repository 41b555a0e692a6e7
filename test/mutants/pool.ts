// Processes that take mutants one at a time. One that says nothing for too long is ended: its mutant hangs.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Pool {
  readonly worker: URL;
  /** Milliseconds for a mutant, with what its process does before the first one. */
  readonly most: number;
  /** What becomes of a mutant whose process is silent or ends. */
  readonly silent: string;
  /** The fate after which a process takes no other mutant. */
  readonly last?: string;
}

/** Tries all in `jobs` processes; `onDone` is called as each is done. */
export async function inProcesses<Piece extends object, Done extends Piece & { readonly fate: string }>(
  all: readonly Piece[],
  jobs: number,
  pool: Pool,
  onDone: (done: Done) => void,
): Promise<void> {
  const queue = [...all];
  await Promise.all(
    Array.from({ length: Math.min(jobs, queue.length) }, async () => {
      let child: ChildProcess | undefined;
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        child ??= fork(fileURLToPath(pool.worker), { execArgv: process.execArgv });
        const done = await ask<Piece, Done>(child, next, pool);
        if (done === undefined || done.fate === pool.last) {
          child.kill("SIGKILL");
          child = undefined;
        }
        onDone(done ?? ({ ...next, fate: pool.silent } as unknown as Done));
      }
      child?.kill();
    }),
  );
}

/** Undefined from a process that ends or is silent. */
function ask<Piece extends object, Done>(child: ChildProcess, piece: Piece, { most }: Pool): Promise<Done | undefined> {
  return new Promise((resolve) => {
    const end = (done: Done | undefined): void => {
      clearTimeout(timer);
      child.off("exit", hangs).off("message", heard);
      resolve(done);
    };
    const hangs = (): void => end(undefined);
    const heard = (done: unknown): void => end(done as Done);
    const timer = setTimeout(hangs, most);
    child.once("exit", hangs).once("message", heard);
    child.send(piece);
  });
}
