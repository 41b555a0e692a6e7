// What `touchstone check` does: picks the ops, opens the device, runs a campaign for each, shows them in a table.
import { type CaseSpec, parseCase } from "../golden/cases/case.ts";
import { cases } from "../golden/cases/index.ts";
import { realInputs } from "../golden/cases/real.ts";
import { writeAtomically } from "../golden/formats/atomic.ts";
import { buildCase, campaign, type Failure, type Report } from "../golden/judge/campaign.ts";
import { describe } from "../golden/judge/compare.ts";
import { judge } from "../golden/judge/verdict.ts";
import { type Device, openDevice } from "../kernels-gpu/device.ts";
import { kernels } from "../kernels-gpu/index.ts";
import type { Operation } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";
import { targets } from "../reference/targets.ts";
import type { CheckOptions } from "./check.ts";
import { deviceCandidate } from "./device-candidate.ts";
import { UserError } from "./errors.ts";
import { failureLines, reportTable } from "./check-table.ts";
import { openProgress } from "./progress.ts";

const DEFAULT_RUNS = 100;

/** Checks the chosen kernels; the exit status is 0 when all are inside their bounds, 1 otherwise, 130 when interrupted. */
export async function check(options: CheckOptions): Promise<number> {
  const chosen = chooseOperations(options.op);
  const seed = options.seed ?? Math.floor(Math.random() * 0x7fffffff);
  const device = await openDevice({ adapter: options.adapter });
  const runs = options.runs ?? DEFAULT_RUNS;
  process.stderr.write(`touchstone check: ${device.name}, target wgsl, seed ${seed}\n`);
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const progress = openProgress(chosen.length);
  const reports: Report[] = [];
  for (const [i, operation] of chosen.entries()) {
    if (interrupted.signal.aborted) break;
    progress.begin(operation.name);
    const report = await campaign(
      operation,
      specOf(operation),
      candidateOf(device, operation),
      targets.wgsl,
      {
        runs,
        seed,
        ...(options.budget === undefined ? {} : { seconds: options.budget / chosen.length }),
        onCase: (done) =>
          progress.advance(i, done / (done + (options.budget === undefined ? Math.max(1, runs - done) : 1))),
        signal: interrupted.signal,
      },
      realInputs(),
    );
    reports.push(report);
    progress.end(`${report.failures.length === 0 ? "pass" : "FAIL"} ${operation.name}, ${report.cases} cases`);
  }
  progress.close();
  process.stdout.write(`${reportTable(reports)}\n`);
  for (const { failures } of reports) for (const failure of failures) process.stdout.write(failureLines(failure));
  if (options.json !== undefined) writeJson(options.json, seed, device, reports);
  if (interrupted.signal.aborted) {
    process.stderr.write(`interrupted after ${reports.length} of ${chosen.length} kernels\n`);
    return 130;
  }
  const failed = reports.filter(({ failures }) => failures.length > 0);
  const judged = reports.reduce((sum, { elements, unjudged, nonFinite }) => sum + elements - unjudged - nonFinite, 0);
  if (judged === 0) throw new UserError("no element was judged: more cases are needed for a verdict");
  process.stdout.write(
    failed.length === 0
      ? `${reports.length} kernels within their bounds, ${judged} elements judged\n`
      : `${failed.length} of ${reports.length} kernels outside their bounds: ${failed.map(({ op }) => op).join(", ")}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** Runs one case and tells everything of it. */
export async function replay(line: string, { adapter }: CheckOptions): Promise<number> {
  const c = parseCase(line);
  const [operation] = chooseOperations([c.op]);
  if (operation.name !== c.op)
    throw new UserError(`replay: "${c.op}" is not an op and direction, such as swiglu.forward`);
  const spec = specOf(operation);
  checkSizes(spec, c.sizes, c.profile === "real");
  const problem = buildCase(spec, c, realInputs());
  const device = await openDevice({ adapter });
  const { comparisons, findings } = await judge(
    operation,
    candidateOf(device, operation),
    problem,
    targets.wgsl,
    c.profile,
  );
  for (const { output, elements, unjudged, outside, worst, at } of comparisons) {
    process.stdout.write(
      `${output}: ${elements} elements, ${unjudged} unjudged, ${outside} outside, worst ${worst.toPrecision(3)} of its bound\n`,
    );
    if (at !== undefined && outside === 0) process.stdout.write(`  ${describe(at)}\n`);
  }
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(findings.length === 0 ? "pass\n" : "FAIL\n");
  return findings.length === 0 ? 0 : 1;
}

/** The operations of these names; "attention" stands for its directions. Throws UserError for a name that none has. */
function chooseOperations(names: readonly string[] | undefined): Operation[] {
  if (names === undefined) return [...operations.values()];
  const chosen = new Set<Operation>();
  for (const name of names) {
    const found = [...operations.values()].filter((o) => o.name === name || o.name.split(".")[0] === name);
    if (found.length === 0) {
      const known = [...new Set([...operations.keys()].map((key) => key.split(".")[0]))];
      throw new UserError(
        `--op: no op is named "${name}", expected one of ${known.join(", ")}, or one with .forward or .backward`,
      );
    }
    for (const operation of found) chosen.add(operation);
  }
  return [...chosen];
}

function specOf(operation: Operation): CaseSpec {
  const spec = cases.get(operation.name);
  if (spec === undefined) throw new Error(`${operation.name} has no cases`);
  return spec;
}

function candidateOf(device: Device, operation: Operation) {
  const kernel = kernels[operation.name];
  if (kernel === undefined) throw new Error(`${operation.name} has no kernel`);
  return deviceCandidate(device, kernel, operation);
}

/** A replayed line may come from anywhere: its sizes must be those of the op, and as small as cases are. */
function checkSizes(spec: CaseSpec, sizes: Readonly<Record<string, number | string>>, isReal: boolean): void {
  const wanted = isReal ? [] : Object.keys(spec.sizes);
  const given = Object.keys(sizes);
  if (wanted.toSorted().join() !== given.toSorted().join()) {
    throw new UserError(
      `replay: ${spec.op} has the sizes ${wanted.join(", ") || "none"}, got ${given.join(", ") || "none"}`,
    );
  }
  for (const [name, value] of Object.entries(sizes)) {
    if (typeof value === "number" && !(Math.abs(value) <= 1 << 20)) {
      throw new UserError(`replay: ${name} is ${value}, expected at most ${1 << 20}`);
    }
  }
}

function writeJson(path: string, seed: number, device: Device, reports: readonly Report[]): void {
  const kernelReports = reports.map(
    ({ op, cases: count, elements, unjudged, nonFinite, worst, at, ulp, power, ms, failures }) => ({
      op,
      cases: count,
      elements,
      unjudged,
      nonFinite,
      worst,
      at: at === undefined ? null : { output: at.finding.output, index: at.finding.index, replay: at.replay },
      ulp,
      power,
      ms,
      failures: failures.map(failureJson),
    }),
  );
  const json = { seed, adapter: device.name, target: targets.wgsl.name, kernels: kernelReports };
  // JSON has no infinities and no NaN: such numbers are written as words.
  const text = JSON.stringify(
    json,
    (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    2,
  );
  writeAtomically(path, (write) => write(new TextEncoder().encode(`${text}\n`)));
}

function failureJson({ replay: line, message, worst }: Failure) {
  return {
    replay: line,
    message,
    index: worst?.index ?? null,
    got: worst?.got ?? null,
    want: worst?.want ?? null,
    bound: worst?.bound ?? null,
  };
}
