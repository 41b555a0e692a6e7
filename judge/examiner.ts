// Runs the parts of an examination, each on its own, so that a run with little time can choose among them.
import { type Candidate, Unsupported } from "../reference/candidate.ts";
import { append } from "../reference/lists.ts";
import { buildCase } from "./campaign.ts";
import { failureLine } from "./candidates/result.ts";
import { isUnsupported, refusalOf } from "./candidates/unsupported.ts";
import { type Case, formatCase } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { Deadline } from "./deadline.ts";
import {
  correctEvaluations,
  type Draws,
  type Examination,
  type Exactness,
  isFinding,
  type Promises,
  type RelationResult,
} from "./examination.ts";
import { type Bits, type Hygiene, inspectBits, inspectNonFinite, type NonFinite, together } from "./hygiene.ts";
import { measureProbe } from "./precision.ts";
import type { ProbeFinding } from "./probe-draws.ts";
import { precisionOf, type SeenOutput } from "./regimes.ts";
import { LONG, type Probe, precisionProbes } from "./probes.ts";
import { lookForRaces, type Races } from "./races.ts";
import { relationsOf } from "./relations/index.ts";
import { formatRelation, type Relation, type Trial } from "./relations/relation.ts";
import type { Share } from "./refusals.ts";
import type { Setup } from "./sample.ts";
import { secondLook, type Suspicion } from "./second-look.ts";
import type { Terms } from "./terms.ts";
import type { Untried } from "./untried.ts";
import { isJudges, judgeProblem } from "./verdict.ts";

const LATTICES = 3;
/** So many cases where an output looked low are measured. */
const LOOKS = 2;

/** A part that the candidate refused. */
export interface Refused extends Untried {
  readonly reason: string;
}

/** A part of an examination. */
export interface ExaminationPart extends Untried {
  /** Throws what the judge itself throws. Does nothing once the candidate has failed. */
  readonly run: () => Promise<void>;
}

/** Runs all parts; one that makes the candidate fail is a finding, and the next ones are left out. Throws as judge does. */
export async function examine(
  chosen: Chosen,
  candidate: Candidate,
  terms: Terms,
  draws: Promises & Draws,
): Promise<Examination> {
  const examiner = new Examiner(chosen, candidate, terms, draws, new Deadline());
  for (const part of examiner.parts) await part.run();
  return examiner.examination();
}

/** What is seen of a candidate, part by part. */
export class Examiner {
  /** In the order of the report. */
  readonly parts: readonly ExaminationPart[];
  hasBegun = false;
  /** Parts that the candidate refused. */
  readonly refused: Refused[] = [];
  private readonly begun: Untried[] = [];
  private hasFailed = false;
  private readonly candidate: Candidate;
  private readonly trial: Trial;
  private readonly setup: Setup;
  private readonly bitwise: boolean;
  private readonly deadline: Deadline;
  private readonly probes: readonly Probe[];
  private readonly tried = new Set<Probe>();
  private readonly seen: SeenOutput[] = [];
  private readonly findings: string[] = [];
  private readonly notes: string[] = [];
  private readonly replays: string[] = [];
  private readonly relations: RelationResult[] = [];
  private exactness: Exactness | undefined;
  private bits: Bits | undefined;
  private nonFinite: NonFinite | undefined;
  private races: Races | undefined;
  private evidence: string | undefined;
  private ms = 0;

