// The results of a check as JSON.
import { writeAtomically } from "../formats/atomic.ts";
import type { Failure, Report } from "../judge/campaign.ts";
import type { Checked } from "../judge/check.ts";
import type { Examination } from "../judge/examination.ts";
import { summarise } from "../judge/precision.ts";

/** Writes the file whole or not at all. JSON has no infinities and no NaN: such numbers are written as words. */
export function writeReports(
  path: string,
  seed: number,
  adapter: string,
  target: string,
  results: readonly Checked[],
): void {
  const kernels = results.map(({ report, examination, untried }) => ({
    ...reportJson(report),
    examination: examination === undefined ? null : examinationJson(examination),
    untried,
  }));
  const json = { seed, adapter, target, kernels };
  const text = `${JSON.stringify(json, finite, 2)}\n`;
  writeAtomically(path, (write) => write(new TextEncoder().encode(text)));
}

function finite(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function reportJson({ at, failures, ...rest }: Report) {
  return {
    ...rest,
    at: at === undefined ? null : { output: at.finding.output, index: at.finding.index, replay: at.replay },
    failures: failures.map(failureJson),
  };
}

function failureJson({ replay, message, worst, evidence }: Failure) {
  const { index, got, want, bound } = worst ?? { index: null, got: null, want: null, bound: null };
  return { replay, message, index, got, want, bound, ...(evidence === undefined ? {} : { evidence }) };
}

function examinationJson(examination: Examination) {
  const { precision } = examination;
  return { ...examination, precision: { summary: summarise(precision) ?? null, outputs: precision } };
}
