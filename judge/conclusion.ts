// From tallies to a verdict: FAIL beats improbable beats inconclusive beats pass. Whatever judges elements concludes by this one rule.
//
//   FAIL          something was found that no correct kernel does
//   improbable    something was found that a correct kernel does with a stated, tiny probability (judge/improbable)
//   inconclusive  nothing was found, but in some part too little was judged, or the run was interrupted
//   pass          nothing was found, and every part was judged
import type { Operation } from "../reference/operation.ts";
import type { Comparison } from "./compare.ts";
import { NO_POWER, type Power, sumOfPowers } from "./power.ts";
import type { Verdict } from "./verdict.ts";

export type Word = Proved | "improbable";
/** The verdicts of the bounds alone. */
export type Proved = "FAIL" | "inconclusive" | "pass";

/** The share of a part's elements that may lack a finite bound before the part is inconclusive. */
export const ALLOWED_UNJUDGED = 0.1;
/** The share of cases, of probes and of relations that a candidate may refuse before a check is inconclusive. */
export const ALLOWED_REFUSED = 0.5;
/** Bounds that are composed of so many ops widen with each of them, */
const COMPOSED = 3;
/** and must show an error of 1 % at this share of a part's normal elements. */
const LEAST_POWER = 0.5;

/**
 * What was offered to the judge under one name: an output, summed over the cases of a run; a tensor; a shard. Elements that
 * were not sampled, and outputs that were not offered, are no part of it and have words of their own.
 */
export interface Part {
  /** Such as "attention.backward dq, float16". */
  readonly name: string;
  readonly offered: number;
  /**
   * Elements that were held to a finite bound, 0 among them. The others are unjudged: an intermediate may leave the format's
   * range or a function's domain, or the truth is NaN, or infinite while the target promises nothing about that.
   */
  readonly judged: number;
  /** What its bounds would have shown; not known if left out. */
  readonly power?: Power;
  /** Of how many ops its bounds are composed; of one if left out. */
  readonly ops?: number;
}

export interface Tried {
  readonly hasFindings: boolean;
  /** One for each output, tensor or shard that had to be judged. An op of which no case ran has none, or parts of 0 elements. */
  readonly parts: readonly Part[];
  /** From 0 to 1; ALLOWED_UNJUDGED if left out. */
  readonly allowUnjudged?: number | undefined;
  readonly interrupted?: boolean;
  /** What kept the judge itself from going on, such as a full disk. */
  readonly stopped?: string | undefined;
  /** What the run was asked for and has not tried, a line each. */
  readonly gaps?: readonly string[];
}

/** The reason of a run that a signal ended. */
export const INTERRUPTED = "interrupted";

export interface Conclusion<W extends Word = Word> {
  readonly verdict: W;
  /** What keeps the run from being conclusive, a line each; empty for "pass", and for "FAIL" unless it was interrupted or stopped. */
  readonly reasons: readonly string[];
}

/** The one rule. */
export function conclude({
  hasFindings,
  parts,
  allowUnjudged = ALLOWED_UNJUDGED,
  interrupted = false,
  stopped,
  gaps: asked = [],
}: Tried): Conclusion<Proved> {
  const signals = [...(interrupted ? [INTERRUPTED] : []), ...(stopped === undefined ? [] : [`stopped: ${stopped}`])];
  if (hasFindings) return { verdict: "FAIL", reasons: signals };
  const gaps = parts.flatMap((part) => reasonOf(part, allowUnjudged) ?? []);
  const reasons = [...signals, ...(parts.length === 0 ? ["nothing was judged"] : gaps), ...asked];
  return { verdict: reasons.length > 0 ? "inconclusive" : "pass", reasons };
}

/** The same where something implausible may have been found as well: what is proved comes first. */
export function withImprobable(proved: Conclusion<Proved>, isImprobable: boolean): Conclusion {
  return isImprobable && proved.verdict !== "FAIL" ? { verdict: "improbable", reasons: proved.reasons } : proved;
}