  constructor(
    { operation, spec }: Chosen,
    candidate: Candidate,
    terms: Terms,
    { seed, nondeterministic, bitwise, longest = LONG, isOutside = () => false }: Promises & Draws,
    deadline: Deadline,
  ) {
    const sizes = spec.ordinary;
    this.candidate = candidate;
    const promised = { deterministic: !nondeterministic, bitwise };
    this.trial = { ...terms, operation, spec, candidate, sizes, seed, ...promised, isOutside };
    const evaluations = terms.target.arithmetic === undefined ? correctEvaluations(operation) : []; // classes are those of float32
    this.setup = { ...terms, operation, spec, evaluations, seed, pause: () => deadline.pause() };
    this.bitwise = bitwise;
    this.deadline = deadline;
    this.probes = precisionProbes(spec, longest, terms.dtype);
    this.parts = [
      ...(evaluations.length === 0 ? [] : this.probes.map((probe) => this.ofProbe(probe))),
      ...(operation.exact.length > 0 && terms.target.arithmetic === undefined
        ? [this.part("exactness", operation.name, () => this.tryLattices())]
        : []),
      ...relationsOf(operation, spec).map((relation) => this.ofRelation(relation)),
      this.part("repeatability", operation.name, () => this.tryBits()),
      this.part("NaN and infinity", operation.name, () => this.tryNonFinite()),
      ...(candidate.races === undefined ? [] : [this.part("races", operation.name, () => this.tryRaces())]),
    ];
  }

  /** What has been seen so far. */
  examination(): Examination {
    const { exactness, evidence, bits, nonFinite, races, findings, replays, relations, notes, ms } = this;
    const unmeasured = this.unmeasured();
    return {
      op: this.trial.operation.name,
      precision: precisionOf(this.measured(), this.setup),
      ...(unmeasured === undefined ? {} : { unmeasured }),
      ...(exactness === undefined ? {} : { exactness }),
      relations,
      ...(bits === undefined || nonFinite === undefined ? {} : { hygiene: together(bits, nonFinite) }),
      ...(races === undefined ? {} : { races: seenOf(races) }),
      findings,
      replays,
      notes,
      ...(evidence === undefined ? {} : { evidence }),
      ms,
    };
  }

  /** Something that was found elsewhere, such as when the candidate was closed. */
  find(finding: string): void {
    this.hasBegun = true;
    this.findings.push(finding);
  }

  /** How many parts of a kind were refused, of those that were begun. */
  refusedOf(kind: Untried["part"]): Share {
    const count = (list: readonly Untried[]): number => list.filter(({ part }) => part === kind).length;
    return { refused: count(this.refused), of: count(this.begun) };
  }

  private unmeasured(): string | undefined {
    if (this.probes.length === 0) return "no probe";
    if (this.setup.target.arithmetic !== undefined) return `computed in ${this.setup.target.arithmetic}`;
    if (this.setup.evaluations.length === 0) return "nothing in the zoo";
    if (this.hasFailed) return undefined;
    if (this.tried.size === 0) return this.refusedOf("precision").refused > 0 ? "refused" : "not tried";
    return this.seen.length === 0 ? "no element has a bound" : undefined;
  }

  /** What is known of outputs of which all probes with few rows were tried: some alone would name a class that the others rule out. */
  private measured(): SeenOutput[] {
    const untried = this.probes.filter((probe) => !this.tried.has(probe));
    const left = new Set(untried.filter(({ tiles }) => tiles === undefined).flatMap(({ outputs }) => outputs));
    return this.seen.filter(({ output, probe }) => probe.tiles !== undefined || !left.has(output));
  }

  private part(part: Untried["part"], line: string, run: () => Promise<void>): ExaminationPart {
    return { part, line, run: () => this.try({ part, line }, run) };
  }

  private async try(part: Untried, run: () => Promise<void>): Promise<void> {
    if (this.hasFailed) return;
    const start = this.deadline.now();
    try {
      await this.deadline.pause();
      this.hasBegun = true;
      this.begun.push(part);
      await run();
    } catch (error) {
      if (isJudges(error)) throw error;
      if (isUnsupported(error)) return void this.refused.push({ ...part, reason: refusalOf(error).message });
      this.hasFailed = true;
      this.findings.push(failureLine(this.candidate, error));
      this.evidence = this.candidate.keep?.();
    } finally {
      this.ms += this.deadline.now() - start;
    }
  }

