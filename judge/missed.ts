// With which probability a fault at one place of a large output would have been missed, from the numbers of the run itself.
//
// A fault makes one element, one row, one tile or 1 % of the elements wrong, and leaves the rest as the candidate gave it. It lies
// anywhere with the same probability, where it changes a number at all. Element i with the value g in place of w is noticed if
//
//   |g − w| > bound(i)    and    i is drawn, or |g − w| ranks among the suspects (judge/suspects.ts)
//
// and what a suspect's error must exceed is known once the output has been ranked. So whether a fault at i is noticed needs no
// second run:
//
//   element   the mean over elements that are drawn evenly, at their own bounds
//   row, tile the mean over rows and tiles that are drawn evenly: one is missed if each of its elements is. Few of these have a
//             bound, so it is estimated, and not below: by the scale that the bounds of the drawn elements follow most
//             closely, times the largest bound ÷ scale among them
//   1 %       pᵐ⸍¹⁰⁰ for p of one element, since the elements are drawn one by one; m of the n are changed by the fault, since 1 % of small numbers
//             may be less than half a unit of a low format. Where only suspects are looked at, those that rank first are some of the wrong elements, and
//             perhaps within their bounds: so m/100 is taken for no more than there are suspects on one scale
//
// Where the second verdict is asked (judge/improbable), a fault within the bounds may be improbable. That is counted apart, in `byEither`: with m the probability that
// none of its elements is held to what is plausible, and two more trials on fresh numbers, of which one must show it again, taken for alike, it is seen
// with (1 − m)(1 − m²).
//
// A wrong element in a row pushes others out of the suspects only by an error that ranks higher, so the first of them are
// still wrong elements. Where all elements are judged, all have their bounds and nothing is estimated.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import { streamOf, uniform } from "../reference/random.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";

export const faultKinds = ["zero", "neighbour", "percent"] as const;
/** Zeros, the values of the next element, row or tile, and 1 % too large. */
export type FaultKind = (typeof faultKinds)[number];

export const faultExtents = ["element", "row", "tile", "hundredth"] as const;
/** A tile is 16 × 16, or 256 in a row where the output has one axis. A hundredth is 1 % of the elements. */
export type FaultExtent = (typeof faultExtents)[number];

/** How many places were tried, and the sum of the probabilities with which a fault there is missed. */
export interface Misses {
  readonly places: number;
  /** By the bounds. */
  readonly missed: number;
  /** By the bounds and as improbable; absent where the second verdict is not asked. */
  readonly byEither?: number;
}

/** What is beyond its limit is improbable. */
export interface Plausible {
  readonly limit: (i: number) => number;
  /** The same without what is measured on the other elements, most of which must be right. */
  readonly bySigns: (i: number) => number;
}

/** Of one output. An output of one axis has no rows. */
export type Missed = Readonly<Record<FaultExtent, Readonly<Record<FaultKind, Misses>>>>;

/** What is known of the elements of one output. */
export interface Sight {
  readonly want: Tensor;
  readonly dtype: DTypeName;
  /** Elements that were drawn evenly, each of which has its own bound. */
  readonly even: readonly number[];
  /** Not below the bound of element i, and the bound itself for those of `even`. */
  readonly bound: (i: number) => number;
  /** How many of many wrong elements are held to their bounds, at least; Infinity where all are. */
  readonly most: number;
  /** The probability that element i is held to its bound if it is wrong by `error`. */
  readonly held: (i: number, error: number) => number;
  readonly plausible?: Plausible | undefined;
}

/** Elements that are drawn evenly of an output, and rows and tiles, most of which one look decides. */
export const ELEMENTS = 256;
export const PLACES = 1024;
/** The most elements of one row that are tried. */
const MOST_ELEMENTS = 4096;
const TILE = 16;
/** Where none of n places was missed, the probability is at most this ÷ n, with a confidence of 95 %. */
const NONE_MISSED = 3;

/** Elements drawn evenly, some of them perhaps more than once. */
export function drawnEvenly(name: string, n: number, seed: number): number[] {
  return spread(ELEMENTS, n, seed, streamOf(`even ${name}`));
}

