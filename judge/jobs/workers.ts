// What workers do for the judge: they make the problems of cases, and judge what a candidate answered. All that they get and give is
// plain data, which goes from thread to thread; an op goes as its name.
import type { Answered, CandidateResult } from "../../reference/candidate.ts";
import type { Inputs } from "../../reference/operation.ts";
import type * as fc from "fast-check";
import type { CampaignPlan } from "../campaign.ts";
import type { Limited } from "../candidates/limited.ts";
import type { Case, Problem } from "../case.ts";
import type { Chosen } from "../choose.ts";
import type { Deadline } from "../deadline.ts";
import type { Terms } from "../terms.ts";
import type { Verdict } from "../verdict.ts";
import type { Ahead } from "./ahead.ts";

/** A case, and how it is judged. */
export interface Order {
  /** A name that `choose` takes, of a fused op too. */
  readonly op: string;
  /** The outputs that the candidate offers; all if left out. */
  readonly outputs?: readonly string[];
  readonly case: Case;
  readonly terms: Terms;
  /** Whether it is counted what would have been missed. */
  readonly isLarge: boolean;
}

/** A problem, and what it took. */
export interface Built {
  readonly problem: Problem;
  /** Milliseconds of the judge's own work. */
  readonly ms: number;
}

/** A verdict, and what it took. */
export interface Judged {
  readonly verdict: Verdict;
  readonly ms: number;
  /** The inputs and outputs, where there are findings. */
  readonly earlier?: Answered;
}

/**
 * Threads that share the judge's own work. They serve any number of checks, one after another.
 *
 * @example
 * ```ts
 * import { judge, ops } from "touchstone-llama";
 * import { startWorkers, type Workers } from "touchstone-llama/node";
 *
 * const workers: Workers = startWorkers(2);
 * await judge("add.forward", ops["add.forward"].reference, { runs: 5, workers });
 * await judge("swiglu.forward", ops["swiglu.forward"].reference, { runs: 5, workers });
 * await workers.close();
 * ```
 */
export interface Workers {
  /** How many cases are in hand at once. */
  readonly jobs: number;
  /** Ends the threads. */
  readonly close: () => Promise<void>;
}

/** The same as the judge sees them. */
export interface CaseWorkers extends Workers {
  /** Begins with the first of the cases that are coming. */
  readonly ahead: (hands: Hands, coming: Coming) => Ahead;
}

/** What cases are tried on, and how they are judged. */
export interface Hands {
  readonly chosen: Chosen;
  readonly candidate: Limited;
  readonly deadline: Deadline;
  readonly terms: Terms;
  readonly plan: CampaignPlan;
  readonly isLarge: (c: Case) => boolean;
}

/** The cases of a round: examples, and then `runs` that are drawn. */
export interface Coming {
  readonly examples: readonly Case[];
  readonly drawn: fc.Arbitrary<Case>;
  readonly runs: number;
}

/** What threads do. Both reject with WorkerEnded, and with what the judge throws. */
export interface Threads {
  readonly jobs: number;
  /** The problem of a case as a candidate gets it; a case of the profile "real" has recorded inputs. */
  readonly build: (order: Order, recorded?: Problem) => Promise<Built>;
  /** The verdict on an answer, whose numbers are no longer here afterwards. */
  readonly judge: (order: Order, problem: Problem, result: CandidateResult) => Promise<Judged>;
}

/** A thread of the judge is no longer there: nothing is known about the candidate. */
export class WorkerEnded extends Error {
  override readonly name = "WorkerEnded";
}

/** The memory of tensors, each piece once. */
export function buffersOf(tensors: Inputs): ArrayBuffer[] {
  return [...new Set(Object.values(tensors).map(({ data }) => data.buffer as ArrayBuffer))];
}
