// Judges one kernel, as `touchstone check` does.
import type { Candidate } from "../../reference/candidate.ts";
import type { CampaignPlan, RealInputs, Report } from "../campaign.ts";
import { Limited } from "../candidates/limited.ts";
import { type Checked, check } from "../check.ts";
import type { Chosen } from "../choose.ts";
import type { Deadline } from "../deadline.ts";
import type { Exactness, Examination, Promises, RelationResult } from "../examination.ts";
import type { CaseWorkers, Workers } from "../jobs/workers.ts";
import type { Precision } from "../regimes.ts";
import type { Refusals } from "../refusals.ts";
import { parseReplay, type Replayed } from "../replay.ts";
import type { Excluded } from "../sizes/excluded.ts";
import type { ModelCase } from "../sizes/model.ts";
import { chosenWithin } from "../sizes/within.ts";
import type { Untried } from "../untried.ts";
import { checkAgain, lineOf, outcomeOf } from "./again.ts";
import { candidateOf, readyUnder, termsIn } from "./candidate.ts";
import { checkWhole, shown } from "./input.ts";
import { chosenOf } from "./ops.ts";
import { promisesOf, sizesIn } from "./promises.ts";
import { checkShare, offeredBy, type TermsOptions, termsOf } from "./terms.ts";
import type { AnyOp, KernelFunction, PartialKernel } from "./types.ts";

/**
 * How a candidate is judged, and under which terms.
 *
 * @example
 * ```ts
 * import { judge, type JudgeOptions, ops, targets } from "touchstone-llama";
 *
 * const options: JudgeOptions = { runs: 20, seed: 7, target: targets.cuda, signal: AbortSignal.timeout(60_000) };
 * const { passed } = await judge("add.forward", ops["add.forward"].reference, options);
 * ```
 */
export interface JudgeOptions extends TermsOptions {
  /** Number of cases that are drawn, in addition to the examples that always run; 100 if left out. */
  readonly runs?: number;
  /**
   * Seconds to spend in all, in place of a number of cases: what tells most for its time comes first, and what is left out is listed
   * in the result's `untried`. The case in hand when they are over has its own `timeout`.
   */
  readonly seconds?: number;
  /**
   * Milliseconds that the candidate may take for one case; 30,000 if left out, and what a process or a device was made with. It ends
   * only what waits: a function that computes without a pause keeps its own program from doing anything else.
   */
  readonly timeout?: number;
  /** From 0 to 2³¹ − 1; 1 if left out: the same cases every time. */
  readonly seed?: number;
  /** Whether two runs may differ in bits; false if left out. */
  readonly nondeterministic?: boolean;
  /** Whether a row's bits must not depend on its position; false if left out. */
  readonly bitwise?: boolean;
  /**
   * What the kernel supports, such as "HS=64,128 T=S C%8=0 B<=4": every case obeys. What that leaves out is listed in `excluded`.
   * The name of a model, "7B", "13B", "33B", "65B" or "8B", adds cases of its shapes, listed in `model`.
   */
  readonly sizes?: string;
  /** One printed line, a case or a relation, to run instead of all others. */
  readonly replay?: string;
  /**
   * The share of cases, of probes and of relations, from 0 to 1, that the candidate may refuse by Unsupported before the verdict is
   * inconclusive; 0.5 if left out.
   */
  readonly allowRefused?: number;
  /** Ends the case in hand, unless it computes without a pause: `judge` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each case, with the share of the campaign that is done, from 0 to 1. */
  readonly onCase?: (cases: number, share: number) => void;
  /** Recorded inputs to draw from as well, such as `realInputs` of touchstone-llama/node. */
  readonly real?: RealInputs;
  /**
   * Threads that share the judge's own work, from startWorkers of touchstone-llama/node; none if left out. The result is the same. A candidate
   * whose case is wrong may have computed a few more by the time that is known.
   */
  readonly workers?: Workers;
}

/**
 * The verdict on a kernel.
 *
 * @example
 * ```ts
 * import { judge, type JudgeResult, ops } from "touchstone-llama";
 *
 * const result: JudgeResult = await judge("swiglu.forward", ops["swiglu.forward"].reference, { runs: 20 });
 * result.precision; // [{ output: "y", class: "float32", … }]
 * result.relations.every(({ state }) => state === "holds"); // true
 * ```
 */
