// What would have been missed of an output whose truth was taken at a sample only.
//
// A fault is seen where it changes an element by more than its bound, and that element is in the sample or a suspect of the checks of
// the whole output (judge/whole.ts). The sample is known, and so is what would be a suspect; the fault lies anywhere with the same
// probability. With s of n elements sampled, and hᵢ the probability that a wrong element i is a suspect:
//
//   element     the mean over sampled elements, whose bounds are known, of (1 − s/n)(1 − hᵢ), or of 1 where the change is within the bound
//   row, tile   the mean over some that are drawn evenly: 0 if a sampled element in it shows the fault, else the product of 1 − hᵢ over
//               its elements outside their bounds. These bounds are estimated, and not below: the scale that the bounds of the sampled
//               elements follow most closely, times the largest bound ÷ scale among them; or where a check says that elements are
//               alike, the largest bound of those that were sampled
//   1 %         pᵐ⸍¹⁰⁰ for p of one element, since the elements are drawn one by one; m of the n are changed by the fault. Of many wrong elements, which may be within
//               their bounds, each check suspects some tens, so m/100 is taken for no more than that; or (1 − f·s/n)ᵐ⸍¹⁰⁰, f of the changed ones being outside their bounds,
//               if that is less: a sampled element is judged whatever the others are
//
// Unsampled elements, and neighbours, are what the candidate gave.
import { dtypes, round } from "../reference/dtype.ts";
import { largest } from "../reference/lists.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { boundOf } from "./compare.ts";
import { type Exact, expectedOf } from "./exact.ts";
import {
  againOf,
  eachKind,
  ELEMENTS,
  type FaultKind,
  faultyValue,
  hundredth,
  type Missed,
  type Misses,
  type Place,
  PLACES,
  placesOf,
  type Plausible,
  plausibleIn,
} from "./missed.ts";
import { estimateOf, Scales } from "./suspects.ts";
import type { Terms } from "./terms.ts";
import type { Change, Whole } from "./whole.ts";

/** What is known of one output. */
interface Sampled {
  readonly got: Tensor;
  readonly sample: Exact;
  readonly whole: Whole;
  readonly plausible?: Plausible | undefined;
  /** The dtype is that of the output. */
  readonly terms: Terms;
}

/** So many elements a check suspects of many that are odd. */
const ODD = 48;
/** The most sampled elements that are tried. */
const MOST = 4096;
/** The most elements of rows that are tried. */
const MOST_WORK = 8e6;

/** A change at one place, and how wrong it makes each of its elements. */
interface Fault {
  readonly change: Change;
  readonly errors: readonly number[];
}

