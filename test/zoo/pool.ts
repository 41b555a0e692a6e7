// Processes that do pieces of work, each one at a time; a process that dies takes the campaign with it.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Done, Work } from "./work.ts";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Does all pieces in `jobs` processes; `onDone` is called as each is done. */
export async function inProcesses(all: readonly Work[], jobs: number, onDone: (done: Done) => void): Promise<void> {
  const queue = [...all];
  await Promise.all(
    Array.from({ length: Math.min(jobs, queue.length) }, async () => {
      const child = fork(worker, { execArgv: process.execArgv });
      try {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) onDone(await ask(child, next));
      } finally {
        child.kill();
      }
    }),
  );
}

function ask(child: ChildProcess, piece: Work): Promise<Done> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`a process ended with status ${code} in ${JSON.stringify(piece)}`));
    child.once("exit", ended);
    child.once("message", (done) => {
      child.off("exit", ended);
      resolve(done as Done);
    });
    child.send(piece);
  });
}
