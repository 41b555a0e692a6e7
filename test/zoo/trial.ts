// A default check of one faulty kernel, part by part: which parts find the fault, after how many cases, and what the tolerances of
// other suites say on the same cases.
import * as fc from "fast-check";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { arbitraryCase, type Case, exampleCases, formatCase, type Problem } from "../../judge/case.ts";
import { choose, type Chosen } from "../../judge/choose.ts";
import type { Finding } from "../../judge/compare.ts";
import { Deadline } from "../../judge/deadline.ts";
import { type ExaminationPart, Examiner } from "../../judge/examiner.ts";
import { improbableInWords, type Suspicion, suspicionsIn } from "../../judge/improbable/suspicion.ts";
import { largeCases } from "../../judge/large.ts";
import { NO_POWER, sharesOf, sumOfPowers } from "../../judge/power.ts";
import { Outliers } from "../../judge/projection/outliers.ts";
import { judgeProblem, roundProblem, truth, type Verdict } from "../../judge/verdict.ts";
import { realInputs } from "../../judge/real.ts";
import type { Suspicion as LooksLow } from "../../judge/second-look.ts";
import type { Candidate, CandidateResult } from "../../reference/candidate.ts";
import { ruledBy, type RuleName } from "./rules.ts";
import type { Subject } from "./subject.ts";

/** A part of the verdict that finds a fault. */
export type Part =
  | "bound"
  | "outlier"
  | "projection"
  | "suspect"
  | "probe"
  | "lattice"
  | "relation"
  | "repeat"
  | "NaN"
  | "precision"
  | "improbable"
  | "complaint"
  | "crash"
  | "note";

/** rejected: FAIL or improbable. named: the check passes, but names a precision that is not float32's, or notes that NaN comes through a mask. */
export type Outcome = "rejected" | "named" | "passes";

export interface Trial {
  readonly id: string;
  readonly outcome: Outcome;
  /** The parts that find it, in the order of a check. */
  readonly parts: readonly Part[];
  /** The number of the first case that finds it, and 0 where none does. */
  readonly cases: number;
  /** The share of the elements in the cases up to there at which an error of 1 % would have been seen. */
  readonly power: number;
  /** What the first part to find it says. */
  readonly finding: string;
  /** The class of its precision, where that is not float32. */
  readonly precision?: string;
  /** Whether each rule rejects it; those that say nothing of it are left out. */
  readonly rules: Partial<Record<RuleName, boolean>>;
  readonly seconds: number;
}

/** Multiplications of a truth that is taken for the rules. */
const MOST_TRUTH = 3e8;

export interface Plan {
  readonly seed: number;
  readonly runs: number;
  /** Whether parts that come after the first finding are tried, too. */
  readonly isWhole: boolean;
}

/** Keeps what the kernel gave last. */
class Watched implements Candidate {
  readonly name: string;
  last: CandidateResult | undefined;
  private readonly inner: Candidate;
  constructor(inner: Candidate) {
    this.inner = inner;
    this.name = inner.name;
  }
  async run(...given: Parameters<Candidate["run"]>): Promise<CandidateResult> {
    this.last = undefined;
    return (this.last = await this.inner.run(...given));
  }
}

/** The cases of a check in its order: examples, large ones, drawn ones. */
export function casesOf({ spec }: Chosen, { target }: Subject["terms"], { seed, runs }: Plan): Case[] {
  const drawn = arbitraryCase(spec, realInputs(spec.op, 0) !== undefined);
  return [
    ...exampleCases(spec, seed, target),
    ...largeCases(spec, seed, runs),
    ...fc.sample(drawn, { seed, numRuns: runs }),
  ];
}

/** Tries one fault. */
export async function tryFault(subject: Subject, plan: Plan): Promise<Trial> {
  const start = performance.now();
  const [chosen] = choose([subject.op]);
  const candidate = new Watched(await subject.candidate());
  const searched = await search(subject, chosen, plan, candidate);
  const parts: Part[] = searched.part === undefined ? [] : [searched.part];
  let [finding, precision] = [searched.finding, ""];
  if (plan.isWhole || parts.length === 0) {
    const examined = await examine(subject, chosen, plan, candidate, searched.low);
    parts.push(...examined.parts);
    precision = examined.precision;
    if (finding === "") ({ finding } = examined);
  }
  const isRejected = parts.some((part) => part !== "precision" && part !== "note");
  return {
    id: subject.id,
    outcome: isRejected ? "rejected" : parts.length > 0 ? "named" : "passes",
    parts: [...new Set(parts)],
    cases: searched.cases,
    power: Number(searched.power.toFixed(3)),
    finding: finding.slice(0, 160),
    ...(precision !== "" && { precision }),
    rules: searched.rules,
    seconds: Number(((performance.now() - start) / 1000).toFixed(1)),
  };
}

interface Searched extends Pick<Trial, "cases" | "power" | "finding" | "rules"> {
  readonly part: Part | undefined;
  /** Outputs that looked coarser than float32, and where. */
  readonly low: readonly LooksLow[];
}

