// Large cases: one axis as long as in a real model, two at once beyond 2,048, and all at once as far as the work allows.
//
// Kernels go another way from some size on: they take other tiles, vectorise, split sums. A fault on that way shows in a case
// that lies beyond the gate along every axis of it, and a small case never does. Vectorised ways are gated by multiples of
// their width as well, so each axis is long both ways in every check: a multiple of 16, and no multiple of 8.
import * as fc from "fast-check";
import { largest } from "../reference/lists.ts";
import { operations } from "../reference/ops/index.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Around } from "./around.ts";
import type { Case, CaseSpec, Sizes } from "./case.ts";
import type { MadeUp, Profile } from "./profile.ts";

/** The axes that models make long, and what a case of them costs. */
export interface Large<Size extends string = string> {
  /** Each axis with the longest that is drawn of it, or with the lengths that kernels are made for. */
  readonly axes: { readonly [name in Size]?: number | readonly number[] };
  /** The multiplications of a case, roughly, or its elements times what one costs. */
  readonly work: (sizes: Sizes) => number;
  /** Which axes are long at once; each alone, each pair, and all, if left out. */
  readonly together?: readonly Together<NoInfer<Size>>[];
  /** Sizes that are all tried in each check: those for which kernels are compiled one by one. */
  readonly each?: readonly { readonly sizes: Sizes; readonly profile?: MadeUp }[];
  /** Whether an output is a sum whose bound grows with its length, and precision shows where it has few terms. */
  readonly areSums?: boolean;
  /** Whether elements, or rows, depend on no others: then truth and bound come block by block in cases larger than these. */
  readonly isInBlocks?: boolean;
  /** What gives the elements of a block, where it is not the row's `around`. */
  readonly blocks?: Around;
  /** Sizes that go together, of sizes that were drawn one by one. */
  readonly mend?: (sizes: Sizes) => Sizes;
  /** Whether a case of these sizes is tried; all are, if left out. */
  readonly admits?: (sizes: Sizes) => boolean;
}

/** Axes that are long at once. */
export interface Together<Size extends string = string> {
  readonly long: readonly Size[];
  /** The share of the most work that it is worth. */
  readonly share: number;
  /** Sizes that are not drawn. */
  readonly fixed?: Sizes;
  /** The profile of its numbers; drawn if left out. */
  readonly profile?: MadeUp;
}

export type Lengths = number | readonly number[];

/** The most work of a case: 0.3 GFLOP, at two operations a multiplication. */
export const MOST_WORK = 1.5e8;
/** The longest of each kind of axis: of rows and elements more than a grid of workgroups has along one axis. */
export const MOST_ROWS = 65_537;
export const MOST_COLUMNS = 16_400;
export const MOST_CLASSES = 128_256; // Llama 3
export const MOST_POSITIONS = 4_112;
export const MOST_ELEMENTS = 5_000_000;
/** Head sizes of models in use. */
export const HEAD_SIZES = [64, 72, 80, 96, 104, 112, 128, 160, 192, 256] as const;
/** Two axes at once are drawn to a little more than 2,048, where many kernels change their ways. */
const PAIR = 2080;
/** Tiled and vectorised paths run on multiples of their width only: of a vector or a matrix unit, of the tile of a workgroup. */
const ALIGNED = [16, 128] as const;
/** Vectors are at most this wide. */
const VECTOR = 8;
/** Neighbouring cases have seeds this far apart. */
const STRIDE = 7919;

/** The number of drawn cases with which all large cases run. */
export const FULL_RUNS = 100;

/**
 * Two cases for each axis, one for each pair of axes, one for all of them, and those that are tried each time; other sizes for another seed. With fewer than
 * 100 drawn cases as many of the large ones are left out.
 */
export function largeCases(
  spec: CaseSpec & { readonly large: Large | undefined },
  seed: number,
  runs = FULL_RUNS,
): Case[] {
  const { large, op } = spec;
  if (large === undefined) return [];
  const all = bothWays(large.together ?? subsetsOf(Object.keys(large.axes)), seed).map(({ isSum, ...together }, n) => {
    const own = (seed + STRIDE * n) % 0x7fffffff;
    return {
      op,
      sizes: drawSizes(spec, large, together, own),
      profile: profileOf(spec, together, isSum, own),
      seed: own,
    };
  });
  const each = (large.each ?? []).map(({ sizes, profile = "unit" }): Case => ({ op, sizes, profile, seed }));
  const admitted = [...all, ...each].filter(({ sizes }) => large.admits?.(sizes) ?? true);
  const order = (c: Case): number => integer(c.seed, streamOf("large order"), 0, 1 << 30);
  const shares = admitted
    .toSorted((a, b) => order(a) - order(b))
    .slice(0, Math.floor(((all.length + each.length) * runs) / FULL_RUNS));
  const always = (spec.always ?? []).map((sizes, n): Case => ({
    op,
    sizes,
    profile: "unit",
    seed: (seed + n) % 0x7fffffff,
  }));
  return [...shares, ...always];
}

/** Axes that are long at once, and how. */
interface Manner extends Together {
  /** Whether long axes are multiples of a tile, or not even of a vector. */
  readonly isAligned: boolean;
  /** Whether its numbers are such as show a part that is missing from a long sum. */
  readonly isSum: boolean;
}

/**
 * Each axis alone twice, one way with ordinary numbers, the other way with those for sums; axes together the other way, which
 * the seed decides. So every axis has ordinary numbers both ways; an only axis has them twice.
 */
