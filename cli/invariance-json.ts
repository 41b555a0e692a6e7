// The maps of a run as JSON.
import { ALLOWED_UNJUDGED, type Conclusion } from "../judge/conclusion.ts";
import type { Invariance } from "../judge/invariance/invariance.ts";
import type { Target } from "../reference/targets.ts";
import { finite } from "./check-json.ts";
import type { InvarianceOptions } from "./invariance-options.ts";
import { sumsInWords } from "../judge/sums.ts";
import { jsonText } from "./output.ts";
import { version } from "./version.ts";

/** A run of `touchstone invariance`. */
export interface InvarianceRun {
  readonly options: InvarianceOptions;
  readonly seed: number;
  readonly where: string;
  readonly target: Target;
  readonly results: readonly Invariance[];
  readonly conclusion: Conclusion;
  readonly isInterrupted: boolean;
  /** The ops that a signal left out altogether. */
  readonly notStarted: readonly string[];
}

/** The text of the file. JSON has no infinities: such numbers are written as words. */
export function invarianceJson(run: InvarianceRun): string {
  const { options, seed, where, target, results, conclusion, isInterrupted, notStarted } = run;
  const { dtype, budget, timeout, sizes, nondeterministic = false, bitwise = false } = options;
  return jsonText(
    {
      report: "touchstone invariance",
      version: version(),
      adapter: where,
      dtype,
      target: target.name,
      declarations: { stores: target.stores ?? {}, sums: sumsInWords(target), nondeterministic, bitwise },
      seed,
      ...(budget === undefined ? {} : { budget }),
      ...(sizes === undefined ? {} : { sizes }),
      timeout,
      allowUnjudged: options.allowUnjudged ?? ALLOWED_UNJUDGED,
      ...conclusion,
      interrupted: isInterrupted,
      notStarted,
      kernels: results.map(kernelJson),
    },
    finite,
  );
}

function kernelJson({ op, conclusion, isInterrupted, isRepeatable, ...rest }: Invariance) {
  const { maps, findings, evidence, untried, runs, ms } = rest;
  const repeatable = isRepeatable ?? null;
  const kept = evidence === undefined ? {} : { evidence };
  return { op, ...conclusion, interrupted: isInterrupted, repeatable, runs, ms, maps, findings, ...kept, untried };
}
