// What a candidate refused in a check, and what that makes of the verdict: some refusals are listed, too many leave nothing to conclude.
import type { Sizes } from "./case.ts";
import { ALLOWED_REFUSED, percent } from "./conclusion.ts";
import { SizesDone } from "./sizes/supported.ts";

/** How many of some things were refused. */
export interface Share {
  readonly refused: number;
  readonly of: number;
}

/** Cases that were refused for one reason; reasons that differ in numbers alone are one. */
export interface RefusedFor {
  /** In the candidate's words, of the first such case. */
  readonly reason: string;
  readonly cases: number;
  /** The sizes that these cases have and no case that was answered: "HS=1, 2, 3 and 40 more"; absent where there is no such size. */
  readonly sizes?: string;
  /** The line of the first. */
  readonly example: string;
}

/** What a candidate refused in a check. */
export interface Refusals {
  readonly cases: Share;
  /** The parts of the examination. */
  readonly probes: Share;
  readonly relations: Share;
  /** Those with the most cases. */
  readonly reasons: readonly RefusedFor[];
  /** A term of `--sizes` that tells what was answered from what was refused, such as "HS%8=0". */
  readonly term?: string;
  /** Reasons for refusing numbers of sizes of which others were answered. */
  readonly byNumbers: readonly string[];
}

/** So many reasons are kept; a hostile candidate has a new one each time. */
export const MOST_REASONS = 20;
/** So many values of a size are named. */
const MOST_VALUES = 6;

interface Group {
  readonly reason: string;
  readonly example: string;
  readonly sizes: Sizes[];
  /** The sizes whose values all its reasons say, such as HS in "head size 5" with HS=5. */
  named: readonly string[];
}

/** Collects the cases of a search. */
export class RefusedCases {
  count = 0;
  private readonly groups = new Map<string, Group>();
  private readonly answered: Sizes[] = [];
  private readonly done = new SizesDone();

  answer(sizes: Sizes): void {
    this.answered.push(sizes);
    this.done.add(sizes, true);
  }

  refuse(sizes: Sizes, line: string, reason: string): void {
    this.count++;
    this.done.add(sizes, false);
    const wanted = reason.replaceAll(/\d+/g, "0");
    const key = this.groups.has(wanted) || this.groups.size < MOST_REASONS ? wanted : "";
    const first = {
      reason: key === "" ? "other reasons" : reason,
      example: line,
      sizes: [],
      named: Object.keys(sizes),
    };
    const group: Group = this.groups.get(key) ?? first;
    this.groups.set(key, group);
    group.sizes.push(sizes);
    const numbers = new Set(reason.match(/\d+/g));
    group.named = group.named.filter((name) => numbers.has(String(sizes[name])));
  }

  /** Whether a case of these sizes was refused. */
  has(sizes: Sizes): boolean {
    const key = JSON.stringify(sizes);
    return [...this.groups.values()].some((group) => group.sizes.some((one) => JSON.stringify(one) === key));
  }

  get term(): string | undefined {
    return this.count === 0 ? undefined : this.done.term();
  }

  reasons(): RefusedFor[] {
    return [...this.groups.values()].map((group) => this.of(group)).toSorted((a, b) => b.cases - a.cases);
  }

  private of({ reason, example, sizes: all, named }: Group): RefusedFor {
    const sizes = this.naming(all, named);
    return { reason, cases: all.length, ...(sizes !== undefined && { sizes }), example };
  }

  /** The size whose values no answered case has; where there are several one that the reasons name, and the one with the fewest values. */
  private naming(refused: readonly Sizes[], named: readonly string[]): string | undefined {
    const names = Object.keys(refused[0] ?? {}).map((name) => {
      const answered = new Set(this.answered.map((sizes) => sizes[name]));
      const values = [...new Set(refused.map((sizes) => sizes[name]))];
      return { name, values, isTelling: this.answered.length > 0 && !values.some((value) => answered.has(value)) };
    });
    const isNamed = ({ name }: { readonly name: string }): number => Number(named.includes(name));
    const [telling] = names
      .filter(({ isTelling }) => isTelling)
      .toSorted((a, b) => isNamed(b) - isNamed(a) || a.values.length - b.values.length);
    if (telling === undefined) return undefined;
    const values = telling.values.toSorted((a, b) => Number(a) - Number(b));
    const more = values.length > MOST_VALUES ? ` and ${values.length - MOST_VALUES} more` : "";
    return `${telling.name}=${values.slice(0, MOST_VALUES).join(", ")}${more}`;
  }
}

/** What keeps a check from being conclusive, a line each. */
export function refusalReasons(
  op: string,
  { cases, probes, relations, term, byNumbers }: Refusals,
  allowed = ALLOWED_REFUSED,
): string[] {
  const sizes = term === undefined ? "--sizes" : `--sizes '${term}'`;
  const shares = Object.entries({ cases, probes, relations }).flatMap(([what, { refused, of }]) => {
    if (refused === 0 || (refused <= allowed * of && refused < of)) return [];
    return [
      `${op}: refused ${refused} of ${of} ${what} (${percent(refused / of)}), expected at most ${percent(allowed)}`,
    ];
  });
  const hint = shares.length === 0 ? [] : [`${op}: ${sizes} keeps all that is tried to what the kernel supports`];
  return [
    ...shares,
    ...hint,
    ...byNumbers.map((reason) => `${op}: refused numbers of sizes that it answered with others: ${reason}`),
  ];
}

/** "refused 12 of 181 cases: head size 5 (HS=5), …"; nothing where nothing was refused. */
export function refusalsInWords({ cases, probes, relations, reasons }: Refusals): string | undefined {
  const counts = Object.entries({ cases, probes, relations }).flatMap(([what, { refused, of }]) =>
    refused === 0 ? [] : [`${refused} of ${of} ${what}`],
  );
  if (counts.length === 0) return undefined;
  const why = reasons.map(({ reason, cases: n, sizes, example }) => {
    const at = sizes ?? `such as ${example}`;
    return reasons.length === 1 ? `${reason} (${at})` : `${n} × ${reason} (${at})`;
  });
  return `refused ${counts.join(", ")}${why.length === 0 ? "" : `: ${why.join("; ")}`}`;
}
