// A campaign of cases against the bound: what it is given, and what is reported of it.
import { operations } from "../reference/ops/index.ts";
import type { JudgeRow } from "./row.ts";
import { savedAgain } from "./saved.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { integer, streamOf } from "../reference/random.ts";
import { aroundBlocks, inBlocks } from "./blocks.ts";
import { type Case, formatCase, type Problem } from "./case.ts";
import type { Finding } from "./compare.ts";
import { type Conditioning, withConditioning } from "./conditioning.ts";
import { type Part, PartSums } from "./conclusion.ts";
import type { Operation } from "../reference/operation.ts";
import type { Deadline } from "./deadline.ts";
import type { CaseWorkers } from "./jobs/workers.ts";
import { improbableInWords, type Suspicion } from "./improbable/suspicion.ts";
import { MOST_TESTS, RUN } from "./improbable/tail.ts";
import { lookingLow } from "./looks-low.ts";
import { countTrees, type TreeUse } from "./sums.ts";
import { SizeRecord, type SizesTried } from "./tried.ts";
import type { Coming } from "./pace.ts";
import { RefusedCases } from "./refusals.ts";
import { type Missed, sumOfMisses } from "./missed.ts";
import { NO_POWER, type Power, type PowerShares, sharesOf, sumOfPowers } from "./power.ts";
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
  /** Those that the candidate did not refuse. */
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
  /** Of each output, in one of eight small cases: elements, and how many cancel so far that no kernel in float32 can be expected to be right. */
  readonly conditioning: Readonly<Record<string, Conditioning>>;
  /** The largest error as a fraction of its bound, its element, and its case. */
  readonly worst: number;
  readonly at: { readonly finding: Finding; readonly replay: string } | undefined;
  readonly ulp: number;
  /** The shares of normal elements at which zero, the neighbour's value, and an error of 1 % would have been rejected, in small cases. */
  readonly power: PowerShares;
  /** The same in large cases, at the elements that were held to a bound; absent where no large case ran. */
  readonly largePower?: PowerShares;
  /** Of each output: with which probability a fault at one place of a large case would have been missed. */
  readonly missed: Readonly<Record<string, Missed>>;
  /** Of each output that is checked as a product: which share of its norm a row must be wrong by to be suspected, at 95 %. */
  readonly smallestRow: Readonly<Record<string, number>>;
  /** What is within its bounds and implausible. */
  readonly improbable: Improbabilities;
  /** What stood out in an output and was within its bounds, with the line that replays it. */
  readonly notes: readonly string[];
  /** The lengths of axes that cases had. */
  readonly sizes: SizesTried;
  /** How many large cases the run was planned with, and how many 100 drawn cases come with. */
  readonly largeCases: { readonly planned: number; readonly all: number };
  /** Of each sum with a declared tree. */
  readonly trees: Readonly<Record<string, TreeUse>>;
  readonly ms: number;
  readonly failures: readonly Failure[];
}