function bothWays(subsets: readonly Together[], seed: number): Manner[] {
  const isAligned = integer(seed, streamOf("large aligned"), 0, 2) === 0;
  const turns = new Map<string, number>();
  let many = 0;
  return subsets.flatMap((together) => {
    if (together.long.length === 1) {
      const isOnly = subsets.every(({ long }) => long.length === 1);
      const { share } = together;
      return [
        { ...together, isAligned, isSum: false },
        { ...together, isAligned: !isAligned, isSum: !isOnly, share: isOnly ? share / 4 : share },
      ];
    }
    const name = together.long.join();
    // Three axes or more go the other way than two of them, and in turn.
    const first = together.long.length > 2 && !turns.has(name) ? ++many : 0;
    const turn = turns.has(name) ? turns.get(name)! + 1 : first;
    turns.set(name, turn);
    return [{ ...together, isAligned: turn % 2 === 0 ? !isAligned : isAligned, isSum: false }];
  });
}

/** Each name alone, each pair, and all. */
export function subsetsOf<Size extends string>(names: readonly Size[]): Together<Size>[] {
  const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]));
  const subsets = [...names.map((name) => [name]), ...pairs, ...(names.length > 2 ? [names] : [])];
  return subsets.map((long) => ({ long, share: 1 }));
}

/** Sizes in which the axes of `long` are as long as the work allows, and the other axes short. */
function drawSizes(
  spec: CaseSpec,
  { axes, work, mend }: Large,
  { long, share, fixed, isAligned }: Omit<Manner, "isSum">,
  seed: number,
): Sizes {
  const pick = (name: string, below: number): number => integer(seed, streamOf(`large ${name}`), 0, below);
  const sizes: Record<string, number | string> = { ...fc.sample(fc.record(spec.sizes), { seed, numRuns: 1 })[0] };
  for (const [name, lengths] of Object.entries(axes) as [string, Lengths][]) {
    // A second row, since the first begins where every row should.
    const short =
      typeof lengths === "object" ? 2 + 2 * pick(name, 3) : isTiled(lengths) ? 2 + pick(name, 3) : 1 + pick(name, 2);
    sizes[name] = longest(lengths, isAligned && isTiled(lengths) ? ALIGNED[0] : short);
  }
  const withLong = (lengthOf: (lengths: Lengths, name: string) => number): Sizes => {
    const drawn = {
      ...sizes,
      ...fixed,
      ...Object.fromEntries(long.map((name) => [name, lengthOf(axes[name]!, name)])),
    };
    return mend?.(drawn) ?? drawn;
  };
  let [low, high] = [1, long.length === 1 ? largest(long.map((name) => longest(axes[name]!))) : PAIR];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (work(withLong((lengths) => longest(lengths, middle))) <= share * MOST_WORK) low = middle;
    else high = middle - 1;
  }
  const tile = ALIGNED[pick("tile", ALIGNED.length)];
  return withLong((lengths, name) =>
    drawLength(lengths, low, isAligned ? tile : undefined, (below) => pick(`long ${name}`, below)),
  );
}

/** The axes of a case that are 0; positions and ids may be. */
export function emptyAxes(
  { large, sizes: all }: Pick<CaseSpec, "sizes"> & { readonly large: Large | undefined },
  sizes: Sizes,
): string[] {
  return Object.keys(large?.axes ?? all).filter((name) => sizes[name] === 0);
}

/** Batches and heads are counted, not tiled. */
export function isTiled(lengths: Lengths): boolean {
  return longest(lengths) >= 256;
}

/** The longest length of an axis that is at most `most`. */
function longest(lengths: Lengths, most = Infinity): number {
  if (typeof lengths === "number") return Math.min(lengths, most);
  const fitting = lengths.filter((length) => length <= most);
  return fitting.at(-1) ?? Math.max(2, 2 * Math.floor(Math.min(most, lengths[0]) / 2)); // head sizes are even
}

/** A length between the last power of two up to `most` and `most` itself, so that a gate at any power of two is passed. */
function drawLength(lengths: Lengths, most: number, tile: number | undefined, pick: (below: number) => number): number {
  if (typeof lengths === "object") {
    const fitting = lengths.filter((length) => length <= most);
    return pick(2) === 0 ? longest(lengths, most) : (fitting[pick(fitting.length)] ?? longest(lengths, most));
  }
  const end = Math.min(lengths, most);
  const power = 2 ** Math.floor(Math.log2(end));
  if (tile !== undefined && isTiled(lengths) && end >= ALIGNED[0]) {
    const width = Math.min(tile, power);
    return power + width * pick(Math.floor((end - power) / width) + 1);
  }
  const drawn = pick(2) === 0 ? power + 1 : power + pick(end - power + 1);
  if (!isTiled(lengths) || end === power) return Math.min(drawn, end);
  return drawn % VECTOR !== 0 ? drawn : drawn < end ? drawn + 1 : drawn - 1;
}

/**
 * Ordinary numbers, and integers where sums are exact. For a long sum one number throughout: numbers of mean 0 add up to hardly
 * more than the bound, so half of them could be missing. For sums that are many and long, some of few terms among them: inputs
 * that are read as TF32 are within the bound of a thousand terms, and not of eight.
 */
function profileOf(
  { op, profiles, large }: CaseSpec & { readonly large: Large | undefined },
  { long, profile: given }: Together,
  isSum: boolean,
  seed: number,
): Profile {
  if (given !== undefined) return given;
  if (long.length > 1 && large?.areSums === true) return "uneven";
  const isExact = (operations.get(op)?.exact.length ?? 0) > 0;
  const usual: readonly Profile[] = isSum ? ["constant"] : ["unit", "unit"];
  const from: readonly Profile[] = isExact ? [...usual, "lattice"] : usual;
  const profile = from[integer(seed, streamOf("large profile"), 0, from.length)];
  return (profiles as readonly Profile[]).includes(profile) ? profile : "unit";
}
