// How many cases a machine may have in hand at once.
import { availableParallelism } from "node:os";

/** Cases for each core, beyond which they only wait for one another, and cases in all: each but one has a thread with a heap of its own. */
export const PER_CORE = 4;
const MOST = 16;
/** What is gained beyond is little: a candidate has one case at a time. */
const USUAL = 4;

/** The most that this machine may have. */
export function mostJobs(): number {
  return Math.min(MOST, PER_CORE * availableParallelism());
}

/** How many there are unless the user says: one more than there are cores, since the thread that has the candidate waits for it most of the time. */
export function usualJobs(): number {
  return Math.min(USUAL, availableParallelism() + 1);
}
