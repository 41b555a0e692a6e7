// Property-testing one candidate against one op: fast-check draws cases, the judge decides, a failure is shrunk to one line.
import fc from "fast-check";
import type { JudgeRow } from "./row.ts";
import { savedAgain } from "./saved.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { type Candidate, Interrupted } from "../reference/candidate.ts";
import { arbitraryCase, type Case, exampleCases, formatCase, longCases, type Problem } from "./case.ts";
import type { Chosen } from "./choose.ts";
import type { Comparison, Finding } from "./compare.ts";
import type { Terms } from "./terms.ts";
import { judgeProblem, type Verdict } from "./verdict.ts";

export interface Failure {
  /** The case, such as "swiglu.forward R=1 F=1 profile=unit seed=17". */
  readonly replay: string;
  /** The failure in words, in one line. */
  readonly message: string;
  /** The worst element; absent where the candidate gave no numbers. */
  readonly worst?: Finding;
  /** The folder that holds the files of the case. */
  readonly evidence?: string;
}

export interface Report {
  readonly op: string;
  readonly cases: number;
  readonly elements: number;
  readonly unjudged: number;
  /** Elements whose truth is infinite or NaN, which are not judged for a target that promises nothing about them. */
  readonly nonFinite: number;
  /** The largest error as a fraction of its bound, its element, and its case. */
  readonly worst: number;
  readonly at: { readonly finding: Finding; readonly replay: string } | undefined;
  readonly ulp: number;
  /** The shares of judged elements at which zero, the neighbour's value, and an error of 1 % would have been rejected. */
  readonly power: { readonly zero: number; readonly neighbour: number; readonly percent: number };
  readonly ms: number;
  readonly failures: readonly Failure[];
}

export interface CampaignPlan {
  /** The number of cases that are drawn in addition to the examples; or seconds to spend. */
  readonly runs: number;
  readonly seconds?: number;
  readonly seed: number;
  /** Called after each case, with the share of the campaign that is done, from 0 to 1. */
  readonly onCase?: (done: number, share: number) => void;
  /** Stops between two cases. */
  readonly signal?: AbortSignal;
  /** The source of inputs for the profile "real", which no case has without it. */
  readonly real?: RealInputs;
}

/** The recorded inputs of an op, those of another instance for another seed; undefined where the op has none. */
export type RealInputs = (op: string, seed: number) => Problem | undefined;

/** Shrinking ends after this many tries or milliseconds, whichever comes first. */
const MOST_SHRINKS = 300;
const SHRINK_MS = 15_000;

/** The inputs of a case, recorded ones for the profile "real". Throws RangeError where the op has none. */
export function buildCase(spec: JudgeRow, c: Case, dtype: DTypeName = "float32", real?: RealInputs): Problem {
  const { profile } = c;
  if (profile !== "real") return { ...spec.build(c.sizes, profile, c.seed, dtype), profile };
  const problem = real?.(c.op, c.seed);
  if (problem === undefined) throw new RangeError(`${c.op} has no recorded inputs`);
  return { ...savedAgain(spec, problem, dtype), profile };
}

