// What `touchstone check --replay` does: one case, or one relation at a case, in full.
import { Limited } from "../judge/candidates/limited.ts";
import { failureLine } from "../judge/candidates/result.ts";
import { isUnsupported, refusalOf } from "../judge/candidates/unsupported.ts";
import type { Candidate } from "../reference/candidate.ts";
import { formatCase, type Problem } from "../judge/case.ts";
import { realInputs } from "../judge/real.ts";
import { buildCase, comparing, failureOf } from "../judge/campaign.ts";
import { closing, unlessInterrupted } from "../judge/check.ts";
import { describeFinding } from "../judge/compare.ts";
import {
  conclude,
  concludeAll,
  type Conclusion,
  concludeProblem,
  refusedConclusion,
  withImprobable,
} from "../judge/conclusion.ts";
import { Deadline } from "../judge/deadline.ts";
import { concludeRelation } from "../judge/examination.ts";
import { improbableInWords, suspicionsIn } from "../judge/improbable/suspicion.ts";
import type { Chosen } from "../judge/choose.ts";
import { parseReplay } from "../judge/replay.ts";
import type { Relation, Trial } from "../judge/relations/relation.ts";
import { isJudges, judgeProblem } from "../judge/verdict.ts";
import type { CheckOptions } from "./check-options.ts";
import { openCandidates } from "./check-candidates.ts";
import { targetLines } from "./check-offered.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { say } from "./output.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOfVerdict } from "./statuses.ts";
import { foldedLines } from "./table.ts";
import { offeredIn, targetOf, underOrder } from "./terms.ts";
import { counted, notOfferedIn } from "./words.ts";

/** Runs one case, or one relation at a case, and prints everything about it. */
export async function replay(line: string, options: CheckOptions): Promise<number> {
  const offered = (one: Chosen): Chosen => offeredIn(options.outputs, [one])[0];
  const { chosen, case: c, relation } = parseReplay(line, { offered });
  const { operation, spec } = chosen;
  const problem = buildCase(spec, c, options.dtype, realInputs);
  const target = targetOf(options, [operation]);
  const { signal } = catchSignals();
  const candidates = await unlessInterrupted(openCandidates(options, [chosen], signal));
  if (candidates === undefined) return statuses.interrupted;
  const candidate = new Limited(candidates.of(operation), new Deadline({ signal }));
  if (relation !== undefined) {
    const { sizes, seed } = c;
    const deterministic = options.nondeterministic !== true;
    const bitwise = options.bitwise === true;
    const trial: Trial = {
      operation,
      spec,
      candidate,
      target,
      dtype: options.dtype,
      sizes,
      seed,
      deterministic,
      bitwise,
    };
    say([line, `${candidates.where}, ${options.dtype}, target ${target.name}${underOrder(target, operation)}`]);
    return replayRelation(relation, trial, bitwise, options.allowUnjudged);
  }
  const verdict = await unlessInterrupted(
    judgeProblem(operation, candidate, problem, { target, dtype: options.dtype }, comparing(spec, c)),
  );
  if (verdict === undefined) return finish(interrupted, true);
  say([formatCase(c), `${candidates.where}, ${options.dtype}, target ${target.name}${underOrder(target, operation)}`]);
  for (const { output, elements, unjudged, outside, worst, at, note } of verdict.comparisons) {
    const counts = `${counted(elements, "element")}, ${unjudged} unjudged, ${outside} outside`;
    say(`${output}: ${counts}, worst ${worst.toPrecision(3)} of its bound`);
    if (at !== undefined && outside === 0) say(foldedLines([`  ${describeFinding(at)}`]));
    if (note !== undefined) say(foldedLines([`  note: ${note}`]));
  }
  if (operation.notOffered !== undefined) say(notOfferedIn(operation.notOffered));
  say(foldedLines(verdict.findings));
  if (verdict.findings.length > 0) {
    const { evidence } = failureOf(c, verdict, candidate.keep?.());
    if (evidence !== undefined) say(`files kept in ${evidence}`);
  }
  say(foldedLines(targetLines(options, candidates.where)));
  const raced = await racesOf(candidate, problem, options.nondeterministic === true);
  say(raced);
  const suspicions = suspicionsIn(verdict);
  say(foldedLines(suspicions.map((one) => `improbable ${improbableInWords(one)}`)));
  const proved = concludeProblem(operation, verdict, options.allowUnjudged);
  const concluded = raced.length > 0 ? conclude({ hasFindings: true, parts: [] }) : proved;
  return closed(candidate, withImprobable(concluded, suspicions.length > 0));
}

/** What races in the case, of a candidate that shows it. */
async function racesOf(
  { races }: Candidate,
  { inputs, scalars }: Problem,
  nondeterministic: boolean,
): Promise<string[]> {
  const report = races === undefined ? undefined : await unlessInterrupted(races(inputs, scalars));
  return report === undefined ? [] : [...report.races, ...(nondeterministic ? [] : report.unordered)];
}

async function replayRelation(
  relation: Relation,
  trial: Trial,
  bitwise: boolean,
  allowUnjudged?: number,
): Promise<number> {
  const { candidate } = trial;
  say(`${relation.statement}`);
  let conclusion: Conclusion = conclude({ hasFindings: true, parts: [] });
  try {
    const outcome = await unlessInterrupted(relation.run(trial));
    if (outcome === undefined) return finish(interrupted, true);
    conclusion = concludeRelation(relation, outcome, { bitwise, allowUnjudged });
    say(foldedLines([outcome.message === undefined ? "it holds" : `${outcome.state}: ${outcome.message}`]));
  } catch (error) {
    if (isJudges(error)) throw error;
    if (isUnsupported(error)) return closed(candidate, refusedConclusion(relation.name, refusalOf(error).message));
    say(`${failureLine(candidate, error)}`);
    const evidence = candidate.keep?.();
    if (evidence !== undefined) say(`files kept in ${evidence}`);
  }
  return closed(candidate, conclusion);
}

/** Closes the candidate, which may be a finding too, and finishes. */
async function closed(candidate: Candidate, conclusion: Conclusion): Promise<number> {
  const complaint = await closing(candidate);
  if (complaint === undefined) return finish(conclusion);
  say(complaint);
  return finish(conclude({ hasFindings: true, parts: [] }));
}

const interrupted = concludeAll([], true);

/** Prints why there is no verdict, if so, and the verdict; returns the exit status. */
function finish({ verdict, reasons }: Conclusion, isInterrupted = false): number {
  say(reasonLines(reasons));
  say(verdictIn(verdict, isInterrupted));
  return statusOfVerdict(verdict, isInterrupted);
}
