// What would have been missed of an output whose truth was taken at a sample only.
//
// A fault is seen where it changes a sampled element by more than its bound. The sample is known, and the fault lies anywhere with the
// same probability, so with s sampled elements that would show it, of n:
//
//   element     missed with 1 − s / n
//   row, tile   missed unless one of those s lies in it: the share of rows, or tiles, without one, among some that are drawn evenly
//   1 %         (1 − s / n)ⁿ⸍¹⁰⁰, since the elements are drawn one by one
//
// The neighbour's value is the candidate's own. The checks of the whole output (judge/whole.ts) are left out, so each is an upper limit.
import { dtypes, round } from "../reference/dtype.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { boundOf } from "./compare.ts";
import { type Exact, expectedOf } from "./exact.ts";
import {
  eachKind,
  ELEMENTS,
  type FaultKind,
  faultyValue,
  hundredth,
  type Missed,
  type Misses,
  PLACES,
  placesOf,
} from "./missed.ts";
import type { Terms } from "./terms.ts";

/** What is known of one output. */
interface Sampled {
  readonly got: Tensor;
  readonly sample: Exact;
  /** The dtype is that of the output. */
  readonly terms: Terms;
}

/** The misses of one output of one problem. */
export function missesOfSample(output: string, sampled: Sampled, seed: number): Missed {
  const { shape, data } = sampled.got;
  const bounds = boundsOf(sampled);
  const places = placesOf(shape);
  const seen = (kind: FaultKind, next: number): number[] =>
    sampled.sample.at.filter((i, n) => errorOf(sampled, n, kind, (i + next) % data.length) > bounds[n]);
  const element = eachKind((kind): Misses => {
    const share = data.length === 0 ? 0 : seen(kind, places.element.next).length / data.length;
    return { places: data.length === 0 ? 0 : ELEMENTS, missed: ELEMENTS * (1 - share) };
  });
  const drawn = (extent: "row" | "tile"): Record<FaultKind, Misses> => {
    const { count, of, next } = places[extent];
    const stream = streamOf(`fault ${output} ${extent}`);
    const list = Array.from({ length: count > 0 ? PLACES : 0 }, (_, k) => integer(seed, stream, k, count));
    return eachKind((kind) => {
      const shown = new Set(seen(kind, next).map(of));
      return { places: list.length, missed: list.filter((place) => !shown.has(place)).length };
    });
  };
  return {
    element,
    row: drawn("row"),
    tile: drawn("tile"),
    hundredth: eachKind((kind) => hundredth(element[kind], data.length)),
  };
}

function boundsOf({ sample, terms }: Sampled): number[] {
  const expected = expectedOf(sample);
  return sample.at.map((_, n) => boundOf(expected, n, terms));
}

/** How wrong sampled element n is with what the fault puts there; 0 where that is what it should be. */
function errorOf({ got, sample, terms }: Sampled, n: number, kind: FaultKind, neighbour: number): number {
  const want = sample.want[n];
  const format = dtypes[terms.dtype];
  const right = round(want, format);
  const stored = round(faultyValue(kind, right, got.data[neighbour]), format);
  if (stored === right || (Number.isNaN(stored) && Number.isNaN(right))) return 0;
  const error = Math.abs(stored - want);
  return Number.isNaN(error) ? Infinity : error;
}