  /** Measures outputs where they looked low, unless they are known to be. */
  secondLooks(low: readonly Suspicion[]): ExaminationPart[] {
    if (this.setup.evaluations.length === 0) return [];
    const known = precisionOf(this.measured(), this.setup).filter((p) => ![p.class, ...p.between].includes("float32"));
    return [...new Set(low.map(({ output }) => output))]
      .filter((output) => known.every((p) => p.output !== output))
      .flatMap((output) => low.filter((one) => one.output === output).slice(0, LOOKS))
      .map((one) =>
        this.part("precision", formatCase({ ...one.case, profile: "unit" }), async () => {
          const look = secondLook(this.setup, one);
          if (look !== undefined) append(this.seen, await measureProbe(this.candidate, look.probe, look.setup, []));
        }),
      );
  }

  private ofProbe(probe: Probe): ExaminationPart {
    const { operation, seed } = this.trial;
    const { sizes, profile = "unit", change } = probe;
    return this.part("precision", probeLine({ op: operation.name, sizes, profile, seed }, change?.name), async () => {
      const found: ProbeFinding[] = [];
      try {
        append(this.seen, await measureProbe(this.candidate, probe, this.setup, found));
        this.tried.add(probe);
      } finally {
        append(
          this.findings,
          found.map(({ case: c, change: name, message }) => `${probeLine(c, name)}: ${message}`),
        );
      }
    });
  }

  private ofRelation({ name, statement, run }: Relation): ExaminationPart {
    const { spec, sizes, seed } = this.trial;
    const line = formatRelation({ op: spec.op, sizes, profile: "unit", seed }, name);
    return this.part("relation", line, async () => {
      const outcome = await run(this.trial);
      this.relations.push({ name, statement, ...outcome });
      const { message, replay } = outcome;
      if (!isFinding(outcome, this.bitwise)) return;
      this.findings.push(`${message}. ${statement}`);
      if (replay !== undefined) this.replays.push(replay);
    });
  }

  /** On integers from −4 to 4 every partial sum is exact, in any order. */
  private async tryLattices(): Promise<void> {
    const { operation, spec, candidate, sizes, seed, dtype } = this.trial;
    let [elements, exact] = [0, 0];
    for (let draw = 0; draw < LATTICES; draw++) {
      const c: Case = { op: spec.op, sizes, profile: "lattice", seed: seed + draw };
      const verdict = await judgeProblem(operation, candidate, buildCase(spec, c, dtype), this.trial);
      if (verdict.refused !== undefined) throw new Unsupported(verdict.refused);
      for (const { output, judged, outside } of verdict.comparisons) {
        if (!operation.exact.includes(output)) continue;
        elements += judged;
        exact += judged - outside;
      }
      append(
        this.findings,
        verdict.findings.map((message) => `${formatCase(c)}: ${message}`),
      );
      if (verdict.findings.length > 0) this.replays.push(formatCase(c));
    }
    this.exactness = { elements, exact };
  }

  private async tryBits(): Promise<void> {
    this.bits = await inspectBits(this.trial);
    this.note(this.bits);
  }

  private async tryNonFinite(): Promise<void> {
    this.nonFinite = await inspectNonFinite(this.trial);
    this.note(this.nonFinite);
  }

  private async tryRaces(): Promise<void> {
    const races = await lookForRaces(this.candidate.races!, this.trial, () => this.deadline.now());
    this.races = races;
    const others = this.findings.splice(0); // what else was found may come of races
    append(this.findings, races.findings);
    append(this.findings, others);
    append(this.notes, races.notes);
    append(this.replays, races.replays);
  }

  private note({ findings, notes }: Pick<Hygiene, "findings" | "notes">): void {
    append(this.findings, findings);
    append(this.notes, notes);
  }
}

function seenOf({ workgroups, cases, found, stopped }: Races): NonNullable<Examination["races"]> {
  return { workgroups, cases, found, ...(stopped === undefined ? {} : { stopped }) };
}

function probeLine(c: Case, change: string | undefined): string {
  return [formatCase(c), change].filter(Boolean).join(", ");
}
