// A thread of the judge. It keeps nothing from one task to the next but the rows of ops.
import { constants, setPriority } from "node:os";
import { Tinypool } from "tinypool";
import type { CandidateResult } from "../../reference/candidate.ts";
import type { Inputs } from "../../reference/operation.ts";
import { buildCase, comparing } from "../campaign.ts";
import type { Problem } from "../case.ts";
import { type Chosen, choose } from "../choose.ts";
import { offering } from "../offered.ts";
import { judgeOutputs, roundProblem } from "../verdict.ts";
import { buffersOf, type Built, type Judged, type Order } from "./workers.ts";

/** A task of `build`. */
export interface BuildTask {
  readonly order: Order;
  readonly recorded?: Problem;
}

/** A task of `judge`. */
export interface JudgeTask {
  readonly order: Order;
  readonly problem: Problem;
  readonly result: CandidateResult;
}

// The candidate has a time limit and this thread has none, so it gives way. Elsewhere a priority is that of the whole process.
if (process.platform === "linux") setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

const rows = new Map<string, Chosen>();

/** The sizes that a kernel supports change which cases are drawn, and not how one is made or compared. */
function rowOf({ op, outputs }: Order): Chosen {
  const key = `${op} ${outputs?.join() ?? ""}`;
  const chosen = rows.get(key) ?? (outputs === undefined ? choose([op]) : offering(choose([op]), outputs))[0];
  rows.set(key, chosen);
  return chosen;
}

/** The problem of a case as a candidate gets it. */
export function build({ order, recorded }: BuildTask): Built {
  const start = performance.now();
  const { case: c, terms } = order;
  const { operation, spec } = rowOf(order);
  const problem = roundProblem(
    operation,
    buildCase(spec, c, terms.dtype, () => recorded),
    terms.dtype,
  );
  return moved({ problem, ms: performance.now() - start }, problem.inputs);
}

/** The verdict on an answer; with the answer itself where it has findings. */
export function judge({ order, problem, result }: JudgeTask): Judged {
  const start = performance.now();
  const { case: c, terms, isLarge } = order;
  const { operation, spec } = rowOf(order);
  const { outputs, complaints } = result;
  const verdict = judgeOutputs(operation, outputs, problem, terms, complaints, comparing(spec, c, isLarge));
  const judged = { verdict, ms: performance.now() - start };
  if (verdict.findings.length === 0) return judged;
  const { inputs } = problem;
  return moved({ ...judged, earlier: { inputs, outputs } }, { ...inputs, ...outputs });
}

/** A result whose numbers leave this thread without being copied. */
function moved<T>(value: T, tensors: Inputs): T {
  return Tinypool.move({
    [Tinypool.transferableSymbol]: buffersOf(tensors),
    [Tinypool.valueSymbol]: value,
  } as never) as T;
}
