// A campaign of cases against the bound: what it is given, and what is reported of it.
import { operations } from "../reference/ops/index.ts";
import type { JudgeRow } from "./row.ts";
import { savedAgain } from "./saved.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { type Case, formatCase, type Problem } from "./case.ts";
import type { Finding } from "./compare.ts";
import { type Part, PartSums } from "./conclusion.ts";
import type { Operation } from "../reference/operation.ts";
import type { Deadline } from "./deadline.ts";
import type { CaseWorkers } from "./jobs/workers.ts";
import { SizeRecord, type SizesTried } from "./tried.ts";
import { type Missed, sumOfMisses } from "./missed.ts";
import { atSample, isSampled } from "./sampled.ts";
import { allWithMisses, atSpots } from "./spots.ts";
import { type Compared, type Comparing, everyElement, type Verdict } from "./verdict.ts";
import { problemAtScale } from "./scale-problem.ts";

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
  /** Elements without a finite bound. */
  readonly unjudged: number;
  /** Elements of large outputs that were compared with the truth alone, and not held to a bound. */
  readonly unsampled: number;
  /** Elements of outputs whose truth was taken at a sample only, outside that sample. */
  readonly withoutTruth: number;
  /** The unjudged elements whose truth is infinite or NaN. */
  readonly nonFinite: number;
  /** What was offered of each output, and judged. */
  readonly parts: readonly Part[];
  /** The largest error as a fraction of its bound, its element, and its case. */
  readonly worst: number;
  readonly at: { readonly finding: Finding; readonly replay: string } | undefined;
  readonly ulp: number;
  /** The shares of judged elements at which zero, the neighbour's value, and an error of 1 % would have been rejected. */
  readonly power: { readonly zero: number; readonly neighbour: number; readonly percent: number };
  /** Of each output: with which probability a fault at one place of a large case would have been missed. */
  readonly missed: Readonly<Record<string, Missed>>;
  /** Of each output that is checked as a product: which share of its norm a row must be wrong by to be suspected, at 95 %. */
  readonly smallestRow: Readonly<Record<string, number>>;
  /** What stood out in an output and was within its bounds, with the line that replays it. */
  readonly notes: readonly string[];
  /** The lengths of axes that cases had. */
  readonly sizes: SizesTried;
  readonly ms: number;
  readonly failures: readonly Failure[];
}

export interface CampaignPlan {
  /** The number of cases that are drawn in addition to the examples; where the deadline has a budget, that decides. */
  readonly runs: number;
  readonly seed: number;
  /** The time that is left, and the signal that ends it; neither if left out. */
  readonly deadline?: Deadline;
  /** Milliseconds that a candidate may take for one case, whatever the budget; no limit but its own if left out. */
  readonly timeout?: number;
  /** What the candidate itself keeps to, where `timeout` is left out: shapes of a model for which it is too slow are not tried. */
  readonly patience?: number;
  /** Called after each case, with the share of the campaign that is done, from 0 to 1. */
  readonly onCase?: (done: number, share: number) => void;
  /** The source of inputs for the profile "real", which no case has without it. */
  readonly real?: RealInputs;
  /** Share the judge's own work on cases; all of it is done in this thread if left out. */
  readonly workers?: CaseWorkers;
}

/** The recorded inputs of an op, those of another instance for another seed; undefined where the op has none. */
export type RealInputs = (op: string, seed: number) => Problem | undefined;

/** The inputs of a case, recorded ones for the profile "real". Throws RangeError where the op has none. */
export function buildCase(spec: JudgeRow, c: Case, dtype: DTypeName = "float32", real?: RealInputs): Problem {
  const { profile } = c;
  if (profile === "scale") return { ...problemAtScale(spec, c.sizes, c.seed, dtype), profile };
  if (profile !== "real") return { ...spec.build(c.sizes, profile, c.seed, dtype), profile };
  const problem = real?.(c.op, c.seed);
  if (problem === undefined) throw new RangeError(`${c.op} has no recorded inputs`);
  return { ...savedAgain(operations.get(c.op)!, spec, problem, dtype), profile };
}