/** Runs the examples and the drawn cases until one fails, then shrinks it. */
export async function campaign(
  { operation, spec }: Chosen,
  candidate: Candidate,
  terms: Terms,
  plan: CampaignPlan,
): Promise<Report> {
  const { real } = plan;
  const start = performance.now();
  const tally = new Tally(operation.name);
  const longOnes = longCases(spec, plan.seed);
  const long = new Set(longOnes.map(formatCase));
  let shrinking: { since: number; tries: number; readonly first: Failure } | undefined;
  const judgeCase = async (c: Case): Promise<Verdict | undefined> => {
    try {
      return await judgeProblem(operation, candidate, buildCase(spec, c, terms.dtype, real), terms);
    } catch (error) {
      if (error instanceof Interrupted) return undefined;
      throw error;
    }
  };
  const examples = [...exampleCases(spec, plan.seed), ...longOnes].map((c): [Case] => [c]);
  const share = (): number =>
    plan.seconds === undefined
      ? tally.cases / (examples.length + plan.runs)
      : (performance.now() - start) / (1000 * plan.seconds);
  const timeUp = () => plan.seconds !== undefined && performance.now() - start > 1000 * plan.seconds;
  const property = fc.asyncProperty(arbitraryCase(spec, real?.(spec.op, 0) !== undefined), async (c) => {
    if (plan.signal?.aborted === true) return true;
    if (shrinking !== undefined) {
      // A case that is not tried counts as passing, so shrinking ends with the smallest failure seen so far.
      if (++shrinking.tries > MOST_SHRINKS || performance.now() - shrinking.since > SHRINK_MS) return true;
    } else if (tally.cases > 0 && timeUp()) return true;
    const verdict = await judgeCase(c);
    if (verdict === undefined) return true; // interrupted
    if (shrinking === undefined) {
      tally.add(c, verdict, !long.has(formatCase(c)));
      plan.onCase?.(tally.cases, Math.min(1, share()));
    }
    if (verdict.findings.length === 0) return true;
    shrinking ??= {
      since: performance.now(),
      tries: 0,
      first: failureOf(c, verdict, candidate.keep?.()),
    };
    return false;
  });
  const found = await fc.check(property, {
    seed: plan.seed,
    examples,
    numRuns: examples.length + (plan.seconds === undefined ? plan.runs : 1_000_000),
    ...(plan.seconds === undefined ? {} : { interruptAfterTimeLimit: 1000 * plan.seconds + SHRINK_MS }),
  });
  const { first } = (shrinking ?? {}) as { first?: Failure };
  if (found.errorInstance instanceof Error && found.counterexample !== null && first === undefined) {
    throw found.errorInstance; // the judge itself failed
  }
  const failures: Failure[] = [];
  if (found.counterexample !== null) {
    const [c] = found.counterexample;
    const again = await judgeCase(c);
    // A crash or a race may not come back: then the first failure is the evidence.
    if (again !== undefined && (again.findings.length > 0 || first === undefined)) {
      failures.push(failureOf(c, again, candidate.keep?.()));
    } else if (first !== undefined) {
      const passed = again === undefined ? "" : " (and passed when run again: not deterministic)";
      failures.push({ ...first, message: `${first.message}${passed}` });
    }
  }
  return tally.report(performance.now() - start, failures);
}

/** A verdict's failure with the line that replays it. */
export function failureOf(c: Case, verdict: Verdict, evidence?: string): Failure {
  const outside = verdict.comparisons.filter((comparison) => comparison.outside > 0);
  const worst = outside.toSorted((a, b) => b.worst - a.worst)[0]?.at;
  const message = verdict.findings[0] ?? "no finding";
  return {
    replay: formatCase(c),
    message,
    ...(worst === undefined ? {} : { worst }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** Sums over cases. */
export class Tally {
  cases = 0;
  private readonly op: string;
  private elements = 0;
  private unjudged = 0;
  private nonFinite = 0;
  private worst = 0;
  private at: Report["at"];
  private ulp = 0;
  private readonly rejected = { judged: 0, zero: 0, neighbour: 0, percent: 0 };

  constructor(op: string) {
    this.op = op;
  }

  /** Long cases have more elements than all others together, and plain numbers: they say nothing about the power. */
  add(c: Case, { comparisons }: Verdict, ofPower = true): void {
    this.cases++;
    for (const comparison of comparisons) this.addOutput(c, comparison, ofPower);
  }

  private addOutput(c: Case, comparison: Comparison, ofPower: boolean): void {
    this.elements += comparison.elements;
    this.unjudged += comparison.unjudged;
    this.nonFinite += comparison.nonFinite;
    if (comparison.worst > this.worst && comparison.at !== undefined) {
      this.worst = comparison.worst;
      this.at = { finding: comparison.at, replay: formatCase(c) };
    }
    this.ulp = Math.max(this.ulp, comparison.ulp);
    if (!ofPower) return;
    for (const key of ["judged", "zero", "neighbour", "percent"] as const) this.rejected[key] += comparison.power[key];
  }

  report(ms: number, failures: readonly Failure[]): Report {
    const { op, cases, elements, unjudged, nonFinite, worst, at, ulp } = this;
    const { judged, zero, neighbour, percent } = this.rejected;
    const share = (n: number) => (judged === 0 ? 0 : n / judged);
    const power = { zero: share(zero), neighbour: share(neighbour), percent: share(percent) };
    return { op, cases, elements, unjudged, nonFinite, worst, at, ulp, power, ms, failures };
  }
}