/** The second verdict: elements that err by more than is plausible, under a model of rounding and with a stated probability. */
export interface Improbabilities {
  /** Elements that were held to what is plausible. */
  readonly tests: number;
  /** With which probability a correct kernel would have been suspected at any of them. */
  readonly probability: number;
  /** Those that were suspected, and again on fresh numbers: in words, each with the line that replays it. */
  readonly findings: readonly { readonly message: string; readonly replay: string }[];
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
  /** The share of cases, of probes and of relations, from 0 to 1, that the candidate may refuse; ALLOWED_REFUSED if left out. */
  readonly allowRefused?: number;
  /** Called after each case, with the share of the campaign that is done, from 0 to 1. */
  readonly onCase?: (done: number, share: number) => void;
  /** Called before a case that will take more than ten seconds, at the rate of those before it. */
  readonly onLong?: (coming: Coming) => void;
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

/** In one of so many small cases, evenly drawn, ill-conditioned elements are counted. */
const RATED = 8;

/** How the outputs of a case are compared; the spots of large ones derive from its seed, and what they would have missed. */
export function comparing(row: JudgeRow, c: Case, isLarge = false): Comparing {
  return lookingLow(row, c, isLarge, comparingTo(row, c, isLarge));
}

function comparingTo(row: JudgeRow, c: Case, isLarge: boolean): Comparing {
  const { seed } = c;
  const { around, sampling } = row;
  if (sampling !== undefined && isSampled(row, c)) return atSample(sampling, { seed, counts: isLarge });
  const ofBlocks = aroundBlocks(row, c);
  if (ofBlocks !== undefined) return inBlocks(ofBlocks, { seed, counts: isLarge });
  const isRated = integer(seed, streamOf(formatCase(c)), 0, RATED) === 0;
  const small = isLarge ? allWithMisses(seed) : isRated ? withConditioning : everyElement;
  return around === undefined ? small : atSpots(around, { seed, counts: isLarge, small });
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
  readonly refused = new RefusedCases();
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
  private readonly conditioning: Record<string, Conditioning> = {};
  private readonly notes: string[] = [];
  private readonly trees: Record<string, TreeUse> = {};
  private tests = 0;
  private readonly suspicions: { readonly output: string; readonly message: string; readonly replay: string }[] = [];
  private power = NO_POWER;
  private largePower: Power | undefined;

  constructor({ name, outputs }: Pick<Operation, "name" | "outputs">, { large, sizes }: JudgeRow) {
    this.op = name;
    this.sums = new PartSums(Object.keys(outputs));
    this.tried = new SizeRecord(Object.keys(large?.axes ?? sizes));
  }

  /** Large cases have more elements than all others together, and longer sums: their power is a figure of its own. */
  add(c: Case, { comparisons, fits = {}, refused }: Verdict, isLarge = false): void {
    if (refused !== undefined) return this.refused.refuse(c.sizes, formatCase(c), refused);
    this.cases++;
    this.refused.answer(c.sizes);
    countTrees(this.trees, fits);
    this.tried.add(c.sizes);
    this.sums.add(comparisons);
    for (const comparison of comparisons) this.addOutput(c, comparison, isLarge);
  }

  /** Cases that the candidate was given, the refused ones among them. */
  get offered(): number {
    return this.cases + this.refused.count;
  }

  /** Whether an element of an output was suspected, and again. */
  isSuspected(output: string): boolean {
    return this.suspicions.some((one) => one.output === output);
  }

  suspect(c: Case, suspicion: Suspicion): void {
    const { output } = suspicion;
    this.suspicions.push({ output, message: improbableInWords(suspicion), replay: formatCase(c) });
  }

  note(c: Case, text: string): void {
    this.notes.push(`${text} (${formatCase(c)})`);
  }

  private addOutput(c: Case, comparison: Compared, isLarge: boolean): void {
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
    const { output, smallestRow, note, conditioning, improbable } = comparison;
    if (conditioning !== undefined) {
      const { elements, ill } = this.conditioning[output] ?? { elements: 0, ill: 0 };
      this.conditioning[output] = { elements: elements + conditioning.elements, ill: ill + conditioning.ill };
    }
    if (smallestRow !== undefined) this.smallestRow[output] = Math.max(smallestRow, this.smallestRow[output] ?? 0);
    if (note !== undefined) this.note(c, `${output}: ${note}`);
    this.tests += improbable?.tests ?? 0;
    if (isLarge) this.addLarge(comparison);
    else this.power = sumOfPowers(this.power, comparison.power);
  }

  private addLarge({ output, missed, power }: Compared): void {
    this.largePower = sumOfPowers(this.largePower ?? NO_POWER, power);
    const before = this.missed[output];
    if (missed !== undefined) this.missed[output] = before === undefined ? missed : sumOfMisses(before, missed);
  }

  report(ms: number, failures: readonly Failure[]): Omit<Report, "largeCases"> {
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
      conditioning,
      notes,
      trees,
    } = this;
    const powers = {
      power: sharesOf(this.power),
      ...(this.largePower && { largePower: sharesOf(this.largePower) }),
    };
    const improbable = {
      tests: this.tests,
      probability: (this.tests / MOST_TESTS) * RUN,
      findings: this.suspicions.map(({ message, replay }) => ({ message, replay })),
    };
    const [parts, sizes] = [this.sums.parts(), this.tried.tried()];
    const counts = { op, cases, elements, unjudged, unsampled, withoutTruth, nonFinite, parts };
    return {
      ...counts,
      worst,
      at,
      ulp,
      ...powers,
      missed,
      smallestRow,
      conditioning,
      improbable,
      notes,
      trees,
      sizes,
      ms,
      failures,
    };
  }
}
