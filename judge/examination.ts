// Everything that is examined about a candidate apart from its bound: precision, exactness, relations and hygiene.
import type { Operation } from "../reference/operation.ts";
import { conclude, type Conclusion } from "./conclusion.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { fuseEvaluations, partsOf } from "./fused.ts";
import type { Hygiene } from "./hygiene.ts";
import type { Races } from "./races.ts";
import type { Precision } from "./regimes.ts";
import type { Outcome, Relation } from "./relations/relation.ts";

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
  /** The class of each output of which all probes were tried; empty with the reason in `unmeasured`. */
  readonly precision: readonly Precision[];
  readonly unmeasured?: string;
  /** Absent where the op is not a sum of products, and where this was not tried. */
  readonly exactness?: Exactness;
  readonly relations: readonly RelationResult[];
  /** Absent where the candidate failed before, and where this was not tried. */
  readonly hygiene?: Hygiene;
  /** Absent where nothing can be seen of the candidate's workgroups, where it failed before, and where this was not tried. */
  readonly races?: Pick<Races, "workgroups" | "cases" | "found" | "stopped">;
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
  /** Whether a case has shown the candidate outside its bounds by now; never, if left out. */
  readonly isOutside?: () => boolean;
}

/** What no correct kernel does, or what one that promises bits does not. */
export function isFinding({ state }: Outcome, bitwise: boolean): boolean {
  return state === "broken" || (state === "rounded" && bitwise);
}

/** The conclusion of one relation that was tried alone: its elements are the one part. */
export function concludeRelation(
  { name }: Relation,
  outcome: Outcome,
  { bitwise, allowUnjudged }: { readonly bitwise: boolean; readonly allowUnjudged: number | undefined },
): Conclusion {
  const { compared: offered, unjudged } = outcome;
  const parts = [{ name, offered, judged: offered - unjudged }];
  return conclude({ hasFindings: isFinding(outcome, bitwise), parts, allowUnjudged });
}

/** The zoo's evaluations of an op; for a fused op, those of its parts one after the other. */
export function correctEvaluations(operation: Operation): readonly Evaluation[] {
  const parts = partsOf(operation);
  if (parts === undefined) return evaluationsOf(operation.name);
  return fuseEvaluations(parts, correctEvaluations(parts.a), correctEvaluations(parts.b));
}
