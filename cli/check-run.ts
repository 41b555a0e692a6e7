// What `touchstone check` does: picks the ops, opens the candidate, has the judge check each op, prints the tables.
import { check as judge, type Checked } from "../judge/check.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { Deadline } from "../judge/deadline.ts";
import { realInputs } from "../judge/real.ts";
import type { Target } from "../reference/targets.ts";
import { type Candidates, openCandidates } from "./check-candidates.ts";
import { writeReports } from "./check-json.ts";
import { type CheckOptions, DEFAULT_RUNS, DEFAULT_TIMEOUT, LARGEST_CASE_SEED } from "./check-options.ts";
import { examinationLines, examinationTable, failureLines, reportTable, shellWord } from "./check-table.ts";
import { untriedLines } from "./check-untried.ts";
import { UserError } from "./errors.ts";
import { checkWritable, note, say } from "./output.ts";
import { openProgress } from "./progress.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOf } from "./statuses.ts";
import { chooseTarget, declare } from "./terms.ts";
import { counted } from "./words.ts";

/** Checks the chosen ops, prints what was found, and returns the exit status. */
export async function check(options: CheckOptions): Promise<number> {
  if (options.op === undefined && (options.exec !== undefined || options.kernel !== undefined)) {
    throw new UserError("--op NAME is missing: which op does the candidate compute? `touchstone ops` lists them");
  }
  const chosen = choose(options.op ?? []);
  const operations = chosen.map(({ operation }) => operation);
  const target = declare(chooseTarget(options.target), options.store, operations);
  if (options.json !== undefined) checkWritable("--json", options.json);
  const seed = options.seed ?? Math.floor(Math.random() * LARGEST_CASE_SEED);
  const { signal, release } = catchSignals();
  const deadline = new Deadline({ seconds: options.budget, signal });
  try {
    const candidates = await openCandidates(options, chosen, signal);
    note(`touchstone check: ${candidates.where}, ${options.dtype}, target ${target.name}, seed ${seed}`);
    const results = await judgeEach(chosen, candidates, target, seed, deadline, options);
    print(results, seed, options);
    say(untriedLines(results, signal.aborted ? "interrupted" : "budget"));
    if (options.json !== undefined) writeReports(options.json, seed, candidates.where, target.name, results);
    if (!signal.aborted) return summarise(results);
    note(`interrupted: ${results.length} of ${counted(chosen.length, "op")} started`);
    return statuses.interrupted;
  } finally {
    release();
  }
}

/** One op after another, with its progress, until a signal comes. */
async function judgeEach(
  chosen: readonly Chosen[],
  candidates: Candidates,
  target: Target,
  seed: number,
  deadline: Deadline,
  { runs = DEFAULT_RUNS, dtype, nondeterministic = false, bitwise = false }: CheckOptions,
): Promise<Checked[]> {
  const progress = openProgress(chosen.length);
  const results: Checked[] = [];
  for (const [i, one] of chosen.entries()) {
    if (deadline.isInterrupted) break;
    const { name } = one.operation;
    progress.begin(name);
    const onCase = (_: number, share: number) => progress.advance(i, share);
    const own = deadline.share(chosen.length - i);
    const plan = { runs, seed, nondeterministic, bitwise, onCase, deadline: own, real: realInputs };
    const result = await judge(one, candidates.of(one.operation), { target, dtype }, plan);
    results.push(result);
    progress.end(`${result.passed ? "pass" : "FAIL"} ${name}, ${counted(result.report.cases, "case")}`);
  }
  progress.close();
  return results;
}

/** Both tables, each with its findings. */
function print(results: readonly Checked[], seed: number, options: CheckOptions): void {
  const reports = results.map(({ report }) => report);
  const examinations = results.flatMap(({ examination }) => examination ?? []);
  const same = candidateOptions(options);
  say(reportTable(reports));
  for (const failure of reports.flatMap(({ failures }) => failures)) say(failureLines(failure, same));
  if (examinations.length > 0) say(examinationTable(examinations));
  for (const examination of examinations) {
    const again = `touchstone check --op ${examination.op} --seed ${seed} --runs 1${same}`;
    say(examinationLines(examination, again, same));
  }
}

/** The last line; returns the exit status. Throws UserError where nothing was judged. */
function summarise(results: readonly Checked[]): number {
  const failed = results.filter(({ passed }) => !passed);
  const judged = results.reduce((n, { report }) => n + report.elements - report.unjudged - report.nonFinite, 0);
  if (judged === 0 && failed.length === 0) throw new UserError("no element was judged: a verdict needs more cases");
  const kernels = counted(results.length, "kernel");
  if (failed.length === 0) {
    const theirs = results.length === 1 ? "its bound" : "their bounds";
    say(`${kernels} within ${theirs}, ${counted(judged, "element")} judged`);
  } else {
    const outside = failed.filter(({ report }) => report.failures.some(({ worst }) => worst !== undefined)).length;
    const names = failed.map(({ report }) => report.op).join(", ");
    say(`${failed.length} of ${kernels} failed, ${outside} of them by numbers outside the bounds: ${names}`);
  }
  return statusOf(failed.length > 0);
}

/** The options that a replay needs to judge the same candidate on the same terms. */
function candidateOptions(options: CheckOptions): string {
  const { adapter, exec, kernel, timeout, dtype, target, store, nondeterministic, bitwise } = options;
  return [
    adapter === "auto" ? "" : ` --adapter ${adapter}`,
    quoted("exec", exec),
    quoted("kernel", kernel),
    timeout === DEFAULT_TIMEOUT ? "" : ` --timeout ${timeout}`,
    dtype === "float32" ? "" : ` --dtype ${dtype}`,
    quoted("target", target),
    quoted("store", store),
    nondeterministic === true ? " --nondeterministic" : "",
    bitwise === true ? " --bitwise" : "",
  ].join("");
}

/** " --exec 'python3 mine.py'", or nothing without a value. */
function quoted(option: string, value: string | undefined): string {
  return value === undefined ? "" : ` --${option} ${shellWord(value)}`;
}
