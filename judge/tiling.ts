// How the sizes of drawn cases are brought to where tiles and vectors end.
//
// Tiled and vectorised paths run on multiples of their width alone, and three axes are all multiples of 16 in one of 4,096
// drawn cases. So a quarter of the cases has each tiled axis as a multiple of 16, and an eighth has each one at an edge where
// kernels change their ways. All others are as they were drawn, and a failure shrinks towards those.
import * as fc from "fast-check";
import type { Sizes } from "./case.ts";
import { isTiled, type Lengths } from "./large.ts";

/** What kernels do with the axes of an op. */
export interface Tiling {
  /** The axes that are cut into tiles or read as vectors, each with its lengths at edges, ascending. */
  readonly tiled: Readonly<Record<string, readonly number[]>>;
  /** Batches and heads. */
  readonly counted: readonly string[];
}

const TILE = 16;
/** A power of two, one less, and one more. */
const EDGES = [8, 16, 32, 64, 128, 256, 512, 1024, 2048].flatMap((power) => [power - 1, power, power + 1]);
/** How short an axis becomes where another is long. */
const SHORT = [2, 3];
/** The most that the lengths of a case at edges multiply to, so that it takes a few milliseconds. */
const MOST = 20_000;
const WAYS = ["drawn", "drawn", "drawn", "drawn", "drawn", "edges", "aligned", "aligned"] as const;

export function tilingOf(axes: Readonly<Record<string, Lengths | undefined>>): Tiling {
  const lengths = Object.entries(axes) as [string, Lengths][];
  const tiled = lengths.filter(([, of]) => isTiled(of));
  return {
    tiled: Object.fromEntries(tiled.map(([name, of]) => [name, edgesOf(of)])),
    counted: lengths.filter(([, of]) => !isTiled(of)).map(([name]) => name),
  };
}

/** Heads have an even size, and none beyond those that kernels are made for. */
function edgesOf(lengths: Lengths): readonly number[] {
  if (typeof lengths === "number") return [...SHORT, ...EDGES];
  const most = lengths.at(-1)!;
  return [...SHORT, ...EDGES].filter((length) => length % 2 === 0 && length <= most);
}

/** That of two parts; `names` are the whole's for an axis of the second, none where the first decides it. */
export function joinTilings(first: Tiling, second: Tiling, names: (axis: string) => readonly string[]): Tiling {
  const tiled = Object.entries(second.tiled).flatMap(([axis, edges]) => names(axis).map((name) => [name, edges]));
  return {
    tiled: { ...first.tiled, ...Object.fromEntries(tiled) },
    counted: [...first.counted, ...second.counted.flatMap(names)],
  };
}

/** Sizes as drawn, at edges or aligned; each fits where the drawn ones do. */
export function tiledSizes(
  drawn: fc.Arbitrary<Sizes>,
  tiling: Tiling,
  fits: (sizes: Sizes) => boolean,
): fc.Arbitrary<Sizes> {
  const names = Object.keys(tiling.tiled);
  if (names.length === 0) return drawn;
  const longEdges = (name: string): number[] => tiling.tiled[name].filter((length) => length >= EDGES[0]);
  const lengths = names.map((name): [string, fc.Arbitrary<number>] => {
    const edges = longEdges(name);
    return [name, fc.constantFrom(...edges)];
  });
  const all = fc.record(Object.fromEntries(lengths));
  const first = Object.fromEntries(names.map((name) => [name, longEdges(name)[0]]));
  return fc.tuple(fc.constantFrom(...WAYS), drawn, all, fc.constantFrom(...names)).map(
    ([way, sizes, at, kept]) => {
      if (way === "drawn") return sizes;
      return (way === "edges" ? atEdges({ sizes, at, kept }, tiling, fits) : aligned(sizes, tiling, fits)) ?? sizes;
    },
    (sizes) => ["drawn", sizes as Sizes, first, names[0]], // so that an example shrinks as well
  );
}

/** Each tiled axis at the next multiple of 16, the longest ones halved until the sizes fit; undefined where they never do. */
function aligned(sizes: Sizes, { tiled, counted }: Tiling, fits: (sizes: Sizes) => boolean): Sizes | undefined {
  const up = (length: number): number => TILE * Math.max(1, Math.ceil(length / TILE));
  const names = Object.keys(tiled);
  const moved = { ...sizes, ...Object.fromEntries(names.map((name) => [name, up(Number(sizes[name]))])) };
  while (!fits(moved)) {
    const name = longestAbove(moved, names, () => TILE) ?? longestAbove(moved, counted, () => 1);
    if (name === undefined) return undefined;
    const half = Number(moved[name]) / 2;
    moved[name] = name in tiled ? up(half) : Math.floor(half);
  }
  return moved;
}

interface AtEdges {
  readonly sizes: Sizes;
  readonly at: Readonly<Record<string, number>>;
  readonly kept: string;
}

/** Each tiled axis at its edge; the others at lower ones until the sizes fit, and `kept` last. Undefined where they never do. */
function atEdges(
  { sizes, at, kept }: AtEdges,
  { tiled, counted }: Tiling,
  fits: (sizes: Sizes) => boolean,
): Sizes | undefined {
  const others = Object.keys(tiled).filter((name) => name !== kept);
  const all = [kept, ...others, ...counted];
  const least = (name: string): number => tiled[name][0];
  const moved = { ...sizes, ...at };
  while (all.reduce((product, name) => product * Number(moved[name]), 1) > MOST || !fits(moved)) {
    const name = longestAbove(moved, others, least) ?? longestAbove(moved, [kept], least);
    if (name === undefined) return undefined;
    moved[name] = tiled[name][tiled[name].indexOf(Number(moved[name])) - 1];
  }
  return moved;
}

function longestAbove(sizes: Sizes, names: readonly string[], least: (name: string) => number): string | undefined {
  const longer = names.filter((name) => Number(sizes[name]) > least(name));
  return longer.toSorted((a, b) => Number(sizes[b]) - Number(sizes[a]))[0];
}
