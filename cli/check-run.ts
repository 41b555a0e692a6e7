// What `touchstone check` does: picks the ops, opens the candidate, has the judge check each op, prints the tables.
import { causeOf } from "../judge/cause/index.ts";
import type { Coming } from "../judge/pace.ts";
import { check as judge, type Checked, unlessInterrupted } from "../judge/check.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { Deadline } from "../judge/deadline.ts";
import { concludeAll } from "../judge/conclusion.ts";
import { usualJobs } from "../judge/jobs/most.ts";
import type { CaseWorkers } from "../judge/jobs/workers.ts";
import { realInputs } from "../judge/real.ts";
import { chosenWithin } from "../judge/sizes/within.ts";
import type { Target } from "../reference/targets.ts";
import { type Candidates, openCandidates } from "./check-candidates.ts";
import { causeLines } from "./check-cause.ts";
import { checkJson, type CheckRun } from "./check-json.ts";
import { LongCases } from "./check-long.ts";
import { type CheckOptions, DEFAULT_RUNS, DEFAULT_TIMEOUT, LARGEST_CASE_SEED } from "./check-options.ts";
import { refusalLines, targetLines } from "./check-offered.ts";
import {
  conditioningLines,
  examinationLines,
  examinationTable,
  failureLines,
  improbableLines,
  noteLines,
  raceLines,
  lastLines,
  reportTable,
  sizeLines,
  shellWord,
  treeLines,
  verdictOf,
} from "./check-table.ts";
import { excludedLines, modelLines, beyondLines, unpromisedLines, untriedLines } from "./check-untried.ts";
import { UserError } from "./errors.ts";
import { note, openResult, say } from "./output.ts";
import { beginnings } from "./outputs.ts";
import { openProgress } from "./progress.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { catchSignals } from "./signals.ts";
import { statusOfVerdict } from "./statuses.ts";
import { isJudges } from "../judge/verdict.ts";
import { foldedLines } from "./table.ts";
import { offeredIn, targetOf, treeFiles } from "./terms.ts";
import { counted } from "./words.ts";

/** Checks the chosen ops, prints what was found, and returns the exit status. */
export async function check(options: CheckOptions): Promise<number> {
  if (options.op === undefined && (options.exec !== undefined || options.kernel !== undefined)) {
    throw new UserError("--op NAME is missing: which op does the candidate compute? `touchstone ops` lists them");
  }
  const all = offeredIn(options.outputs, choose(options.op ?? []));
  const chosen = options.sizes === undefined ? all : chosenWithin(all, options.sizes);
  const operations = chosen.map(({ operation }) => operation);
  const target = targetOf(options, operations);
  const { json, overwrite, kernel } = options;
  const replacing = {
    overwrite,
    inputs: [options.target, kernel, ...treeFiles(options.sum)],
    report: beginnings.check,
  };
  const file = json === undefined ? undefined : openResult("--json", json, replacing);
  const seed = options.seed ?? Math.floor(Math.random() * LARGEST_CASE_SEED);
  const { signal, release } = catchSignals();
  const deadline = new Deadline({ seconds: options.budget, signal });
  const workers = await workersFor(options, chosen);
  try {
    const candidates = await unlessInterrupted(openCandidates(options, chosen, signal));
    const where = candidates?.where ?? options.exec ?? options.kernel ?? options.adapter;
    note(`touchstone check: ${where}, ${options.dtype}, target ${target.name}, seed ${seed}`);
    for (const line of modelLines(chosen)) note(line);
    const { results, stopped } =
      candidates === undefined
        ? { results: [], stopped: undefined }
        : await judgeEach(chosen, candidates, { target, seed, deadline, workers }, options);
    const isInterrupted = signal.aborted;
    const conclusion = concludeAll(
      results.map((result) => result.conclusion),
      isInterrupted,
    );
    const notStarted = operations.slice(results.length).map(({ name }) => name);
    const run = { options, seed, where, target, results, conclusion, isInterrupted, notStarted };
    print(run);
    file?.write(checkJson(run));
    if (stopped !== undefined && conclusion.verdict !== "FAIL") throw stopped; // bad input, with the results shown
    return statusOfVerdict(conclusion.verdict, isInterrupted);
  } finally {
    release();
    await workers?.close();
  }
}

/** A few cases end before a thread has begun, unless they are as large as a model's: then this thread is there for signals. */
const WORTH_THREADS = 20;

/** Threads for all ops; they start while the candidate does. */
async function workersFor(
  { jobs, runs = DEFAULT_RUNS }: CheckOptions,
  chosen: readonly Chosen[],
): Promise<CaseWorkers | undefined> {
  const areFew = runs < WORTH_THREADS && chosen.every(({ model }) => model === undefined);
  const count = jobs ?? (areFew ? 1 : usualJobs());
  return count === 1 ? undefined : (await import("../judge/jobs/pool.ts")).openWorkers(count);
}

/** What all ops have in common. */
interface Common {
  readonly target: Target;
  readonly seed: number;
  readonly deadline: Deadline;
  readonly workers: CaseWorkers | undefined;
}

