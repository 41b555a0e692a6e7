// The map of a family: which of its steps give the same bits. Between two neighbouring steps whose bits differ, the step at which they
// change is found by halving.
import { failureLine } from "../candidates/result.ts";
import { isUnsupported, refusalOf } from "../candidates/unsupported.ts";
import type { Sizes } from "../case.ts";
import { isStop } from "../deadline.ts";
import { areSame, countNonFinite, type Distance, distanceOf } from "./distance.ts";
import type { Caller, Computed, Family } from "./family.ts";
import { isJudges } from "../verdict.ts";
import type { Outputs } from "../../reference/operation.ts";

/**
 * Steps one after another that give the same bits: the ends, and those that were tried between them.
 *
 * @example
 * ```ts
 * import type { BitRange } from "touchstone-llama";
 *
 * const vectors: BitRange = { from: 1, to: 1, bits: 0, tried: 1 }; // one row by itself
 * const tiles: BitRange = { from: 2, to: 257, bits: 1, tried: 21 }; // other bits, whatever the number of rows is
 * ```
 */
export interface BitRange {
  readonly from: number;
  readonly to: number;
  /** Ranges with the same number have the same bits; that of the first step is 0. Where each step has a run of its own to equal, 0 if it does and 1 if not. */
  readonly bits: number;
  /** How many steps were tried from one end to the other. */
  readonly tried: number;
}

/**
 * What is known of one family of problems in which some outputs should be the same numbers.
 *
 * @example
 * ```ts
 * import { type BitMap, invariance, ops } from "touchstone-llama";
 *
 * const { maps } = await invariance("swiglu.forward", ops["swiglu.forward"].reference, { sizes: "F=64 R<=9" });
 * const map: BitMap = maps.find(({ relation }) => relation === "number of R")!;
 * map.ranges; // [{ from: 1, to: 9, bits: 0, tried: 7 }]
 * ```
 */
export interface BitMap {
  /** Such as "number of R". */
  readonly relation: string;
  /** In words. */
  readonly statement: string;
  /** What a step counts, such as "R", "ranks" or "queries a piece". */
  readonly counts: string;
  /** The sizes that all steps share. */
  readonly sizes: Sizes;
  readonly outputs: readonly string[];
  /** Whether a kernel that promises bits promises these; the bits of sums of another length, or in parts, nobody does. */
  readonly isPromised: boolean;
  /** Whether each step is compared with another run at the same size, and not with the other steps. */
  readonly isPairwise: boolean;
  /** Whether all bits are the same; undefined of a kernel that does not repeat its own. */
  readonly same?: boolean;
  /** Steps by their bits; empty of a kernel that does not repeat them. */
  readonly ranges: readonly BitRange[];
  /** Elements that were compared, over all steps. */
  readonly compared: number;
  /** Elements that are no finite numbers, or that differ without a finite bound. */
  readonly unjudged: number;
  /** Elements that differ, over all kinds of bits. */
  readonly differing: number;
  /** The most units in the last place between numbers that should be equal. */
  readonly ulps: number;
  /** The largest difference as a share of both allowances; undefined where nothing differs, or nothing that differs has a bound. */
  readonly share?: number;
  /** Where that is: the step, the element and both numbers. */
  readonly worst?: string;
  /** Whether that is beyond both allowances, or a bit that every kernel keeps. */
  readonly isBroken: boolean;
  /** Steps for which there was no time, and those after one at which the kernel failed. */
  readonly untried: readonly number[];
  /** Why the kernel refused a step, in its words: those after it are untried. */
  readonly refused?: string;
  /** Where the kernel gave no numbers, and what it threw. */
  readonly failure?: string;
}

/** The most steps that are tried to find where bits change. */
const MOST_HALVINGS = 24;
/** Of more kinds of bits, no further change is looked for. */
const MOST_KINDS = 6;

