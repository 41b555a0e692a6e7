// What the JSON of a run of `check` and of `invariance` have in common.
import { ALLOWED_UNJUDGED, type Conclusion } from "../judge/conclusion.ts";
import { sumsInWords } from "../judge/sums.ts";
import type { Target } from "../reference/targets.ts";
import type { InvarianceOptions } from "./invariance-options.ts";
import { jsonText } from "./output.ts";
import { version } from "./version.ts";

/** A run of a command over ops: what was asked, on what, and what came of it. */
export interface OpsRun<Result, Options extends InvarianceOptions = InvarianceOptions> {
  readonly options: Options;
  readonly seed: number;
  /** What was judged, and on what. */
  readonly where: string;
  readonly target: Target;
  readonly results: readonly Result[];
  readonly conclusion: Conclusion;
  readonly isInterrupted: boolean;
  /** The ops that a signal left out altogether. */
  readonly notStarted: readonly string[];
}

/** The text of the file: the run's terms and its conclusion, then `kernels`. JSON has no infinities and no NaN: such numbers are written as words. */
export function runJson(report: string, run: OpsRun<unknown>, extent: object, kernels: readonly object[]): string {
  const { options, seed, where, target, conclusion, isInterrupted, notStarted } = run;
  const { dtype, outputs, sizes, timeout, nondeterministic = false, bitwise = false } = options;
  return jsonText(
    {
      report,
      version: version(),
      adapter: where,
      dtype,
      ...(outputs === undefined ? {} : { outputs: outputs.split(",").map((name) => name.trim()) }),
      target: target.name,
      declarations: { stores: target.stores ?? {}, sums: sumsInWords(target), nondeterministic, bitwise },
      seed,
      ...extent,
      ...(sizes === undefined ? {} : { sizes }),
      timeout,
      allowUnjudged: allowedOf(options),
      ...conclusion,
      interrupted: isInterrupted,
      notStarted,
      kernels,
    },
    finite,
  );
}

/** The share of an output that may have no finite bound. */
export const allowedOf = ({ allowUnjudged = ALLOWED_UNJUDGED }: InvarianceOptions): number => allowUnjudged;

/** A replacer for `JSON.stringify`. */
export function finite(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
