// What `touchstone check --replay` does: one case, or one relation at a case, in full.
import { failureLine } from "../judge/candidates/result.ts";
import { formatCase } from "../judge/case.ts";
import { realInputs } from "../judge/real.ts";
import { buildCase, failureOf } from "../judge/campaign.ts";
import { unlessInterrupted } from "../judge/check.ts";
import { describeFinding } from "../judge/compare.ts";
import { isFinding } from "../judge/examination.ts";
import { parseReplay } from "../judge/replay.ts";
import type { Relation, Trial } from "../judge/relations/relation.ts";
import { isJudges, judgeProblem } from "../judge/verdict.ts";
import type { CheckOptions } from "./check-options.ts";
import { openCandidates } from "./check-candidates.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOf } from "./statuses.ts";
import { chooseTarget, declare } from "./terms.ts";

/** Runs one case, or one relation at a case, and prints everything about it. */
export async function replay(line: string, options: CheckOptions): Promise<number> {
  const { chosen, case: c, relation } = parseReplay(line);
  const { operation, spec } = chosen;
  const problem = buildCase(spec, c, options.dtype, realInputs);
  const target = declare(chooseTarget(options.target), options.store, [operation]);
  const candidates = await openCandidates(options, [chosen], catchSignals().signal);
  const candidate = candidates.of(operation);
  if (relation !== undefined) {
    const { sizes, seed } = c;
    const deterministic = options.nondeterministic !== true;
    const trial: Trial = { operation, spec, candidate, target, dtype: options.dtype, sizes, seed, deterministic };
    process.stdout.write(`${line}\n${candidates.where}, ${options.dtype}, target ${target.name}\n`);
    return replayRelation(relation, trial, options.bitwise === true);
  }
  const verdict = await unlessInterrupted(
    judgeProblem(operation, candidate, problem, { target, dtype: options.dtype }),
  );
  if (verdict === undefined) return statuses.interrupted;
  process.stdout.write(`${formatCase(c)}\n${candidates.where}, ${options.dtype}, target ${target.name}\n`);
  for (const { output, elements, unjudged, outside, worst, at } of verdict.comparisons) {
    const counts = `${elements} elements, ${unjudged} unjudged, ${outside} outside`;
    process.stdout.write(`${output}: ${counts}, worst ${worst.toPrecision(3)} of its bound\n`);
    if (at !== undefined && outside === 0) process.stdout.write(`  ${describeFinding(at)}\n`);
  }
  for (const finding of verdict.findings) process.stdout.write(`${finding}\n`);
  if (verdict.findings.length > 0) {
    const { evidence } = failureOf(c, verdict, candidate.keep?.());
    if (evidence !== undefined) process.stdout.write(`files kept in ${evidence}\n`);
  }
  await candidate.close?.();
  process.stdout.write(verdict.findings.length === 0 ? "pass\n" : "FAIL\n");
  return statusOf(verdict.findings.length > 0);
}

async function replayRelation(relation: Relation, trial: Trial, bitwise: boolean): Promise<number> {
  const { candidate } = trial;
  process.stdout.write(`${relation.statement}\n`);
  let passed = false;
  try {
    const outcome = await unlessInterrupted(relation.run(trial));
    if (outcome === undefined) return statuses.interrupted;
    passed = !isFinding(outcome, bitwise);
    process.stdout.write(outcome.message === undefined ? "it holds\n" : `${outcome.state}: ${outcome.message}\n`);
  } catch (error) {
    if (isJudges(error)) throw error;
    process.stdout.write(`${failureLine(candidate, error)}\n`);
    const evidence = candidate.keep?.();
    if (evidence !== undefined) process.stdout.write(`files kept in ${evidence}\n`);
  }
  await candidate.close?.();
  process.stdout.write(passed ? "pass\n" : "FAIL\n");
  return statusOf(!passed);
}