/** A failure of the candidate, a deadline or a signal end the map with what it has. Throws what the judge itself throws. */
export async function mapOf(family: Family, caller: Caller): Promise<BitMap> {
  const mapping = new Mapping(family, caller);
  try {
    await mapping.run();
  } catch (error) {
    if (isStop(error)) return mapping.map();
    if (isJudges(error)) throw error;
    if (isUnsupported(error)) return { ...mapping.map(), refused: refusalOf(error).message };
    const failure = `${family.counts} ${mapping.latest}: ${failureLine(caller.trial.candidate, error)}`;
    return { ...mapping.map(), failure };
  }
  return mapping.map();
}

/** The map of all steps. Throws what the candidate throws, and Interrupted and OutOfTime. */
export async function wholeMapOf(family: Family, caller: Caller): Promise<BitMap> {
  const mapping = new Mapping(family, caller);
  await mapping.run();
  return mapping.map();
}

class Mapping {
  private readonly family: Family;
  private readonly caller: Caller;
  /** The first numbers of each kind of bits. */
  private readonly kinds: Outputs[] = [];
  private readonly bits = new Map<number, number>();
  private readonly distances: (Distance & { readonly step: number })[] = [];
  /** The step that was tried last. */
  latest = NaN;
  private isPairwise = false;
  private compared = 0;
  private unjudged = 0;

  constructor(family: Family, caller: Caller) {
    this.family = family;
    this.caller = caller;
  }

  async run(): Promise<void> {
    const { isDense, steps } = this.family;
    for (const step of steps) await this.try(step);
    if (isDense && this.caller.trial.deterministic) await this.halve();
  }

  private async try(step: number): Promise<number> {
    this.latest = step;
    const computed = await this.family.at(step);
    this.unjudged += countNonFinite(computed.got);
    this.isPairwise ||= computed.want !== undefined;
    if (this.isPairwise || this.kinds.length > 0) {
      this.compared += Object.values(computed.got).reduce((n, { data }) => n + data.length, 0);
    }
    const kind = computed.want === undefined ? this.kindOf(step, computed.got) : this.compare(step, computed);
    this.bits.set(step, kind);
    return kind;
  }

  /**
   * Looks for the steps at which bits become such as no smaller step has. Bits that come again, with every eighth row say, have no
   * single step at which they change.
   */
  private async halve(): Promise<void> {
    const gaps = this.gaps();
    for (let tries = 0; tries < MOST_HALVINGS && this.kinds.length <= MOST_KINDS; tries++) {
      const gap = gaps.shift();
      if (gap === undefined) return;
      const [low, high] = gap;
      const middle = Math.floor((low + high) / 2);
      await this.try(middle);
      for (const [a, b] of [
        [low, middle],
        [middle, high],
      ] as const) {
        if (this.isGap(a, b)) gaps.unshift([a, b]);
      }
    }
  }

  map(): BitMap {
    const { family, compared, distances } = this;
    const { deterministic } = this.caller.trial;
    const [worst] = distances.toSorted(
      (a, b) => Number(b.isBeyond) - Number(a.isBeyond) || (b.share ?? 0) - (a.share ?? 0),
    );
    const unbounded = distances
      .filter(({ share }) => share === undefined)
      .reduce((n, { differing }) => n + differing, 0);
    const isKept = family.bits === "kept" && deterministic;
    return {
      relation: family.name,
      statement: family.statement,
      counts: family.counts,
      sizes: family.sizes,
      outputs: family.outputs,
      isPromised: family.bits !== "free",
      isPairwise: this.isPairwise,
      ...(deterministic && { same: distances.length === 0 }),
      ranges: deterministic ? rangesOf(this.bits) : [],
      compared,
      unjudged: Math.min(compared, this.unjudged + unbounded),
      differing: distances.reduce((n, { differing }) => n + differing, 0),
      ulps: distances.reduce((most, { ulps }) => Math.max(most, ulps), 0),
      ...(worst?.share === undefined ? {} : { share: worst.share }),
      ...(worst && { worst: `${family.counts} ${worst.step}: ${worst.message}` }),
      isBroken: distances.some(({ isBeyond }) => isBeyond || isKept),
      untried: family.steps.filter((step) => !this.bits.has(step)),
    };
  }