export interface JudgeResult {
  /** Whether the verdict is "pass". */
  readonly passed: boolean;
  /**
   * "FAIL" if there are findings; "inconclusive" if there are none but too little was judged: no element of some output, or
   * more than `allowUnjudged` of them without a finite bound; "improbable" if there are none but something in `improbable`.
   */
  readonly verdict: "pass" | "FAIL" | "improbable" | "inconclusive";
  /** What keeps the verdict from being conclusive, one line each; empty if the kernel passed. */
  readonly reasons: readonly string[];
  /** The order of summation that the bounds assume, such as "the declared order blocked:64"; absent where any order is allowed. */
  readonly order?: string;
  /** Outputs of the op that were not judged, since the options name others; absent where all were. */
  readonly notOffered?: readonly string[];
  /** What the candidate refused by Unsupported; absent where that is nothing. */
  readonly refusals?: Refusals;
  /** Those that the candidate did not refuse. */
  readonly cases: number;
  readonly elements: number;
  /** Elements without a finite bound. */
  readonly unjudged: number;
  /** The largest error as a fraction of its bound. */
  readonly worst: number;
  /** The shares of normal elements at which zero, the neighbour's value, and an error of 1 % would have been rejected, in small cases. */
  readonly power: Report["power"];
  /** The same in large cases, at the elements that were held to a bound; absent where no large case ran. */
  readonly largePower?: Report["power"];
  /** Things that no correct kernel does, one line each; empty unless the verdict is "FAIL". */
  readonly findings: readonly string[];
  /**
   * Elements within their bounds that err by more than is plausible, one line each: no proof, but what a correct kernel does in a whole run with a probability of at most
   * 10⁻⁹, under a model of rounding (docs/bounds.md). Each was tried again on fresh numbers.
   */
  readonly improbable: readonly string[];
  /** Lines that show single findings again, for `replay` and the option of that name. */
  readonly replays: readonly string[];
  /** Each output's precision class: "float32", "tf32 inputs", …; "undecidable" between several. Empty where not measured. */
  readonly precision: readonly Precision[];
  /** How many of the elements that must be exact were; absent where the op is not a sum of products. */
  readonly exactness?: Exactness;
  /** Relations that a correct kernel keeps whatever the numbers are. */
  readonly relations: readonly RelationResult[];
  /** Whether two runs on the same inputs gave the same bits; absent where the kernel failed before that was tried. */
  readonly repeatable?: boolean;
  /** Things that a correct kernel may do but its user should know. */
  readonly notes: readonly string[];
  /** What `seconds` left no time for, and `sizes` no room: cases and relations by their lines, other parts by the op. Empty without a budget. */
  readonly untried: readonly Untried[];
  /** What `sizes` left out or moved; absent without it. */
  readonly excluded?: Excluded;
  /** The cases of a model's shapes that `sizes` named, with what had to be made smaller; absent without one. */
  readonly model?: readonly ModelCase[];
}

/**
 * The same for a kernel that gives some of the op's outputs, which the option `outputs` names.
 *
 * @example
 * ```ts
 * import { judge, ops } from "touchstone-llama";
 *
 * const { notOffered } = await judge(
 *   "rmsnorm.forward",
 *   ({ x, w }, { eps }) => ({ y: ops["rmsnorm.forward"].reference({ x, w }, { eps }).y }),
 *   { outputs: ["y"], runs: 5 },
 * );
 * notOffered; // ["rstd"]
 * ```
 */
export function judge<Op extends AnyOp>(
  op: Op,
  candidate: PartialKernel<Op> | Candidate,
  options: JudgeOptions & Required<Pick<JudgeOptions, "outputs">>,
): Promise<JudgeResult>;
/**
 * Judges a kernel: draws cases, shrinks a failure to one line, then measures its precision and tries exactness, relations and
 * hygiene. An error that the candidate throws is a finding. A candidate that has `close` is closed. Throws TypeError or
 * RangeError for a bad op, candidate or option; rejects with the signal's reason when it is aborted.
 *
 * @example
 * ```ts
 * import { judge, tensor } from "touchstone-llama";
 *
 * const { passed, findings, reasons } = await judge("swiglu.forward", ({ gate, up }) => ({
 *   y: tensor(gate.data.map((z, i) => (z / (1 + Math.exp(-z))) * up.data[i]), gate.shape),
 * }));
 * if (!passed) throw new Error([...findings, ...reasons].join("\n"));
 * ```
 */
