// What is found of a candidate beside its bound: precision, exactness, relations and hygiene.
import type { DTypeName } from "../../reference/dtype.ts";
import type { Operation } from "../../reference/operation.ts";
import type { Target } from "../../reference/targets.ts";
import type { Candidate } from "../candidates/candidate.ts";
import { type Case, type CaseSpec, formatCase } from "../cases/case.ts";
import { animalsOf } from "../zoo/index.ts";
import { type Hygiene, inspectHygiene } from "./hygiene.ts";
import { measurePrecision, type Precision } from "./precision.ts";
import { ordinarySizes, precisionProbes } from "./probes.ts";
import { relationsOf } from "./relations/index.ts";
import type { Outcome, Trial } from "./relations/relation.ts";
import { isJudges, judge } from "./verdict.ts";

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
  /** Absent where the op is no sum of products. */
  readonly exactness?: Exactness;
  readonly relations: readonly RelationResult[];
  /** Absent where the candidate failed before. */
  readonly hygiene?: Hygiene;
  /** What no correct kernel does, a line each. */
  readonly findings: readonly string[];
  /** What a correct kernel may do, and its user should know. */
  readonly notes: readonly string[];
  /** The folder that holds the files of the case at which the candidate failed. */
  readonly evidence?: string;
  readonly ms: number;
}

export interface Terms {
  readonly dtype: DTypeName;
  readonly seed: number;
  /** The candidate does not promise the same bits twice. */
  readonly nondeterministic: boolean;
  /** The candidate promises that its bits do not depend on where a row stands: what is only rounded is a finding, too. */
  readonly bitwise: boolean;
}

const LATTICES = 3;

/** Runs all parts; one that makes the candidate fail is a finding, and the next ones are left out. Throws as judge does. */
export async function examine(
  operation: Operation,
  spec: CaseSpec,
  candidate: Candidate,
  target: Target,
  { dtype, seed, nondeterministic, bitwise }: Terms,
): Promise<Examination> {
  const start = performance.now();
  const sizes = ordinarySizes(spec);
  const trial: Trial = { operation, spec, candidate, target, dtype, sizes, seed, deterministic: !nondeterministic };
  const findings: string[] = [];
  const notes: string[] = [];
  const relations: RelationResult[] = [];
  let precision: readonly Precision[] = [];
  let unmeasured: string | undefined;
  let exactness: Exactness | undefined;
  let hygiene: Hygiene | undefined;
  let evidence: string | undefined;
  try {
    unmeasured = whyUnmeasured(operation, dtype);
    if (unmeasured === undefined) {
      const probes = precisionProbes(operation.name);
      const measured = await measurePrecision(
        operation,
        spec,
        candidate,
        animalsOf(operation.name),
        probes,
        target,
        seed,
      );
      precision = measured.precision;
      findings.push(...measured.findings.map(({ case: c, message }) => `${formatCase(c)}: ${message}`));
    }
    if (operation.exact.length > 0) exactness = await latticeExactness(trial, findings);
    for (const { name, statement, run } of relationsOf(operation.name)) {
      const outcome = await run(trial);
      relations.push({ name, statement, ...outcome });
      const { state, message } = outcome;
      if (state === "broken" || (state === "rounded" && bitwise)) findings.push(`${message}. ${statement}`);
    }
    hygiene = await inspectHygiene(trial);
    findings.push(...hygiene.findings);
    notes.push(...hygiene.notes);
  } catch (error) {
    if (isJudges(error)) throw error;
    findings.push(`${candidate.name} failed: ${(error as Error).message}`);
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
    notes,
    ...(evidence === undefined ? {} : { evidence }),
    ms: performance.now() - start,
  };
}

function whyUnmeasured(operation: Operation, dtype: DTypeName): string | undefined {
  if (dtype !== "float32") return `${dtype} outputs`;
  if (precisionProbes(operation.name).length === 0) return "no probe";
  return animalsOf(operation.name).length === 0 ? "nothing in the zoo" : undefined;
}

/** On integers from −4 to 4 every partial sum is exact, in any order. */
async function latticeExactness(trial: Trial, findings: string[]): Promise<Exactness> {
  const { operation, spec, candidate, target, dtype, sizes, seed } = trial;
  let [elements, exact] = [0, 0];
  for (let draw = 0; draw < LATTICES; draw++) {
    const c: Case = { op: spec.op, sizes, profile: "lattice", seed: seed + draw };
    const problem = spec.build(sizes, "lattice", c.seed);
    const verdict = await judge(operation, candidate, problem, target, "lattice", dtype);
    for (const { output, power, outside } of verdict.comparisons) {
      if (!operation.exact.includes(output)) continue;
      elements += power.judged;
      exact += power.judged - outside;
    }
    findings.push(...verdict.findings.map((message) => `${formatCase(c)}: ${message}`));
  }
  return { elements, exact };
}