/** The cases up to the first that fails; the rules see the small ones after it as well. */
async function search(subject: Subject, chosen: Chosen, plan: Plan, candidate: Watched): Promise<Searched> {
  const { operation, spec } = chosen;
  const { terms } = subject;
  const large = new Set(largeCases(spec, plan.seed).map(formatCase));
  let found: { readonly part: Part; readonly finding: string; readonly n: number } | undefined;
  let power = NO_POWER;
  const low: LooksLow[] = [];
  const tried = new Set<string>();
  const rejecting = new Map<RuleName, boolean>();
  for (const [n, c] of casesOf(chosen, terms, plan).entries()) {
    const isLarge = large.has(formatCase(c));
    if (found !== undefined && (isLarge || areDecided(rejecting))) continue;
    const problem = roundProblem(operation, buildCase(spec, c, terms.dtype, realInputs), terms.dtype);
    let fails = false;
    if (found === undefined) {
      const verdict = await judgeProblem(operation, candidate, problem, terms, comparing(spec, c, isLarge));
      for (const one of verdict.comparisons) power = sumOfPowers(power, one.power);
      fails = verdict.findings.length > 0;
      if (fails)
        found = { part: partOf(chosen, verdict, c, problem, candidate), finding: verdict.findings[0], n: n + 1 };
      for (const { output, looksLow } of verdict.comparisons) if (looksLow) low.push({ case: c, output });
      const [odd] = fails ? [] : suspicionsIn(verdict);
      if (odd !== undefined && !tried.has(odd.output) && (await isImprobable(subject, chosen, c, odd, candidate)))
        found = { part: "improbable", finding: improbableInWords(odd), n: n + 1 };
      if (odd !== undefined) tried.add(odd.output);
    } else await candidate.run(problem.inputs, problem.scalars).catch(() => undefined);
    if (terms.dtype !== "float32" || (isLarge && !fails) || workOf(chosen, c) > MOST_TRUTH) continue;
    const got = candidate.last?.outputs ?? {};
    for (const [name, isRejected] of Object.entries(ruledBy(subject.op, problem, got, truth(operation, problem))))
      if (isRejected !== undefined)
        rejecting.set(name as RuleName, isRejected || rejecting.get(name as RuleName) === true);
  }
  const { part, finding = "", n = 0 } = found ?? { part: undefined };
  return { part, low, finding, cases: n, power: sharesOf(power).percent, rules: Object.fromEntries(rejecting) };
}

/** Recorded inputs are small. */
const workOf = ({ spec }: Chosen, { profile, sizes }: Case): number =>
  profile === "real" ? 0 : (spec.large?.work(sizes) ?? 0);

const areDecided = (rejecting: ReadonlyMap<RuleName, boolean>): boolean =>
  rejecting.size > 0 && [...rejecting.values()].every(Boolean);

/** What is implausible counts where it comes again on fresh numbers, as in a check (judge/search.ts). */
async function isImprobable(
  { terms }: Subject,
  { operation, spec }: Chosen,
  c: Case,
  { output }: Suspicion,
  candidate: Candidate,
): Promise<boolean> {
  for (let k = 1; k <= 2; k++) {
    const again = { ...c, seed: (c.seed + k) % 0x7fffffff };
    const verdict = await judgeProblem(
      operation,
      candidate,
      buildCase(spec, again, terms.dtype, realInputs),
      terms,
      comparing(spec, again),
    );
    if (suspicionsIn(verdict).some((one) => one.output === output)) return true;
  }
  return false;
}

/** Which part of a case's verdict has the finding. */
function partOf({ spec }: Chosen, verdict: Verdict, c: Case, problem: Problem, candidate: Watched): Part {
  if (verdict.gaveNothing === true) return "crash";
  const worst = verdict.comparisons.find(({ outside, at }) => outside > 0 && at !== undefined);
  if (worst === undefined) return "complaint";
  if (worst.withoutTruth + worst.unsampled === 0) return "bound";
  const got = candidate.last!.outputs[worst.output];
  const i = flatIndex(worst.at!, got.shape);
  if (worst.withoutTruth === 0) return "suspect";
  if (spec.sampling?.draw(problem, worst.output, got.shape, c.seed).includes(i) === true) return "bound";
  return new Outliers(got, c.seed).suspects.includes(i) ? "outlier" : "projection";
}

const flatIndex = ({ index }: Finding, shape: readonly number[]): number =>
  index.reduce((at, i, axis) => at * shape[axis] + i, 0);

/** The parts of an examination that have findings, and the class of precision. */
async function examine(
  { terms }: Subject,
  chosen: Chosen,
  { seed }: Plan,
  candidate: Candidate,
  low: readonly LooksLow[],
): Promise<{ readonly parts: readonly Part[]; readonly precision: string; readonly finding: string }> {
  const draws = { seed, nondeterministic: false, bitwise: false };
  const examiner = new Examiner(chosen, candidate, terms, draws, new Deadline());
  const parts: Part[] = [];
  const run = async (part: ExaminationPart): Promise<void> => {
    const before = examiner.examination().findings.length;
    await part.run();
    if (examiner.examination().findings.length > before) parts.push(words[part.part] ?? "crash");
  };
  for (const part of examiner.parts) await run(part);
  for (const part of examiner.secondLooks(low)) await run(part);
  const { precision, findings, notes } = examiner.examination();
  const coarse = precision.filter((one) => ![one.class, ...one.between].includes("float32"));
  if (coarse.length > 0) parts.push("precision");
  const leaks = notes.filter((note) => note.includes("NaN comes through"));
  if (leaks.length > 0) parts.push("note");
  const named = coarse.map(
    ({ output, class: name, between }) => `${output}: ${between.length > 0 ? between.join(" or ") : name}`,
  );
  return { parts, precision: named.join("; "), finding: findings[0] ?? named[0] ?? leaks[0] ?? "" };
}

const words: Readonly<Record<string, Part>> = {
  precision: "probe",
  exactness: "lattice",
  relation: "relation",
  repeatability: "repeat",
  "NaN and infinity": "NaN",
};