/** Numbers below n, one from each of `count` equal parts of them: of few numbers none comes more often by chance. */
function spread(count: number, n: number, seed: number, stream: number): number[] {
  const draw = (k: number): number => Math.floor(((k + uniform(seed, stream, k)) * n) / count);
  return Array.from({ length: n === 0 ? 0 : count }, (_, k) => Math.min(n - 1, draw(k)));
}

/** The misses of one output of one problem. */
export function missesOf(output: string, sight: Sight, seed: number): Missed {
  const places = placesOf(sight.want.shape);
  const drawn = (extent: "row" | "tile"): Record<FaultKind, Misses> => {
    const { count, at, next } = places[extent];
    const stream = streamOf(`fault ${output} ${extent}`);
    return missesAt(sight, spread(PLACES, count, seed, stream).map(at), next);
  };
  const element = missesAt(sight, sight.even.map(places.element.at), places.element.next);
  return {
    element,
    row: drawn("row"),
    tile: drawn("tile"),
    hundredth: eachKind((kind) =>
      hundredth(element[kind], (sizeOf(sight.want.shape) * element[kind].places) / sight.even.length, sight.most),
    ),
  };
}

/** The elements that one fault makes wrong. */
export interface Place {
  readonly length: number;
  /** The flat index of the k-th. */
  readonly index: (k: number) => number;
}

/** Where a fault of one extent may lie, and how far it is to its neighbour's values. */
export interface Places {
  readonly count: number;
  readonly at: (place: number) => Place;
  /** The place in which a flat index lies. */
  readonly of: (i: number) => number;
  readonly next: number;
}

/** The elements, rows and tiles of an output; no rows where it has one axis. */
export function placesOf(shape: readonly number[]): Readonly<Record<Exclude<FaultExtent, "hundredth">, Places>> {
  const columns = shape.at(-1) ?? 1;
  const n = sizeOf(shape);
  const run = (length: number): Places => ({
    count: length === 0 ? 0 : Math.ceil(n / length),
    at: (t) => ({ length: Math.min(length, n - t * length), index: (k) => t * length + k }),
    of: (i) => Math.floor(i / length),
    next: length,
  });
  if (shape.length < 2) return { element: run(1), row: { ...run(1), count: 0 }, tile: run(TILE * TILE) };
  const rows = columns === 0 ? 0 : n / columns;
  const across = Math.ceil(columns / TILE);
  const at = (tile: number): Place => {
    const [top, left] = [TILE * Math.floor(tile / across), TILE * (tile % across)];
    const [height, width] = [Math.min(TILE, rows - top), Math.min(TILE, columns - left)];
    return { length: height * width, index: (k) => (top + Math.floor(k / width)) * columns + left + (k % width) };
  };
  const of = (i: number): number => Math.floor(i / columns / TILE) * across + Math.floor((i % columns) / TILE);
  return { element: run(1), row: run(columns), tile: { count: across * Math.ceil(rows / TILE), at, of, next: TILE } };
}

function missesAt(sight: Sight, places: readonly Place[], next: number): Record<FaultKind, Misses> {
  return eachKind((kind) => {
    let [count, missed, byEither] = [0, 0, 0];
    for (const place of places) {
      const miss = missAt(sight, place, kind, next);
      if (miss === undefined) continue;
      count++;
      missed += miss.missed;
      byEither += miss.byEither;
    }
    return { places: count, missed, ...(sight.plausible && { byEither }) };
  });
}

