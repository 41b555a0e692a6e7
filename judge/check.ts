// The whole check of one candidate for one op: a campaign against the bound, then the examination.
import { type Candidate, Interrupted } from "../reference/candidate.ts";
import { FormatError } from "../formats/error.ts";
import { failureLine } from "./candidates/result.ts";
import { runAgenda } from "./agenda.ts";
import type { CampaignPlan, Failure, Report } from "./campaign.ts";
import { tooLarge } from "./case-memory.ts";
import { type Case, parseCase, type Sizes } from "./case.ts";
import type { Cause, Suspect } from "./cause/index.ts";
import { suitedTo } from "./half-cases.ts";
import { Limited } from "./candidates/limited.ts";
import type { Chosen } from "./choose.ts";
import { conclude, type Conclusion, partsUnder, withImprobable } from "./conclusion.ts";
import { Deadline, isStop } from "./deadline.ts";
import type { Examination, Promises } from "./examination.ts";
import { Examiner } from "./examiner.ts";
import { opsIn } from "./fused.ts";
import { WorkerEnded } from "./jobs/workers.ts";
import { MOST_REASONS, type RefusedCases, type Refusals, refusalReasons } from "./refusals.ts";
import { Search } from "./search.ts";
import type { Excluded } from "./sizes/excluded.ts";
import type { ModelCase } from "./sizes/model.ts";
import { declaredOrder } from "./sums.ts";
import type { Terms } from "./terms.ts";
import { isOfSizes, type Untried } from "./untried.ts";

export interface Checked {
  readonly report: Report;
  /** Of the first failure, where it was looked for and found. */
  readonly cause?: Cause;
  /** Absent where the candidate gave no numbers in the campaign, and where no part of it was tried. */
  readonly examination?: Examination;
  /** What a budget, a signal or the sizes that the kernel supports left out. */
  readonly untried: readonly Untried[];
  /** The cases of a model's shapes; absent where no model was named. */
  readonly model?: readonly ModelCase[];
  /** What those sizes changed; absent where any may come. */
  readonly excluded?: Excluded;
  /** FAIL where the candidate did what no correct kernel does; inconclusive where too little of some output was judged. */
  readonly conclusion: Conclusion;
  /** The order of summation that the bounds assume, such as "the declared order blocked:64"; absent where any order is allowed. */
  readonly order?: string;
  /** Outputs of the op that were not judged, since the candidate does not offer them; absent where all were. */
  readonly notOffered?: readonly string[];
  /** What the candidate refused; absent where that is nothing. */
  readonly refusals?: Refusals;
  readonly isInterrupted: boolean;
  /** What kept the judge itself from going on, after some cases: its files could not be written, or a worker ended. */
  readonly stopped?: Error;
}

/** What looks for the cause of a failure. */
export type CauseOf = (suspect: Suspect, failing: Case) => Promise<Cause | undefined>;

/** Runs the campaign and the examination, and closes the candidate. Throws what the judge itself throws, before the first case is judged. */
export async function check(
  given: Chosen,
  candidate: Candidate,
  terms: Terms,
  plan: CampaignPlan & Partial<Promises> & { readonly causeOf?: CauseOf },
): Promise<Checked> {
  const { deadline = new Deadline(), seed, nondeterministic = false, bitwise = false } = plan;
  const chosen = suitedTo(terms.target, given);
  const excluded = chosen.excluded?.(terms.dtype);
  const held = holdingOf(chosen, candidate, terms);
  const limited = new Limited(candidate, deadline, plan.timeout);
  const search = new Search(chosen, limited, terms, plan, deadline);
  const isOutside = (): boolean => search.hasFailed;
  const examiner = new Examiner(chosen, limited, terms, { seed, nondeterministic, bitwise, isOutside }, deadline);
  let untried: readonly Untried[] = [];
  let stopped: Error | undefined;
  let cause: Cause | undefined;
  try {
    const suspect = { chosen, candidate: limited, terms, ...(plan.real && { real: plan.real }) };
    const onSearched = async (): Promise<void> => {
      cause = await causeIn(suspect, search.report().failures, plan.causeOf);
    };
    const { spec } = chosen;
    untried = await runAgenda(search, examiner, deadline, { ...plan, ...terms, spec, tooLarge: held, onSearched });
  } catch (error) {
    const canStop = error instanceof FormatError || error instanceof WorkerEnded;
    if (!(canStop && search.report().cases > 0)) {
      await closing(limited); // the judge's own error is the one to report
      throw error;
    }
    stopped = error;
  }
  const complaint = await closing(limited);
  if (complaint !== undefined) examiner.find(complaint);
  const report = search.report();
  const examination = examiner.hasBegun ? examiner.examination() : undefined;
  const hasFindings = report.failures.length > 0 || (examination?.findings.length ?? 0) > 0;
  const { isInterrupted } = deadline;
  const refusals = refusalsOf(report, search, examiner, limited);
  const parts = partsUnder(report.op, report.parts, opsIn(chosen.operation));
  const tried = {
    ...terms,
    hasFindings,
    parts,
    interrupted: isInterrupted,
    stopped: stopped?.message,
    gaps: [
      ...gapsOf(chosen, untried, search.refused),
      ...unusedTrees(report),
      ...(refusals === undefined ? [] : refusalReasons(report.op, refusals, plan.allowRefused)),
    ],
  };
  const order = declaredOrder(terms.target, chosen.operation);
  const { notOffered } = chosen.operation;
  return {
    report,
    ...(cause && { cause }),
    ...(examination && { examination }),
    untried: [...untried, ...(excluded?.untried ?? [])],
    ...(excluded && { excluded }),
    ...(chosen.model && { model: chosen.model }),
    conclusion: withImprobable(conclude(tried), report.improbable.findings.length > 0),
    ...(order !== undefined && { order }),
    ...(notOffered && { notOffered }),
    ...(refusals && { refusals }),
    isInterrupted,
    ...(stopped && { stopped }),
  };
}

