// The judge's threads, in Node.
import { extname } from "node:path";
import { Tinypool } from "tinypool";
import type { CandidateResult } from "../../reference/candidate.ts";
import type { Problem } from "../case.ts";
import { Ahead } from "./ahead.ts";
import type { BuildTask, JudgeTask } from "./worker.ts";
import { buffersOf, type Judged, type Order, WorkerEnded, type CaseWorkers, type Threads } from "./workers.ts";

const ownScript = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

/** What a thread runs, and how large its heap may grow, in megabytes. */
export interface ThreadOptions {
  readonly script?: URL;
  /** The engine's own limit if left out. */
  readonly heap?: number;
}

/**
 * Workers for `jobs` cases in hand at once: one that the candidate computes, and the others judged or made in jobs − 1 threads, which start
 * now.
 */
export function openWorkers(jobs: number, { script = ownScript, heap }: ThreadOptions = {}): CaseWorkers {
  const threads = Math.max(1, jobs - 1);
  const pool = new Tinypool({
    filename: script.href,
    minThreads: threads,
    maxThreads: threads,
    useAtomics: false,
    execArgv: loaders(script),
    ...(heap === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heap } }),
  });
  let isClosing = false;
  let fault: WorkerEnded | undefined;
  /** Rejects when a thread ends by itself, as one does that has no memory left. */
  const ended = new Promise<never>((_, reject) => {
    const end = (why: unknown): void => {
      if (!isClosing) reject((fault ??= new WorkerEnded(lineOf(why))));
    };
    pool.on("error", end);
    for (const thread of pool.threads) {
      thread.once("error", end);
      thread.once("exit", (status) => end(`with status ${status}`));
    }
  });
  ended.catch(() => {}); // whoever waits for a task hears of it
  const run = async <T>(name: string, task: unknown, transferList: ArrayBuffer[] = []): Promise<T> => {
    const done = pool.run(task, { name, transferList }) as Promise<T>;
    done.catch(() => {}); // where the thread has ended first
    try {
      return await Promise.race([ended, done]);
    } catch (error) {
      throw fault ?? error; // what ended a thread is also what its tasks are rejected with
    }
  };
  const work: Threads = {
    jobs,
    build: (order, recorded) => run("build", { order, ...(recorded && { recorded }) } satisfies BuildTask),
    judge: (order: Order, problem: Problem, result: CandidateResult) => {
      const task: JudgeTask = { order, problem, result };
      return run<Judged>("judge", task, buffersOf({ ...problem.inputs, ...result.outputs }));
    },
  };
  return {
    jobs,
    ahead: (hands, coming) => new Ahead(work, hands, coming),
    close: async () => {
      isClosing = true;
      // The pool waits for every thread to end, for one that has ended too.
      await Promise.race([pool.destroy(), ended.catch(() => {})]);
    },
  };
}

/** A thread needs none of this program's flags, but TypeScript where the sources themselves run. */
function loaders({ pathname }: URL): string[] {
  if (!pathname.endsWith(".ts")) return [];
  const api = import.meta.resolve("tsx/esm/api");
  // A thread does not keep the loader of its program, so it registers its own.
  const register = `import { register } from ${JSON.stringify(api)}; register();`;
  return ["--import", `data:text/javascript,${encodeURIComponent(register)}`];
}

function lineOf(why: unknown): string {
  const reason = why instanceof Error ? why.message : String(why);
  return `a worker of the judge ended (${reason}), expected it to answer; with --jobs 1 there is none`;
}
