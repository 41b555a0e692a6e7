// What `touchstone check` does: picks the ops, finds the candidate, runs a campaign for each op, shows them in a table.
import { Interrupted } from "../reference/candidate.ts";
import { type CaseSpec, exampleCases, longCases } from "../judge/case.ts";
import { realInputs } from "../judge/real.ts";
import { campaign, type Report } from "../judge/campaign.ts";
import { type Examination, examine } from "../judge/examination.ts";
import type { CheckOptions } from "./check.ts";
import { openCandidates } from "./check-candidates.ts";
import { writeReports } from "./check-json.ts";
import { examinationLines, examinationTable, failureLines, reportTable, shellWord } from "./check-table.ts";
import { choose } from "../judge/choose.ts";
import { UserError } from "./errors.ts";
import { checkWritable } from "./output.ts";
import { openProgress } from "./progress.ts";
import { INTERRUPTED } from "./signals.ts";
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
  const interrupted = interruption();
  const candidates = await openCandidates(options, chosen, interrupted);
  const runs = options.runs ?? DEFAULT_RUNS;
  process.stderr.write(
    `touchstone check: ${candidates.where}, ${options.dtype}, target ${target.name}, seed ${seed}\n`,
  );
  const progress = openProgress(chosen.length);
  const reports: Report[] = [];
  const examinations = new Map<string, Examination>();
  for (const [i, { operation, spec }] of chosen.entries()) {
    if (interrupted.aborted) break;
    progress.begin(operation.name);
    const candidate = candidates.of(operation);
    const seconds = options.budget === undefined ? undefined : options.budget / chosen.length;
    const started = performance.now();
    const share = (done: number) =>
      seconds === undefined ? done / (runs + fixedCases(spec)) : (performance.now() - started) / 1000 / seconds;
    const plan = {
      runs,
      seed,
      dtype: options.dtype,
      ...(seconds === undefined ? {} : { seconds }),
      onCase: (done: number) => progress.advance(i, Math.min(1, share(done))),
      signal: interrupted,
    };
    const report = await campaign(operation, spec, candidate, target, plan, realInputs);
    // A candidate that crashes or hangs has been told so; there are no numbers to examine.
    const hasNumbers = report.failures.every(({ worst }) => worst !== undefined);
    if (hasNumbers && !interrupted.aborted) {
      const terms = {
        dtype: options.dtype,
        seed,
        nondeterministic: options.nondeterministic === true,
        bitwise: options.bitwise === true,
      };
      const examination = await unlessInterrupted(examine(operation, spec, candidate, target, terms));
      if (examination !== undefined) examinations.set(operation.name, examination);
    }
    await candidate.close?.();
    reports.push(report);
    const passed = report.failures.length === 0 && !examinations.get(operation.name)?.findings.length;
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
    process.stderr.write(`interrupted: ${reports.length} of ${chosen.length} ops were begun\n`);
    return INTERRUPTED;
  }
  const outside = reports.filter(({ failures }) => failures.some(({ worst }) => worst !== undefined));
  const failed = reports.filter(
    ({ op, failures }) => failures.length > 0 || (examinations.get(op)?.findings.length ?? 0) > 0,
  );
  const judged = reports.reduce((sum, { elements, unjudged, nonFinite }) => sum + elements - unjudged - nonFinite, 0);
  if (judged === 0 && failed.length === 0)
    throw new UserError("no element was judged: more cases are needed for a verdict");
  process.stdout.write(
    failed.length === 0
      ? `${reports.length} kernels within their bounds, ${judged} elements judged\n`
      : `${failed.length} of ${reports.length} kernels failed, ${outside.length} of them by numbers outside their bounds: ${failed.map(({ op }) => op).join(", ")}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** How many cases run whatever is drawn. */
function fixedCases(spec: CaseSpec): number {
  return exampleCases(spec, 0).length + longCases(spec, 0).length;
}

/** Told by the first signal, which ends a case; a second one ends everything. */
export function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => interrupted.abort());
  return interrupted.signal;
}

/** What a promise gives; undefined where a signal ended it. */
export async function unlessInterrupted<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Interrupted) return undefined;
    throw error;
  }
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