  /** The kind of bits that an earlier step had, or a new one; new ones are held against the first. */
  private kindOf(step: number, got: Outputs): number {
    const { operation } = this.caller.trial;
    const latest = [...this.bits.values()].at(-1);
    const order = [...this.kinds.keys()].toSorted((a, b) => Number(b === latest) - Number(a === latest));
    const known = order.find((kind) => areSame(operation, this.kinds[kind], got));
    if (known !== undefined) {
      if (sizeIn(got) > sizeIn(this.kinds[known])) this.kinds[known] = got; // more places of the same bits
      return known;
    }
    if (this.kinds.length > 0) this.measure(step, this.kinds[0], got);
    return this.kinds.push(got) - 1;
  }

  /** 0 where the numbers are what they should be, and otherwise 1. */
  private compare(step: number, { got, want = got }: Computed): number {
    return this.measure(step, want, got) ? 1 : 0;
  }

  private measure(step: number, want: Outputs, got: Outputs): boolean {
    const { trial } = this.caller;
    const found = distanceOf(trial.operation, trial, want, got, (common) => this.family.allowed(step, common));
    if (found !== undefined) this.distances.push({ ...found, step });
    return found !== undefined;
  }

  /** Neighbours among the steps between which bits become new. */
  private gaps(): (readonly [number, number])[] {
    const steps = [...this.bits.keys()].toSorted((a, b) => a - b);
    return steps.flatMap((high, i) => (i > 0 && this.isGap(steps[i - 1], high) ? [[steps[i - 1], high] as const] : []));
  }

  private isGap(low: number, high: number): boolean {
    const kind = this.bits.get(high);
    const isNew = ![...this.bits].some(([step, other]) => step < high && other === kind);
    return high - low > 1 && isNew;
  }
}

function sizeIn(outputs: Outputs): number {
  return Object.values(outputs).reduce((n, { data }) => n + data.length, 0);
}

/** Steps in their order, those with the same bits as the one before in one range. */
function rangesOf(bits: ReadonlyMap<number, number>): BitRange[] {
  const ranges: { from: number; to: number; bits: number; tried: number }[] = [];
  for (const [step, kind] of [...bits].toSorted(([a], [b]) => a - b)) {
    const last = ranges.at(-1);
    if (last?.bits === kind) Object.assign(last, { to: step, tried: last.tried + 1 });
    else ranges.push({ from: step, to: step, bits: kind, tried: 1 });
  }
  return ranges;
}

/** The most ranges in words. */
const MOST_RANGES = 32;

/** "R: 1 | 2–8 | 9–257"; with letters for bits where some come again. */
export function rangesInWords({ ranges, isPairwise, counts }: BitMap): string {
  const kinds = new Set(ranges.map(({ bits }) => bits)).size;
  const word = ({ bits }: BitRange): string => {
    if (isPairwise) return bits === 0 ? " same" : " other";
    return kinds < ranges.length ? ` ${letterOf(bits)}` : "";
  };
  const shown = ranges.slice(0, MOST_RANGES).map((range) => `${spanOf(range)}${word(range)}`);
  const rest = ranges.length > MOST_RANGES ? ` | and ${ranges.length - MOST_RANGES} more` : "";
  return `${counts}: ${shown.join(" | ")}${rest}`;
}

/** a, b, …, z, a1, b1, … */
function letterOf(bits: number): string {
  const letter = String.fromCodePoint(97 + (bits % 26));
  return bits < 26 ? letter : `${letter}${Math.floor(bits / 26)}`;
}

/** "9–257". */
export function spanOf({ from, to }: Pick<BitRange, "from" | "to">): string {
  return from === to ? String(from) : `${from}–${to}`;
}

/** "63–65, 127–129, 257": consecutive steps as ranges. */
export function stepsInWords(steps: readonly number[]): string {
  const ranges: { from: number; to: number }[] = [];
  for (const step of steps) {
    const last = ranges.at(-1);
    if (last?.to === step - 1) last.to = step;
    else ranges.push({ from: step, to: step });
  }
  return ranges.map(spanOf).join(", ");
}