/** The probability that each of the elements is missed, of a long row those that are tried; undefined where the fault changes none. */
function missAt(
  sight: Sight,
  place: Place,
  kind: FaultKind,
  next: number,
): Required<Omit<Misses, "places">> | undefined {
  const tried = Math.min(place.length, MOST_ELEMENTS);
  const limitAt = plausibleIn(sight.plausible, place.length, sizeOf(sight.want.shape));
  let [missed, passed]: [number | undefined, number] = [undefined, 1];
  for (let k = 0; k < tried; k++) {
    const i = place.index(Math.floor((k * place.length) / tried));
    const error = errorOf(sight, i, kind, next);
    if (error === 0) continue;
    missed ??= 1;
    if (error > sight.bound(i)) missed *= 1 - sight.held(i, error);
    else if (error > limitAt(i)) passed *= 1 - sight.held(i, error);
    if (missed === 0) return { missed, byEither: 0 };
  }
  return missed === undefined ? undefined : { missed, byEither: missed * againOf(passed) };
}

const UNKNOWN = (): number => Infinity;

/** The limits for elements of a place. A fault in more than so many of all elements may move what is measured on the others. */
export function plausibleIn(plausible: Plausible | undefined, length: number, all: number): (i: number) => number {
  if (plausible === undefined) return UNKNOWN;
  return MOST_WRONG * length > all ? plausible.bySigns : plausible.limit;
}

const MOST_WRONG = 20;

/** With which probability a suspicion that is missed with m, each time, is none in the end: it must come again in one of two more trials. */
export function againOf(m: number): number {
  return 1 - (1 - m) * (1 - m * m);
}

/** How wrong an element is that the fault has changed; 0 where it has not. */
function errorOf({ want: { data }, dtype }: Sight, i: number, kind: FaultKind, next: number): number {
  const w = data[i];
  const right = round(w, dtypes[dtype]);
  const wrong = faultyValue(kind, right, round(data[(i + next) % data.length], dtypes[dtype]));
  const stored = round(wrong, dtypes[dtype]);
  if (stored === right || (Number.isNaN(stored) && Number.isNaN(right))) return 0;
  const error = Math.abs(stored - w);
  return Number.isNaN(error) ? Infinity : error;
}

/** What a fault puts in place of a right value. */
export function faultyValue(kind: FaultKind, right: number, neighbour: number): number {
  return { zero: 0, neighbour, percent: 1.01 * right }[kind];
}

/** 1 % of the elements, n of which a fault changes, given what one of these is missed with; `most` of them are looked at. */
export function hundredth({ places, missed, byEither }: Misses, n: number, most: number): Misses {
  const all = (misses: number): number =>
    places === 0 ? 0 : atMost({ places, missed: misses }) ** Math.max(1, Math.min(n / 100, most));
  return {
    places: places === 0 ? 0 : 1,
    missed: all(missed),
    ...(byEither !== undefined && { byEither: all(byEither) }),
  };
}

/** The same misses, those by the bounds and as improbable in place of those by the bounds. */
export function eitherOf({ places, missed, byEither = missed }: Misses): Misses {
  return { places, missed: byEither };
}

/** The probability of a miss by the bounds. Where none was missed, it is what that is at most with a confidence of 95 %. */
export function chanceOf(missed: Missed, extent: FaultExtent, kind: FaultKind): number {
  return chanceIn(missed[extent][kind], extent);
}

export function chanceIn(misses: Misses, extent: FaultExtent): number {
  return extent === "hundredth" ? misses.missed / misses.places : atMost(misses);
}

function atMost({ places, missed }: Misses): number {
  return Math.min(1, (missed === 0 ? NONE_MISSED : missed) / places);
}

/** Sums over the outputs of several problems: a fault lies in one of them. */
export function sumOfMisses(a: Missed, b: Missed): Missed {
  const entries = faultExtents.map((extent) => [
    extent,
    eachKind((kind) => together(a[extent][kind], b[extent][kind])),
  ]);
  return Object.fromEntries(entries) as Missed;
}

function together(a: Misses, b: Misses): Misses {
  const isAsked = (a.byEither ?? b.byEither) !== undefined;
  return {
    places: a.places + b.places,
    missed: a.missed + b.missed,
    ...(isAsked && { byEither: eitherOf(a).missed + eitherOf(b).missed }),
  };
}

export function eachKind<T>(of: (kind: FaultKind) => T): Record<FaultKind, T> {
  return { zero: of("zero"), neighbour: of("neighbour"), percent: of("percent") };
}