/** One op after another, with its progress, until a signal comes or the judge itself cannot go on. Throws where that is the first thing. */
async function judgeEach(
  chosen: readonly Chosen[],
  candidates: Candidates,
  { target, seed, deadline, workers }: Common,
  {
    runs = DEFAULT_RUNS,
    dtype,
    timeout,
    nondeterministic = false,
    bitwise = false,
    allowUnjudged,
    allowRefused,
  }: CheckOptions,
): Promise<{ readonly results: Checked[]; readonly stopped: Error | undefined }> {
  const progress = openProgress(chosen.length);
  const long = new LongCases(progress);
  const results: Checked[] = [];
  let stopped: Error | undefined;
  for (const [i, one] of chosen.entries()) {
    if (deadline.isInterrupted || stopped !== undefined) break;
    const { name } = one.operation;
    progress.begin(name);
    const onCase = (_: number, share: number) => {
      long.done();
      progress.advance(i, share);
    };
    const onLong = (coming: Coming) => long.begin(coming);
    const own = deadline.share(chosen.length - i);
    const given = { runs, seed, nondeterministic, bitwise, onCase, onLong, deadline: own, real: realInputs, causeOf };
    const refusing = allowRefused === undefined ? {} : { allowRefused };
    const plan = { ...given, ...refusing, patience: 1000 * timeout, ...(workers && { workers }) };
    const terms = { target, dtype, ...(allowUnjudged === undefined ? {} : { allowUnjudged }) };
    const result = await judge(one, candidates.of(one.operation), terms, plan).catch((error: unknown) => {
      if (results.length === 0 || !isJudges(error)) throw error;
      stopped = error as Error;
    });
    long.done();
    if (result === undefined) break;
    ({ stopped } = result);
    results.push(result);
    progress.end(`${verdictOf(result)} ${name}, ${counted(result.report.cases, "case")}`);
  }
  progress.close();
  return { results, stopped };
}

/** Both tables, each with its findings; then what was left unjudged, and the last line. */
function print({ results, seed, options, where, target, conclusion, isInterrupted, notStarted }: CheckRun): void {
  const examinations = results.flatMap(({ examination }) => examination ?? []);
  const same = candidateOptions(options);
  if (results.length > 0) say(reportTable(results));
  for (const { report, cause } of results) {
    for (const failure of report.failures) say(foldedLines(failureLines(failure, same)));
    if (cause !== undefined) say(foldedLines(causeLines(cause, report.failures[0].replay)));
  }
  if (examinations.length > 0) say(examinationTable(examinations));
  for (const examination of examinations) {
    const again = `touchstone check --op ${examination.op} --seed ${seed} --runs 1${quoted("sizes", options.sizes)}${same}`;
    say(foldedLines(examinationLines(examination, again, same)));
  }
  say(foldedLines(raceLines(examinations)));
  say(foldedLines(noteLines(results)));
  say(foldedLines(improbableLines(results, same)));
  say(foldedLines(conditioningLines(results)));
  say(foldedLines(treeLines(results)));
  say(foldedLines(untriedLines(results, isInterrupted ? "interrupted" : "budget")));
  say(foldedLines(excludedLines(results)));
  say(foldedLines(beyondLines(results)));
  say(foldedLines(refusalLines(results)));
  say(foldedLines(unpromisedLines(results, target.name)));
  say(foldedLines(sizeLines(results)));
  say(reasonLines(conclusion.reasons));
  say(foldedLines(targetLines(options, where)));
  say(foldedLines(lastLines(results)));
  const started = `${results.length} of ${counted(results.length + notStarted.length, "op")} started`;
  if (isInterrupted) say(`${verdictIn(conclusion.verdict, true)}: ${started}`);
}

/** The options that a replay needs to judge the same candidate on the same terms. */
export function candidateOptions(options: Omit<CheckOptions, "runs" | "seed">): string {
  const { adapter, exec, kernel, outputs, timeout, memory, dtype, target, store, sum } = options;
  const { nondeterministic, bitwise, allowUnjudged, allowRefused } = options;
  return [
    adapter === "auto" ? "" : ` --adapter ${adapter}`,
    quoted("exec", exec),
    quoted("kernel", kernel),
    quoted("outputs", outputs),
    timeout === DEFAULT_TIMEOUT ? "" : ` --timeout ${timeout}`,
    memory === undefined ? "" : ` --memory ${memory}`,
    dtype === "float32" ? "" : ` --dtype ${dtype}`,
    quoted("target", target),
    quoted("store", store),
    quoted("sum", sum),
    nondeterministic === true ? " --nondeterministic" : "",
    bitwise === true ? " --bitwise" : "",
    allowUnjudged === undefined ? "" : ` --allow-unjudged ${allowUnjudged}`,
    allowRefused === undefined ? "" : ` --allow-refused ${allowRefused}`,
  ].join("");
}

/** " --exec 'python3 mine.py'", or nothing without a value. */
function quoted(option: string, value: string | undefined): string {
  return value === undefined ? "" : ` --${option} ${shellWord(value)}`;
}