/** How the outputs of a case are compared; the spots of large ones derive from its seed, and what they would have missed. */
export function comparing(row: JudgeRow, c: Case, isLarge = false): Comparing {
  const { seed } = c;
  const { around, sampling } = row;
  if (sampling !== undefined && isSampled(row, c)) return atSample(sampling, { seed, counts: isLarge });
  if (around !== undefined) return atSpots(around, { seed, counts: isLarge });
  return isLarge ? allWithMisses(seed) : everyElement;
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
  private readonly sums: PartSums;
  private readonly tried: SizeRecord;
  private elements = 0;
  private unjudged = 0;
  private unsampled = 0;
  private withoutTruth = 0;
  private nonFinite = 0;
  private worst = 0;
  private at: Report["at"];
  private ulp = 0;
  private readonly missed: Record<string, Missed> = {};
  private readonly smallestRow: Record<string, number> = {};
  private readonly notes: string[] = [];
  private readonly rejected = { judged: 0, zero: 0, neighbour: 0, percent: 0 };

  constructor({ name, outputs }: Pick<Operation, "name" | "outputs">, { large, sizes }: JudgeRow) {
    this.op = name;
    this.sums = new PartSums(Object.keys(outputs));
    this.tried = new SizeRecord(Object.keys(large?.axes ?? sizes));
  }

  /** Large cases have more elements than all others together, and plain numbers: they say nothing about the power. */
  add(c: Case, { comparisons }: Verdict, ofPower = true): void {
    this.cases++;
    this.tried.add(c.sizes);
    this.sums.add(comparisons);
    for (const comparison of comparisons) this.addOutput(c, comparison, ofPower);
  }

  private addOutput(c: Case, comparison: Compared, ofPower: boolean): void {
    this.elements += comparison.elements;
    this.unjudged += comparison.unjudged;
    this.unsampled += comparison.unsampled;
    this.withoutTruth += comparison.withoutTruth;
    this.nonFinite += comparison.nonFinite;
    if (comparison.worst > this.worst && comparison.at !== undefined) {
      this.worst = comparison.worst;
      this.at = { finding: comparison.at, replay: formatCase(c) };
    }
    this.ulp = Math.max(this.ulp, comparison.ulp);
    const { output, smallestRow, note } = comparison;
    if (smallestRow !== undefined) this.smallestRow[output] = Math.max(smallestRow, this.smallestRow[output] ?? 0);
    if (note !== undefined) this.notes.push(`${output}: ${note} (${formatCase(c)})`);
    if (!ofPower) return this.addMisses(comparison);
    for (const key of ["judged", "zero", "neighbour", "percent"] as const) this.rejected[key] += comparison.power[key];
  }

  private addMisses({ output, missed }: Compared): void {
    const before = this.missed[output];
    if (missed !== undefined) this.missed[output] = before === undefined ? missed : sumOfMisses(before, missed);
  }

  report(ms: number, failures: readonly Failure[]): Report {
    const {
      op,
      cases,
      elements,
      unjudged,
      unsampled,
      withoutTruth,
      nonFinite,
      worst,
      at,
      ulp,
      missed,
      smallestRow,
      notes,
    } = this;
    const { judged, zero, neighbour, percent } = this.rejected;
    const share = (n: number) => (judged === 0 ? 0 : n / judged);
    const power = { zero: share(zero), neighbour: share(neighbour), percent: share(percent) };
    const [parts, sizes] = [this.sums.parts(), this.tried.tried()];
    const counts = { op, cases, elements, unjudged, unsampled, withoutTruth, nonFinite, parts };
    return { ...counts, worst, at, ulp, power, missed, smallestRow, notes, sizes, ms, failures };
  }
}
