// Threads for judge, for programs that use the library in Node.
import { mostJobs, usualJobs } from "../jobs/most.ts";
import { openWorkers } from "../jobs/pool.ts";
import type { Workers } from "../jobs/workers.ts";
import { checkWhole } from "./input.ts";

/**
 * Starts threads that share the judge's own work, for the option `workers` of `judge`: with `jobs` cases in hand at once the candidate computes
 * one, and the others are made and judged in jobs − 1 threads. One for each core if left out, at least 2 and at most 4; the most are four for
 * each core, and 16. The result is the same as without threads. Throws TypeError or RangeError for another number of jobs.
 *
 * @example
 * ```ts
 * import { judge, ops } from "touchstone-llama";
 * import { startWorkers } from "touchstone-llama/node";
 *
 * const workers = startWorkers();
 * const { passed } = await judge("rmsnorm.forward", ops["rmsnorm.forward"].reference, { runs: 5, workers });
 * await workers.close();
 * ```
 */
export function startWorkers(jobs: number = usualJobs()): Workers {
  checkWhole(jobs, "jobs", 2, mostJobs());
  return openWorkers(jobs);
}
