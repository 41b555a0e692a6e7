// What `touchstone check` does: picks the ops, opens the candidate, has the judge check each op, prints the tables.
import { realInputs } from "../judge/real.ts";
import type { Report } from "../judge/campaign.ts";
import { check as judge } from "../judge/check.ts";
import type { Examination } from "../judge/examination.ts";
import type { CheckOptions } from "./check-options.ts";
import { openCandidates } from "./check-candidates.ts";
import { writeReports } from "./check-json.ts";
import { examinationLines, examinationTable, failureLines, reportTable, shellWord } from "./check-table.ts";
import { choose } from "../judge/choose.ts";
import { UserError } from "./errors.ts";
import { checkWritable } from "./output.ts";
import { openProgress } from "./progress.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOf } from "./statuses.ts";
import { chooseTarget, declare } from "./terms.ts";

const DEFAULT_RUNS = 100;

/** Checks the chosen ops; the exit status is 0 when all are inside their bounds, 1 otherwise, 130 when interrupted. */
export async function check(options: CheckOptions): Promise<number> {
  if (options.op === undefined && (options.exec !== undefined || options.kernel !== undefined)) {
    throw new UserError("--op NAME is missing: which op does the candidate compute? `touchstone ops` lists them");
  }
  const chosen = choose(options.op ?? []);
  const target = declare(
    chooseTarget(options.target),
    options.store,
    chosen.map(({ operation }) => operation),
  );
  if (options.json !== undefined) checkWritable("--json", options.json);
  const seed = options.seed ?? Math.floor(Math.random() * 0x7fffffff);
  const { signal: interrupted } = catchSignals();
  const candidates = await openCandidates(options, chosen, interrupted);
  process.stderr.write(
    `touchstone check: ${candidates.where}, ${options.dtype}, target ${target.name}, seed ${seed}\n`,
  );
  const progress = openProgress(chosen.length);
  const reports: Report[] = [];
  const examinations = new Map<string, Examination>();
  for (const [i, one] of chosen.entries()) {
    if (interrupted.aborted) break;
    const { operation } = one;
    progress.begin(operation.name);
    const plan = {
      runs: options.runs ?? DEFAULT_RUNS,
      ...(options.budget === undefined ? {} : { seconds: options.budget / chosen.length }),
      seed,
      nondeterministic: options.nondeterministic === true,
      bitwise: options.bitwise === true,
      onCase: (_: number, share: number) => progress.advance(i, share),
      signal: interrupted,
      real: realInputs,
    };
    const terms = { target, dtype: options.dtype };
    const { report, examination, passed } = await judge(one, candidates.of(operation), terms, plan);
    if (examination !== undefined) examinations.set(operation.name, examination);
    reports.push(report);
    progress.end(`${passed ? "pass" : "FAIL"} ${operation.name}, ${report.cases} cases`);
  }
  progress.close();
  process.stdout.write(`${reportTable(reports)}\n`);
  for (const { failures } of reports) {
    for (const failure of failures) process.stdout.write(failureLines(failure, candidateOptions(options)));
  }
  if (examinations.size > 0) process.stdout.write(`${examinationTable([...examinations.values()])}\n`);
  for (const examination of examinations.values()) {
    const again = `touchstone check --op ${examination.op} --seed ${seed} --runs 1${candidateOptions(options)}`;
    process.stdout.write(examinationLines(examination, again, candidateOptions(options)));
  }
  if (options.json !== undefined) {
    writeReports(options.json, seed, candidates.where, target.name, reports, examinations);
  }
  if (interrupted.aborted) {
    process.stderr.write(`interrupted: ${reports.length} of ${chosen.length} ops were started\n`);
    return statuses.interrupted;
  }
  const outside = reports.filter(({ failures }) => failures.some(({ worst }) => worst !== undefined));
  const failed = reports.filter(
    ({ op, failures }) => failures.length > 0 || (examinations.get(op)?.findings.length ?? 0) > 0,
  );
  const judged = reports.reduce((sum, { elements, unjudged, nonFinite }) => sum + elements - unjudged - nonFinite, 0);
  if (judged === 0 && failed.length === 0) throw new UserError("no element was judged: a verdict needs more cases");
  process.stdout.write(
    failed.length === 0
      ? `${kernels(reports.length)} within ${reports.length === 1 ? "its bound" : "their bounds"}, ${judged} elements judged\n`
      : `${failed.length} of ${kernels(reports.length)} failed, ${outside.length} of them by numbers outside the bounds: ${failed.map(({ op }) => op).join(", ")}\n`,
  );
  return statusOf(failed.length > 0);
}

/** "1 kernel", "2 kernels". */
function kernels(count: number): string {
  return `${count} kernel${count === 1 ? "" : "s"}`;
}

/** The options that a replay needs to judge the same candidate on the same terms. */
function candidateOptions(options: CheckOptions): string {
  const { exec, kernel, dtype, target, store, nondeterministic, bitwise } = options;
  return [
    quoted("exec", exec),
    quoted("kernel", kernel),
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