/** The misses of one output of one problem. */
export function missesOfSample(output: string, sampled: Sampled, seed: number): Missed {
  const { got, sample, whole, terms, plausible } = sampled;
  const { shape, data } = got;
  const places = placesOf(shape);
  const expected = expectedOf(sample);
  const known = new Map(sample.at.map((i, n) => [i, { want: sample.want[n], bound: boundOf(expected, n, terms) }]));
  const every = Math.max(1, Math.floor(sample.at.length / MOST));
  const tried = sample.at.filter((_, n) => n % every === 0);
  const estimate = estimateOf(new Scales(got, dtypes[terms.dtype]), tried, (i) => known.get(i)!.bound);
  const ofAlike = largest(tried.map((i) => (whole.alike.has(i) ? known.get(i)!.bound : 0)));
  const boundAt = (i: number): number =>
    known.get(i)?.bound ?? (ofAlike > 0 && whole.alike.has(i) ? ofAlike : estimate(i));
  const isOutside = (i: number, error: number): boolean => error > boundAt(i);
  const fault = (place: Place, kind: FaultKind, next: number): Fault | undefined =>
    planted(sampled, (i) => known.get(i)?.want ?? data[i], place, kind, next);
  const unsampled = 1 - sample.at.length / data.length;
  const each = eachKind((kind) => {
    const missed = (i: number): Miss | undefined => {
      const one = fault(places.element.at(i), kind, places.element.next);
      if (one === undefined) return undefined;
      const [error] = one.errors;
      const passed = (): number => unsampled * (1 - whole.held(one.change)(0));
      if (isOutside(i, error)) return missedWith(passed());
      return { missed: 1, byEither: error > (plausible?.limit(i) ?? Infinity) ? againOf(passed()) : 1 };
    };
    return sumOf(tried, missed, plausible !== undefined);
  });
  const element = eachKind((kind) => shareOf(each[kind]));
  /** The share of changed elements that are outside their bounds. */
  const visible = eachKind((kind) => {
    const all = tried
      .map((i) => fault(places.element.at(i), kind, places.element.next))
      .filter((one) => one !== undefined);
    const outside = all.filter(({ change, errors }) => isOutside(change.at[0], errors[0])).length;
    return outside / Math.max(1, all.length);
  });
  const drawn = (extent: "row" | "tile", kind: FaultKind): Misses => {
    const { count, at, of, next } = places[extent];
    const stream = streamOf(`fault ${output} ${extent}`);
    const length = count === 0 ? 0 : Math.ceil(Math.min(PLACES, (MOST_WORK * count) / data.length));
    const list = Array.from({ length }, (_, k) => integer(seed, stream, k, count));
    const limitAt = plausibleIn(plausible, length === 0 ? 0 : at(0).length, data.length);
    const [shown, suspected] = [new Set<number>(), new Set<number>()];
    for (const i of sample.at) {
      const one = fault({ length: 1, index: () => i }, kind, next);
      if (one === undefined) continue;
      if (isOutside(i, one.errors[0])) shown.add(of(i));
      else if (one.errors[0] > limitAt(i)) suspected.add(of(i));
    }
    return sumOf(
      list,
      (place) => {
        if (shown.has(place)) return missedWith(0);
        const all = fault(at(place), kind, next);
        if (all === undefined) return undefined;
        const { change, errors } = all;
        const held = whole.held(change);
        let [missed, passed] = [1, suspected.has(place) ? 0 : 1];
        for (let n = 0; n < errors.length && missed > 0; n++) {
          if (isOutside(change.at[n], errors[n])) missed *= 1 - held(n);
          else if (errors[n] > limitAt(change.at[n])) passed *= 1 - held(n);
        }
        return { missed, byEither: missed * againOf(passed) };
      },
      plausible !== undefined,
    );
  };
  return {
    element,
    row: eachKind((kind) => drawn("row", kind)),
    tile: eachKind((kind) => drawn("tile", kind)),
    hundredth: eachKind((kind) => {
      const changed = (data.length * each[kind].places) / tried.length;
      const suspected = hundredth(element[kind], changed, ODD);
      const bySample = (1 - (1 - unsampled) * visible[kind]) ** (changed / 100);
      const { missed, byEither } = suspected;
      const least = (share: number): number => Math.min(share, bySample);
      return { ...suspected, missed: least(missed), ...(byEither !== undefined && { byEither: least(byEither) }) };
    }),
  };
}

type Miss = Required<Omit<Misses, "places">>;

function missedWith(probability: number): Miss {
  return { missed: probability, byEither: probability };
}

function sumOf(list: readonly number[], missed: (place: number) => Miss | undefined, isAsked: boolean): Misses {
  const all = list.map(missed).filter((p) => p !== undefined);
  const byEither = all.reduce((sum, p) => sum + p.byEither, 0);
  return { places: all.length, missed: all.reduce((sum, p) => sum + p.missed, 0), ...(isAsked && { byEither }) };
}

/** The same as if so many elements had been tried as in every other case, since a fault lies in any case with the same probability. */
function shareOf(all: Misses): Misses {
  const share = Math.min(1, ELEMENTS / all.places);
  if (all.places === 0) return all;
  const { places, missed, byEither } = all;
  return {
    places: share * places,
    missed: share * missed,
    ...(byEither !== undefined && { byEither: share * byEither }),
  };
}

/** A fault at a place, undefined where it changes nothing. */
function planted(
  { got: { data }, terms }: Sampled,
  wantOf: (i: number) => number,
  { length, index }: Place,
  kind: FaultKind,
  next: number,
): Fault | undefined {
  const format = dtypes[terms.dtype];
  const [at, before, after, errors]: number[][] = [[], [], [], []];
  for (let k = 0; k < length; k++) {
    const i = index(k);
    const wrong = round(faultyValue(kind, data[i], data[(i + next) % data.length]), format);
    if (wrong === data[i] || (Number.isNaN(wrong) && Number.isNaN(data[i]))) continue;
    const error = Math.abs(wrong - wantOf(i));
    at.push(i);
    before.push(data[i]);
    after.push(wrong);
    errors.push(Number.isNaN(error) ? Infinity : error);
  }
  if (at.length === 0) return undefined;
  return { change: { at, before, after, areRepeated: kind !== "percent" }, errors };
}
