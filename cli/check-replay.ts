// What `touchstone check --replay` does: one case, or one relation at a case, in full.
import { Limited } from "../judge/candidates/limited.ts";
import { failureLine } from "../judge/candidates/result.ts";
import { formatCase } from "../judge/case.ts";
import { realInputs } from "../judge/real.ts";
import { buildCase, failureOf } from "../judge/campaign.ts";
import { unlessInterrupted } from "../judge/check.ts";
import { describeFinding } from "../judge/compare.ts";
import { Deadline } from "../judge/deadline.ts";
import { isFinding } from "../judge/examination.ts";
import { parseReplay } from "../judge/replay.ts";
import type { Relation, Trial } from "../judge/relations/relation.ts";
import { isJudges, judgeProblem } from "../judge/verdict.ts";
import type { CheckOptions } from "./check-options.ts";
import { openCandidates } from "./check-candidates.ts";
import { say } from "./output.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOf } from "./statuses.ts";
import { chooseTarget, declare } from "./terms.ts";

/** Runs one case, or one relation at a case, and prints everything about it. */
export async function replay(line: string, options: CheckOptions): Promise<number> {
  const { chosen, case: c, relation } = parseReplay(line);
  const { operation, spec } = chosen;
  const problem = buildCase(spec, c, options.dtype, realInputs);
  const target = declare(chooseTarget(options.target), options.store, [operation]);
  const { signal } = catchSignals();
  const candidates = await openCandidates(options, [chosen], signal);
  const candidate = new Limited(candidates.of(operation), new Deadline({ signal }));
  if (relation !== undefined) {
    const { sizes, seed } = c;
    const deterministic = options.nondeterministic !== true;
    const trial: Trial = { operation, spec, candidate, target, dtype: options.dtype, sizes, seed, deterministic };
    say([line, `${candidates.where}, ${options.dtype}, target ${target.name}`]);
    return replayRelation(relation, trial, options.bitwise === true);
  }
  const verdict = await unlessInterrupted(
    judgeProblem(operation, candidate, problem, { target, dtype: options.dtype }),
  );
  if (verdict === undefined) return statuses.interrupted;
  say([formatCase(c), `${candidates.where}, ${options.dtype}, target ${target.name}`]);
  for (const { output, elements, unjudged, outside, worst, at } of verdict.comparisons) {
    const counts = `${elements} elements, ${unjudged} unjudged, ${outside} outside`;
    say(`${output}: ${counts}, worst ${worst.toPrecision(3)} of its bound`);
    if (at !== undefined && outside === 0) say(`  ${describeFinding(at)}`);
  }
  say(verdict.findings);
  if (verdict.findings.length > 0) {
    const { evidence } = failureOf(c, verdict, candidate.keep?.());
    if (evidence !== undefined) say(`files kept in ${evidence}`);
  }
  await candidate.close?.();
  say(verdict.findings.length === 0 ? "pass" : "FAIL");
  return statusOf(verdict.findings.length > 0);
}

async function replayRelation(relation: Relation, trial: Trial, bitwise: boolean): Promise<number> {
  const { candidate } = trial;
  say(`${relation.statement}`);
  let passed = false;
  try {
    const outcome = await unlessInterrupted(relation.run(trial));
    if (outcome === undefined) return statuses.interrupted;
    passed = !isFinding(outcome, bitwise);
    say(outcome.message === undefined ? "it holds" : `${outcome.state}: ${outcome.message}`);
  } catch (error) {
    if (isJudges(error)) throw error;
    say(`${failureLine(candidate, error)}`);
    const evidence = candidate.keep?.();
    if (evidence !== undefined) say(`files kept in ${evidence}`);
  }
  await candidate.close?.();
  say(passed ? "pass" : "FAIL");
  return statusOf(!passed);
}