/** The cause of a failure that has numbers; undefined where time or a signal ended the search for it. */
async function causeIn(
  suspect: Suspect,
  [first]: readonly Failure[],
  causeOf: CauseOf | undefined,
): Promise<Cause | undefined> {
  if (first?.worst === undefined || causeOf === undefined) return undefined;
  try {
    return await causeOf(suspect, parseCase(first.replay));
  } catch (error) {
    if (isStop(error)) return undefined;
    throw error;
  }
}

/** What the candidate refused; undefined where that is nothing. */
function refusalsOf(
  { cases }: Report,
  { refused }: Search,
  examiner: Examiner,
  { refusing }: Limited,
): Refusals | undefined {
  const [probes, relations] = [examiner.refusedOf("precision"), examiner.refusedOf("relation")];
  const isAny = refused.count > 0 || examiner.refused.length > 0 || refusing.byNumbers.size > 0;
  if (!isAny) return undefined;
  const { term } = refused;
  return {
    cases: { refused: refused.count, of: cases + refused.count },
    probes,
    relations,
    reasons: refused.reasons(),
    ...(term !== undefined && { term }),
    byNumbers: [...refusing.byNumbers].slice(0, MOST_REASONS),
  };
}

/** That a declared tree was the order of no sum: the verdict would be one on any order. */
function unusedTrees({ op, trees }: Report): string[] {
  return Object.entries(trees).flatMap(([sum, { cases, fitting }]) =>
    cases > 0 && fitting === 0
      ? [
          `${op} ${sum}: the declared tree has another number of terms than the sums of all ${cases} cases, expected --sizes that have them`,
        ]
      : [],
  );
}

/** That no case of the shapes which a model was named for was tried. */
function gapsOf({ operation, model = [] }: Chosen, untried: readonly Untried[], refused: RefusedCases): string[] {
  const areLeft = model.every(({ sizes }) => refused.has(sizes) || untried.some((one) => isOfSizes(one, sizes)));
  return model.length > 0 && areLeft ? [`${operation.name}: no case of the model's shapes was tried`] : [];
}

/**
 * What keeps the candidate from a case: a tensor larger than it holds. Throws RangeError, with what would fit, where even ordinary sizes, or
 * the least that obey the terms, have one.
 */
function holdingOf(
  { operation, spec }: Chosen,
  candidate: Candidate,
  { dtype }: Terms,
): (c: Case) => string | undefined {
  const { mostBytes: most } = candidate;
  if (most === undefined) return () => undefined;
  const of = (sizes: Sizes): string | undefined => tooLarge(operation, sizes, most, dtype === "float32" ? 4 : 2);
  const why = of(spec.ordinary);
  if (why !== undefined) throw new RangeError(`sizes: ${operation.name}: ${why}`);
  return ({ sizes }) => of(sizes);
}

/** Closes the candidate; what it threw, as a finding. */
export async function closing(candidate: Candidate): Promise<string | undefined> {
  try {
    await candidate.close?.();
    return undefined;
  } catch (error) {
    return `${failureLine(candidate, error)}, when it was closed`;
  }
}

/** The value of a promise; undefined where a signal interrupted it. */
export async function unlessInterrupted<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Interrupted) return undefined;
    throw error;
  }
}
