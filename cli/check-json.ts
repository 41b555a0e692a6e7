// The results of a check as JSON.
import type { Failure, Report } from "../judge/campaign.ts";
import type { Checked } from "../judge/check.ts";
import { ALLOWED_REFUSED } from "../judge/conclusion.ts";
import type { Examination } from "../judge/examination.ts";
import { summarise } from "../judge/regimes.ts";
import { type CheckOptions, DEFAULT_RUNS } from "./check-options.ts";
import { allowedOf, type OpsRun, runJson } from "./run-json.ts";

/** A run of `touchstone check`. */
export type CheckRun = OpsRun<Checked, CheckOptions>;

/** The text of the file. */
export function checkJson(run: CheckRun): string {
  const { runs = DEFAULT_RUNS, budget, allowRefused = ALLOWED_REFUSED } = run.options;
  const kernels = run.results.map((result) => kernelJson(result, allowedOf(run.options)));
  return runJson("touchstone check", run, { ...(budget === undefined ? { runs } : { budget }), allowRefused }, kernels);
}

function kernelJson({ report, examination, conclusion, isInterrupted, ...rest }: Checked, allowUnjudged: number) {
  const { op, at, parts, failures, conditioning, ...figures } = report;
  return {
    op,
    ...conclusion,
    interrupted: isInterrupted,
    ...figures,
    outputs: parts.map((part) => outputJson(part, allowUnjudged, conditioning[part.name])),
    at: at === undefined ? null : { output: at.finding.output, index: at.finding.index, replay: at.replay },
    failures: failures.map(failureJson),
    examination: examination === undefined ? null : examinationJson(examination),
    ...rest,
  };
}

/** What was offered of an output and judged; the share without a finite bound, and the largest that a verdict allows; what cancels. */
function outputJson(
  { name, offered, judged }: Report["parts"][number],
  allowUnjudged: number,
  conditioning: Report["conditioning"][string] | undefined,
) {
  const unjudged = offered - judged;
  const share = offered === 0 ? null : unjudged / offered;
  const { elements, ill } = conditioning ?? { elements: 0, ill: 0 };
  const illConditioned = elements === 0 ? null : { elements, ill, share: ill / elements };
  return { output: name, offered, judged, unjudged, share, allowUnjudged, illConditioned };
}

function failureJson({ replay, message, worst, evidence }: Failure) {
  const { index, got, want, bound } = worst ?? { index: null, got: null, want: null, bound: null };
  return { replay, message, index, got, want, bound, ...(evidence === undefined ? {} : { evidence }) };
}

function examinationJson(examination: Examination) {
  const { precision } = examination;
  return { ...examination, precision: { summary: summarise(precision) ?? null, outputs: precision } };
}
