// Everything that is examined about a candidate apart from its bound: precision, exactness, relations and hygiene.
import { failureLine } from "./candidates/result.ts";
import type { Operation } from "../reference/operation.ts";
import type { Candidate } from "../reference/candidate.ts";
import { buildCase } from "./campaign.ts";
import { type Case, formatCase } from "./case.ts";
import type { Chosen } from "./choose.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { fuseEvaluations, partsOf } from "./fused.ts";
import { type Hygiene, inspectHygiene } from "./hygiene.ts";
import { measurePrecision, type Precision } from "./precision.ts";
import { LONG, precisionProbes } from "./probes.ts";
import { relationsOf } from "./relations/index.ts";
import type { Outcome, Trial } from "./relations/relation.ts";
import type { Terms } from "./terms.ts";
import { isJudges, judgeProblem } from "./verdict.ts";
import { append } from "../reference/lists.ts";

export interface Exactness {
  /** Elements that must be exact: sums of products of small integers. */
  readonly elements: number;
  readonly exact: number;
}

export interface RelationResult extends Outcome {
  readonly name: string;
  readonly statement: string;
}

export interface Examination {
  readonly op: string;
  /** Each output's class; empty with the reason in `unmeasured`. */
  readonly precision: readonly Precision[];
  readonly unmeasured?: string;
  /** Absent where the op is not a sum of products. */
  readonly exactness?: Exactness;
  readonly relations: readonly RelationResult[];
  /** Absent where the candidate failed before. */
  readonly hygiene?: Hygiene;
  /** What no correct kernel does, a line each. */
  readonly findings: readonly string[];
  /** Lines that show single findings again: lattices and relations. */
  readonly replays: readonly string[];
  /** What a correct kernel may do, and its user should know. */
  readonly notes: readonly string[];
  /** The folder that holds the files of the case at which the candidate failed. */
  readonly evidence?: string;
  readonly ms: number;
}

/** What a candidate promises about its bits. */
export interface Promises {
  /** The candidate does not promise the same bits twice. */
  readonly nondeterministic: boolean;
  /** The candidate promises that its bits do not depend on a row's position: a relation that is only rounded is a finding too. */
  readonly bitwise: boolean;
}

/** The problems that the candidate is examined on. */
export interface Draws {
  readonly seed: number;
  /** The number of terms, roughly, in the longest sums that precision is measured on; 4,096 by default. */
  readonly longest?: number;
}

const LATTICES = 3;

/** Runs all parts; one that makes the candidate fail is a finding, and the next ones are left out. Throws as judge does. */
export async function examine(
  { operation, spec }: Chosen,
  candidate: Candidate,
  terms: Terms,
  { seed, nondeterministic, bitwise, longest = LONG }: Promises & Draws,
): Promise<Examination> {
  const start = performance.now();
  const sizes = spec.ordinary;
  const trial: Trial = { ...terms, operation, spec, candidate, sizes, seed, deterministic: !nondeterministic };
  const findings: string[] = [];
  const notes: string[] = [];
  const replays: string[] = [];
  const relations: RelationResult[] = [];
  let precision: readonly Precision[] = [];
  let unmeasured: string | undefined;
  let exactness: Exactness | undefined;
  let hygiene: Hygiene | undefined;
  let evidence: string | undefined;
  try {
    const evaluations = correctEvaluations(operation);
    const probes = precisionProbes(spec, longest, terms.dtype);
    if (probes.length === 0) unmeasured = "no probe";
    else if (evaluations.length === 0) unmeasured = "nothing in the zoo";
    else {
      const measured = await measurePrecision(candidate, probes, { ...terms, operation, spec, evaluations, seed });
      precision = measured.precision;
      append(
        findings,
        measured.findings.map(
          ({ case: c, change, message }) => `${[formatCase(c), change].filter(Boolean).join(", ")}: ${message}`,
        ),
      );
    }
    if (operation.exact.length > 0) exactness = await latticeExactness(trial, findings, replays);
    for (const { name, statement, run } of relationsOf(operation, spec)) {
      const outcome = await run(trial);
      relations.push({ name, statement, ...outcome });
      const { message, replay } = outcome;
      if (!isFinding(outcome, bitwise)) continue;
      findings.push(`${message}. ${statement}`);
      if (replay !== undefined) replays.push(replay);
    }
    hygiene = await inspectHygiene(trial);
    append(findings, hygiene.findings);
    append(notes, hygiene.notes);
  } catch (error) {
    if (isJudges(error)) throw error;
    findings.push(failureLine(candidate, error));
    evidence = candidate.keep?.();
  }
  return {
    op: operation.name,
    precision,
    ...(unmeasured === undefined ? {} : { unmeasured }),
    ...(exactness === undefined ? {} : { exactness }),
    relations,
    ...(hygiene === undefined ? {} : { hygiene }),
    findings,
    replays,
    notes,
    ...(evidence === undefined ? {} : { evidence }),
    ms: performance.now() - start,
  };
}

/** What no correct kernel does, or what one that promises bits does not. */
export function isFinding({ state }: Outcome, bitwise: boolean): boolean {
  return state === "broken" || (state === "rounded" && bitwise);
}

/** The zoo's evaluations of an op; for a fused op, those of its parts one after the other. */
export function correctEvaluations(operation: Operation): readonly Evaluation[] {
  const parts = partsOf(operation);
  if (parts === undefined) return evaluationsOf(operation.name);
  return fuseEvaluations(parts, correctEvaluations(parts.a), correctEvaluations(parts.b));
}

/** On integers from −4 to 4 every partial sum is exact, in any order. */
async function latticeExactness(trial: Trial, findings: string[], replays: string[]): Promise<Exactness> {
  const { operation, spec, candidate, sizes, seed } = trial;
  let [elements, exact] = [0, 0];
  for (let draw = 0; draw < LATTICES; draw++) {
    const c: Case = { op: spec.op, sizes, profile: "lattice", seed: seed + draw };
    const verdict = await judgeProblem(operation, candidate, buildCase(spec, c, trial.dtype), trial);
    for (const { output, power, outside } of verdict.comparisons) {
      if (!operation.exact.includes(output)) continue;
      elements += power.judged;
      exact += power.judged - outside;
    }
    append(
      findings,
      verdict.findings.map((message) => `${formatCase(c)}: ${message}`),
    );
    if (verdict.findings.length > 0) replays.push(formatCase(c));
  }
  return { elements, exact };
}