/** The conclusion of a run from those of its kernels, fixtures or files; no reason is said twice. */
export function concludeAll(given: readonly Conclusion[], isInterrupted = false): Conclusion {
  const conclusions = [
    ...(isInterrupted ? [{ verdict: "inconclusive", reasons: [INTERRUPTED] } as const] : []),
    ...(given.length === 0 ? [conclude({ hasFindings: false, parts: [] })] : given),
  ];
  const words: readonly Word[] = ["FAIL", "improbable", "inconclusive"];
  const has = (word: Word): boolean => conclusions.some(({ verdict }) => verdict === word);
  return {
    verdict: words.find(has) ?? "pass",
    reasons: [...new Set(conclusions.flatMap(({ reasons }) => reasons))],
  };
}

/** The conclusion of one problem: each output of the op is a part. */
export function concludeProblem(
  { name, outputs }: Pick<Operation, "name" | "outputs">,
  { comparisons, findings, refused }: Verdict,
  allowUnjudged?: number,
): Conclusion<Proved> {
  if (refused !== undefined) return refusedConclusion(name, refused);
  const sums = new PartSums(Object.keys(outputs));
  sums.add(comparisons);
  return conclude({ hasFindings: findings.length > 0, parts: partsUnder(name, sums.parts()), allowUnjudged });
}

/** The conclusion of one problem, or of one relation, that the candidate refused. */
export function refusedConclusion(name: string, reason: string): Conclusion<Proved> {
  return { verdict: "inconclusive", reasons: [`${name}: the candidate refused it: ${reason}`] };
}

function reasonOf(part: Part, allowed: number): string | undefined {
  const { name, offered, judged } = part;
  if (offered === 0) return `${name}: no element was judged`;
  if (judged === 0) return `${name}: none of ${offered} elements has a finite bound`;
  const unjudged = offered - judged;
  if (unjudged / offered <= allowed) return weakness(part);
  return `${name}: ${unjudged} of ${offered} elements have no finite bound (${percent(unjudged / offered)}), expected at most ${percent(allowed)}`;
}

/** That bounds composed of several ops would hardly have shown an error. */
function weakness({ name, power, ops = 1 }: Part): string | undefined {
  if (ops < COMPOSED || power === undefined || power.judged === 0) return undefined;
  const seen = power.percent / power.judged;
  if (seen >= LEAST_POWER) return undefined;
  return `${name}: its bounds are composed of ${ops} ops and would have shown an error of 1 % at ${percent(seen)} of its elements, expected at least ${percent(LEAST_POWER)}`;
}

/** Such as "11.7 %". */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

type Counts = Pick<Comparison, "output" | "elements" | "judged"> & Partial<Pick<Comparison, "power">>;

const nothing = { offered: 0, judged: 0, power: NO_POWER };

/** Sums comparisons by output, over the cases of a run. */
export class PartSums {
  private readonly sums = new Map<string, { offered: number; judged: number; power: Power }>();

  /** Outputs that a run must judge, even if no case comes. */
  constructor(outputs: readonly string[]) {
    for (const output of outputs) this.sums.set(output, nothing);
  }

  add(comparisons: readonly Counts[]): void {
    for (const { output, elements, judged, power = NO_POWER } of comparisons) {
      const before = this.sums.get(output) ?? nothing;
      this.sums.set(output, {
        offered: before.offered + elements,
        judged: before.judged + judged,
        power: sumOfPowers(before.power, power),
      });
    }
  }

  /** The parts, each with its output's name. */
  parts(): Part[] {
    return Array.from(this.sums, ([name, sums]) => ({ name, ...sums }));
  }
}

/** The parts of one thing among several, with bounds composed of so many ops: "dq" becomes "attention.backward dq". */
export function partsUnder(name: string, parts: readonly Part[], ops = 1): Part[] {
  return parts.map((part) => ({ ...part, name: `${name} ${part.name}`, ops }));
}
