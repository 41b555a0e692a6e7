// Processes that take mutants one at a time. One that says nothing for too long is ended: its mutant hangs.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Done, Piece } from "./worker.ts";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Milliseconds for a mutant, with what its process does before the first one. */
const MOST = 300_000;

/** Tries all in `jobs` processes; `onDone` is called as each is done. */
export async function inProcesses(all: readonly Piece[], jobs: number, onDone: (done: Done) => void): Promise<void> {
  const queue = [...all];
  await Promise.all(
    Array.from({ length: Math.min(jobs, queue.length) }, async () => {
      let child: ChildProcess | undefined;
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        child ??= fork(worker, { execArgv: process.execArgv });
        const done = await ask(child, next);
        if (done.fate === "h") {
          child.kill("SIGKILL");
          child = undefined;
        }
        onDone(done);
      }
      child?.kill();
    }),
  );
}

/** A process that ends or is silent has a mutant that hangs the device. */
function ask(child: ChildProcess, piece: Piece): Promise<Done> {
  return new Promise((resolve) => {
    const end = (done: Done): void => {
      clearTimeout(timer);
      child.off("exit", hangs).off("message", heard);
      resolve(done);
    };
    const hangs = (): void => end({ ...piece, fate: "h" });
    const heard = (done: unknown): void => end(done as Done);
    const timer = setTimeout(hangs, MOST);
    child.once("exit", hangs).once("message", heard);
    child.send(piece);
  });
}
