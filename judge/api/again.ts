// Runs one printed line again: a case, or a relation at a case.
import { type Candidate, Unsupported } from "../../reference/candidate.ts";
import { buildCase, comparing, type Failure, failureOf, type RealInputs } from "../campaign.ts";
import { failureLine } from "../candidates/result.ts";
import { isUnsupported, refusalOf } from "../candidates/unsupported.ts";
import { formatCase, type Problem } from "../case.ts";
import { closing } from "../check.ts";
import { conclude, type Conclusion, concludeProblem, refusedConclusion, withImprobable } from "../conclusion.ts";
import { concludeRelation, isFinding, type Promises } from "../examination.ts";
import { improbableInWords, suspicionsIn } from "../improbable/suspicion.ts";
import type { Replayed } from "../replay.ts";
import { declaredOrder } from "../sums.ts";
import type { Terms } from "../terms.ts";
import { isJudges, judgeProblem } from "../verdict.ts";
import type { JudgeResult } from "./judge.ts";
import { largest } from "../../reference/lists.ts";

type Plan = Promises & { readonly real?: RealInputs };

/** Closes the candidate, which may be a finding too. Throws as the judge does. */
export async function checkAgain(
  replayed: Replayed,
  candidate: Candidate,
  terms: Terms,
  plan: Plan,
): Promise<JudgeResult> {
  const { chosen, case: c } = replayed;
  const problem = buildCase(chosen.spec, c, terms.dtype, plan.real); // throws for the line's faults, which are not the kernel's
  let result: JudgeResult;
  try {
    const order = declaredOrder(terms.target, chosen.operation);
    const { notOffered } = chosen.operation;
    result = {
      ...blank,
      ...(order !== undefined && { order }),
      ...(notOffered && { notOffered }),
      ...(await tried(replayed, problem, candidate, terms, plan)),
    };
  } catch (error) {
    if (isJudges(error)) {
      await closing(candidate); // the judge's own error is the one to report
      throw error;
    }
    result = { ...blank, ...failed, findings: [failureLine(candidate, error)] };
  }
  const complaint = await closing(candidate);
  return complaint === undefined ? result : { ...result, ...failed, findings: [...result.findings, complaint] };
}

const blank = {
  cases: 1,
  elements: 0,
  unjudged: 0,
  worst: 0,
  power: { zero: 0, neighbour: 0, percent: 0 },
  findings: [],
  improbable: [],
  replays: [],
  precision: [],
  relations: [],
  notes: [],
  untried: [],
} as const satisfies Partial<JudgeResult>;

const failed = { passed: false, ...conclude({ hasFindings: true, parts: [] }) };

type Tried = Partial<JudgeResult> & Pick<JudgeResult, "passed" | "verdict" | "reasons">;

/** The fields of a result that say how it ended. */
export function outcomeOf(conclusion: Conclusion): Pick<JudgeResult, "passed" | "verdict" | "reasons"> {
  return { passed: conclusion.verdict === "pass", ...conclusion };
}

async function tried(
  { chosen: { operation, spec }, case: c, relation }: Replayed,
  problem: Problem,
  candidate: Candidate,
  terms: Terms,
  { nondeterministic, bitwise }: Plan,
): Promise<Tried> {
  const { allowUnjudged } = terms;
  if (relation === undefined) {
    const verdict = await judgeProblem(operation, candidate, problem, terms, comparing(spec, c));
    const { comparisons } = verdict;
    const suspicions = suspicionsIn(verdict);
    const counts = {
      ...outcomeOf(withImprobable(concludeProblem(operation, verdict, allowUnjudged), suspicions.length > 0)),
      improbable: suspicions.map((one) => `${formatCase(c)}: ${improbableInWords(one)}`),
      elements: comparisons.reduce((n, { elements }) => n + elements, 0),
      unjudged: comparisons.reduce((n, { unjudged }) => n + unjudged, 0),
      worst: Math.max(0, largest(comparisons.map(({ worst }) => worst))),
    };
    if (verdict.findings.length === 0) return counts;
    const failure = failureOf(c, verdict, candidate.keep?.());
    return { ...counts, findings: [lineOf(failure)], replays: [failure.replay] };
  }
  const { sizes, seed } = c;
  const trial = { ...terms, operation, spec, candidate, sizes, seed, deterministic: !nondeterministic, bitwise };
  const { name, statement } = relation;
  const outcome = await relation.run(trial).catch((error: unknown) => {
    if (!isUnsupported(error)) throw error;
    return refusalOf(error);
  });
  if (outcome instanceof Unsupported) return outcomeOf(refusedConclusion(name, outcome.message));
  const relations = [{ name, statement, ...outcome }];
  const result = { relations, ...outcomeOf(concludeRelation(relation, outcome, { bitwise, allowUnjudged })) };
  if (!isFinding(outcome, bitwise)) return result;
  const replays = outcome.replay === undefined ? [] : [outcome.replay];
  return { ...result, findings: [`${outcome.message}. ${statement}`], replays };
}

/** A failure in one line. */
export function lineOf({ replay, message, evidence }: Failure): string {
  return `${replay}: ${message}${evidence === undefined ? "" : ` (files kept in ${evidence})`}`;
}
