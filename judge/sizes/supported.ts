// Which sizes a candidate could do, of those that were tried: the smallest term that says so.
import { largest, smallest } from "../../reference/lists.ts";
import type { Sizes } from "../case.ts";
import { isTiled, type Large, type Lengths } from "../large.ts";

/** Lists of more values say little. */
const MOST_VALUES = 4;
/** Kernels ask for multiples of vectors and tiles. */
const MULTIPLES = [2, 4, 8, 16, 32, 64, 128];

/** Sizes of cases for which a candidate gave numbers, and of those for which it gave none. */
export class SizesDone {
  private readonly done: Sizes[] = [];
  private readonly undone: Sizes[] = [];

  /** Recorded inputs have no sizes. */
  add(sizes: Sizes, isDone: boolean): void {
    if (Object.keys(sizes).length === 0) return;
    (isDone ? this.done : this.undone).push(sizes);
  }

  /** What a finding says of sizes; `kept` are the terms that every case obeyed. Empty where nothing points at sizes. */
  inWords(kept: string | undefined): string {
    const { undone } = this;
    const full = this.done.filter((sizes) => !Object.values(sizes).includes(0));
    const isOfSizes =
      undone.length > 0 && full.length > 0 && !undone.some((sizes) => full.some((other) => isSame(sizes, other)));
    if (!isOfSizes) return "";
    const term = this.term();
    if (term === undefined) return "; it could do other sizes: --sizes states what a kernel supports";
    const terms = [...(kept?.split(" ") ?? []).filter((one) => subjectOf(one) !== subjectOf(term)), term].join(" ");
    return `; it could do all sizes with ${term} that were tried, and no others: --sizes '${terms}' if it supports no more`;
  }

  /** A term that all sizes obey that were done, and none of the others; undefined where no single one does. */
  term(): string | undefined {
    const names = Object.keys(this.undone[0] ?? {});
    const kinds = [atMost, multipleOf, atLeast, oneOf];
    for (const kind of kinds) {
      for (const name of names) {
        const [done, undone] = [this.valuesOf(name, this.done), this.valuesOf(name, this.undone)];
        const term = done.length === 0 ? undefined : kind(name, done, undone);
        if (term !== undefined) return term;
      }
    }
    return undefined;
  }

  private valuesOf(name: string, all: readonly Sizes[]): readonly (number | string)[] {
    return [...new Set(all.map((sizes) => sizes[name]))];
  }
}

type Kind = (
  name: string,
  done: readonly (number | string)[],
  undone: readonly (number | string)[],
) => string | undefined;

const numbersOf = (values: readonly (number | string)[]): number[] =>
  values.filter((value): value is number => typeof value === "number");

const atMost: Kind = (name, done, undone) => {
  const most = largest(numbersOf(done));
  return most >= 1 && most < smallest(numbersOf(undone)) && numbersOf(undone).length > 0
    ? `${name}<=${most}`
    : undefined;
};

const atLeast: Kind = (name, done, undone) => {
  const least = smallest(numbersOf(done).filter((length) => length > 0));
  const isBelow = numbersOf(undone).length > 0 && largest(numbersOf(undone)) < least;
  return isBelow && least < Infinity ? `${name}>=${least}` : undefined;
};

/** The smallest multiple that tells them apart. */
const multipleOf: Kind = (name, done, undone) => {
  const lengths = numbersOf(done);
  if (lengths.length === 0 || largest(lengths) === 0) return undefined;
  const n = MULTIPLES.find(
    (one) => lengths.every((x) => x % one === 0) && numbersOf(undone).every((x) => x % one !== 0),
  );
  return n === undefined ? undefined : `${name}%${n}=0`;
};

const oneOf: Kind = (name, done, undone) =>
  done.length <= MOST_VALUES && !done.some((value) => undone.includes(value) || value === 0)
    ? `${name}=${done.join(",")}`
    : undefined;

/** "C<=" of "C<=8": the language takes one term of a kind about a size. */
function subjectOf(term: string): string {
  return /^[A-Za-z0-9.]+(%|<=|>=|<|>|=)/.exec(term)?.[0] ?? term;
}

function isSame(a: Sizes, b: Sizes): boolean {
  return Object.keys(a).every((name) => a[name] === b[name]);
}

/**
 * Sizes that show what a failure has to do with: those of a case without empty axes, with all axes but one short, and with tiled
 * axes at multiples, together and alone.
 */
export function tellingSizes(given: Sizes, large: Large | undefined): Sizes[] {
  const axes = Object.entries(large?.axes ?? {}).filter(([name]) => typeof given[name] === "number");
  const names = axes.map(([name]) => name);
  const tiled = axes.flatMap(([name, lengths]) => (lengths !== undefined && isTiled(lengths) ? [name] : []));
  if (names.length === 0) return [];
  const at = (some: readonly string[], length: number, of: Sizes): Sizes => ({
    ...of,
    ...Object.fromEntries(some.map((name) => [name, length])),
  });
  const full = at(names.filter((name) => given[name] === 0), 2, given); // prettier-ignore
  const short = (some: readonly string[]): Sizes => ({
    ...full,
    ...Object.fromEntries(axes.flatMap(([name, lengths]) => (some.includes(name) ? [[name, shortest(lengths)]] : []))),
  });
  return [
    full,
    short(names),
    ...names.map((name) => short(names.filter((other) => other !== name))),
    ...MULTIPLES.map((length) => at(tiled, length, full)),
    ...(tiled.length < 2 ? [] : tiled.flatMap((name) => [at([name], 16, full), at([name], 128, full)])),
  ];
}

/** Head sizes are even. */
function shortest(lengths: Lengths | undefined): number {
  return typeof lengths === "object" ? 2 : 1;
}