export function judge<Op extends AnyOp>(
  op: Op,
  candidate: KernelFunction<Op> | Candidate,
  options?: JudgeOptions,
): Promise<JudgeResult>;
export async function judge<Op extends AnyOp>(
  op: Op,
  candidate: PartialKernel<Op> | Candidate,
  options: JudgeOptions = {},
): Promise<JudgeResult> {
  const all = offeredBy(chosenOf(op), options, "options");
  const { signal, ...given } = planOf(options);
  const chosen = options.sizes === undefined ? all : sizedOf(all, options);
  const judged = candidateOf(chosen, candidate);
  const terms = termsOf(chosen.operation, termsIn(options), "options", judged.target);
  const replayed = options.replay === undefined ? undefined : replayOf(options.replay, chosen, options);
  const { ready, timeout } = readyUnder(judged, chosen, terms, { signal, timeout: options.timeout });
  const plan = { ...given, timeout };
  const result = await (
    replayed === undefined
      ? check(chosen, ready, terms, plan).then(resultUnlessStopped)
      : checkAgain(replayed, new Limited(ready, given.deadline, plan.timeout), terms, plan)
  ).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  signal?.throwIfAborted();
  return result;
}

/** Checks the options that are not terms, and fills in the defaults. */
function planOf(
  options: unknown,
): CampaignPlan & Promises & { readonly deadline: Deadline; readonly signal: AbortSignal | undefined } {
  const { given, ...promises } = promisesOf(options, ["runs", "replay", "allowRefused", "onCase", "real", "workers"]);
  const { runs = 100, timeout, allowRefused, onCase, real, workers } = given;
  if (allowRefused !== undefined) checkShare(allowRefused, "options.allowRefused");
  checkWhole(runs, "options.runs", 1, 1_000_000);
  for (const [name, value] of Object.entries({ onCase, real })) {
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`options.${name}: got ${shown(value)}, expected a function`);
    }
  }
  if (workers !== undefined && typeof (workers as Partial<CaseWorkers> | null)?.ahead !== "function") {
    throw new TypeError(
      `options.workers: got ${shown(workers)}, expected what startWorkers of touchstone-llama/node gives`,
    );
  }
  const optional = Object.entries({ timeout, allowRefused, onCase, real, workers }).filter(
    ([, value]) => value !== undefined,
  );
  return { runs, ...promises, ...Object.fromEntries(optional) } as ReturnType<typeof planOf>;
}

function sizedOf(chosen: Chosen, options: JudgeOptions): Chosen {
  const sizes = sizesIn({ ...options }, "HS=64,128 C%8=0") as string;
  if (options.replay !== undefined)
    throw new RangeError("options.sizes: the line of options.replay has its own, expected one of both");
  return chosenWithin([chosen], sizes)[0];
}

function replayOf(line: unknown, { operation }: Chosen, options: JudgeOptions): Replayed {
  if (typeof line !== "string") throw new TypeError(`options.replay: got ${shown(line)}, expected a printed line`);
  const replayed = parseReplay(line, { offered: (one) => offeredBy(one, options, "options") });
  const { name } = replayed.chosen.operation;
  if (name !== operation.name) throw new RangeError(`options.replay: is of ${name}, expected ${operation.name}`);
  return replayed;
}

function resultUnlessStopped(checked: Checked): JudgeResult {
  if (checked.stopped !== undefined) throw checked.stopped;
  return resultOf(checked);
}

function resultOf(checked: Checked): JudgeResult {
  const { report, examination, untried, excluded, model, conclusion, order, notOffered, refusals } = checked;
  const { cases, elements, unjudged, worst, power, largePower, failures, improbable, notes } = report;
  return {
    ...outcomeOf(conclusion),
    ...(order !== undefined && { order }),
    ...(notOffered && { notOffered }),
    ...(refusals && { refusals }),
    cases,
    elements,
    unjudged,
    worst,
    power,
    ...(largePower && { largePower }),
    findings: [...failures.map(lineOf), ...(examination?.findings ?? [])],
    improbable: improbable.findings.map(({ message, replay }) => `${replay}: ${message}`),
    replays: [...failures.map(({ replay }) => replay), ...(examination?.replays ?? [])],
    precision: examination?.precision ?? [],
    relations: examination?.relations ?? [],
    notes: [...notes, ...(examination?.notes ?? [])],
    untried,
    ...(excluded && { excluded }),
    ...(model && { model }),
    ...examined(examination),
  };
}

function examined(examination: Examination | undefined): Pick<JudgeResult, "exactness" | "repeatable"> {
  const { exactness, hygiene } = examination ?? {};
  return {
    ...(exactness === undefined ? {} : { exactness }),
    ...(hygiene === undefined ? {} : { repeatable: hygiene.repeatable }),
  };
}
