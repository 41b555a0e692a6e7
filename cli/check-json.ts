// The results of a check as JSON.
import type { Failure, Report } from "../judge/campaign.ts";
import type { Checked } from "../judge/check.ts";
import { ALLOWED_UNJUDGED, type Conclusion } from "../judge/conclusion.ts";
import type { Examination } from "../judge/examination.ts";
import { summarise } from "../judge/regimes.ts";
import type { Target } from "../reference/targets.ts";
import { type CheckOptions, DEFAULT_RUNS } from "./check-options.ts";
import { sumsInWords } from "../judge/sums.ts";
import { jsonText } from "./output.ts";
import { version } from "./version.ts";

/** A run of `touchstone check`. */
export interface CheckRun {
  readonly options: CheckOptions;
  readonly seed: number;
  /** What was checked, and on what. */
  readonly where: string;
  readonly target: Target;
  readonly results: readonly Checked[];
  readonly conclusion: Conclusion;
  readonly isInterrupted: boolean;
  /** The ops that a signal left out altogether. */
  readonly notStarted: readonly string[];
}

/** The text of the file. JSON has no infinities and no NaN: such numbers are written as words. */
export function checkJson(run: CheckRun): string {
  const { options, seed, where, target, results, conclusion, isInterrupted, notStarted } = run;
  const { dtype, runs = DEFAULT_RUNS, budget, timeout, nondeterministic = false, bitwise = false } = options;
  const allowUnjudged = options.allowUnjudged ?? ALLOWED_UNJUDGED;
  return jsonText(
    {
      report: "touchstone check",
      version: version(),
      adapter: where,
      dtype,
      target: target.name,
      declarations: { stores: target.stores ?? {}, sums: sumsInWords(target), nondeterministic, bitwise },
      seed,
      ...(budget === undefined ? { runs } : { budget }),
      ...(options.sizes === undefined ? {} : { sizes: options.sizes }),
      timeout,
      allowUnjudged,
      ...conclusion,
      interrupted: isInterrupted,
      notStarted,
      kernels: results.map((result) => kernelJson(result, allowUnjudged)),
    },
    finite,
  );
}

/** A replacer for `JSON.stringify`. */
export function finite(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
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
