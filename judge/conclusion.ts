// From tallies to a verdict: FAIL beats inconclusive beats pass. Whatever judges elements concludes by this one rule.
//
//   FAIL          something was found that no correct kernel does
//   inconclusive  nothing was found, but in some part too little was judged, or the run was interrupted
//   pass          nothing was found, and every part was judged
import type { Comparison } from "./compare.ts";

export type Word = "FAIL" | "inconclusive" | "pass";

/** The share of a part's elements that may lack a finite bound before the part is inconclusive. */
export const ALLOWED_UNJUDGED = 0.1;

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
   * range or a function's domain, or the truth is infinite or NaN and the target promises nothing about those.
   */
  readonly judged: number;
}

export interface Tried {
  readonly hasFindings: boolean;
  /** One for each output, tensor or shard that had to be judged. An op of which no case ran has none, or parts of 0 elements. */
  readonly parts: readonly Part[];
  /** From 0 to 1; ALLOWED_UNJUDGED if left out. */
  readonly allowUnjudged?: number;
  readonly interrupted?: boolean;
}

export interface Conclusion {
  readonly verdict: Word;
  /** What keeps the run from being conclusive, a line each; empty for "pass". A FAIL may have reasons too. */
  readonly reasons: readonly string[];
}

/** The one rule. */
export function conclude({ hasFindings, parts, allowUnjudged, interrupted = false }: Tried): Conclusion {
  const reasons = [
    ...(interrupted ? ["interrupted"] : []),
    ...(parts.length === 0 ? ["nothing was judged"] : []),
    ...parts.flatMap((part) => reasonOf(part, allowUnjudged ?? ALLOWED_UNJUDGED) ?? []),
  ];
  return { verdict: hasFindings ? "FAIL" : reasons.length > 0 ? "inconclusive" : "pass", reasons };
}

/** The conclusion of a run from those of its kernels, fixtures or files; no reason is said twice. */
export function concludeAll(conclusions: readonly Conclusion[]): Conclusion {
  if (conclusions.length === 0) return conclude({ hasFindings: false, parts: [] });
  const has = (word: Word): boolean => conclusions.some(({ verdict }) => verdict === word);
  return {
    verdict: has("FAIL") ? "FAIL" : has("inconclusive") ? "inconclusive" : "pass",
    reasons: [...new Set(conclusions.flatMap(({ reasons }) => reasons))],
  };
}

function reasonOf({ name, offered, judged }: Part, allowed: number): string | undefined {
  if (offered === 0) return `${name}: no element was judged`;
  if (judged === 0) return `${name}: none of ${offered} elements has a finite bound`;
  const unjudged = offered - judged;
  if (unjudged / offered <= allowed) return undefined;
  return `${name}: ${unjudged} of ${offered} elements have no finite bound (${percent(unjudged / offered)}), expected at most ${percent(allowed)}`;
}

/** Such as "11.7 %". */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** Sums comparisons by output, over the cases of a run. */
export class PartSums {
  private readonly sums = new Map<string, { offered: number; judged: number }>();

  /** Outputs that a run must judge, even if no case comes. */
  constructor(outputs: readonly string[]) {
    for (const output of outputs) this.sums.set(output, { offered: 0, judged: 0 });
  }

  add(comparisons: readonly Pick<Comparison, "output" | "elements" | "judged">[]): void {
    for (const { output, elements, judged } of comparisons) {
      const before = this.sums.get(output) ?? { offered: 0, judged: 0 };
      this.sums.set(output, { offered: before.offered + elements, judged: before.judged + judged });
    }
  }

  /** The parts, their names after `of`, such as an op. */
  parts(of = ""): Part[] {
    return Array.from(this.sums, ([output, { offered, judged }]) => ({
      name: of === "" ? output : `${of} ${output}`,
      offered,
      judged,
    }));
  }
}
