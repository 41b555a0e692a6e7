// Which elements of a large output are held to their bound: some in every band of rows and of columns, the corners, some that
// are drawn evenly, and the suspects, whose error stands out. The truth is known at all elements, so a fault need not be hit by
// chance to be suspected.
import { dtypes } from "../reference/dtype.ts";
import { type Operation, outputShapes, storageOf } from "../reference/operation.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import type { Around } from "./around.ts";
import { banded } from "./bands.ts";
import type { Problem } from "./case.ts";
import { boundOf, type Expected } from "./compare.ts";
import { compareAt, exactAt, expectedOf, someOf } from "./exact.ts";
import { drawnEvenly, missesOf, type Plausible, type Sight } from "./missed.ts";
import { estimateOf, Scales, Suspects, SUSPECTS } from "./suspects.ts";
import { improbableIn, isDrawn, plausibleOf, sizesIn, sumsOf } from "./improbable/suspicion.ts";
import type { Terms } from "./terms.ts";
import { allowancesOf, compareAll, type Comparing, everyElement, expectedAround, truth } from "./verdict.ts";

/** Problems whose outputs have up to this many elements are judged at every element. */
const SMALL = 1 << 16;

/** How large outputs are compared. */
export interface Manner {
  /** The seed of the spots. */
  readonly seed: number;
  /** Whether it is counted what would have been missed. */
  readonly counts: boolean;
  /** How small outputs are compared; each element is held to its bound if left out. */
  readonly small?: Comparing;
}

/** Holds every element to its bound, and counts what would have been missed. */
export const allWithMisses =
  (seed: number): Comparing =>
  (operation, problem, terms) => {
    const [exact, allowed] = [truth(operation, problem), allowancesOf(operation, problem, terms.target)];
    return (output, got) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const expected = expectedAround(exact[output], allowed[output]);
      const { want } = expected;
      const sight: Sight = {
        want,
        dtype: own.dtype,
        even: drawnEvenly(output, want.data.length, seed),
        bound: (i) => boundOf(expected, i, own),
        most: Infinity,
        held: () => 1,
        plausible: plausibleInAll(operation, problem, own, output, got, expected),
      };
      return { ...compareAll(operation, problem, terms, output, got, expected), missed: missesOf(output, sight, seed) };
    };
  };

/** What all elements of an output may plausibly err by, where the second verdict is asked. */
function plausibleInAll(
  operation: Operation,
  problem: Problem,
  terms: Terms,
  output: string,
  { data: got, shape }: Tensor,
  { want, allowed }: Expected,
): Plausible | undefined {
  if (!isDrawn(operation.name, output, problem, terms)) return undefined;
  const at = [...want.data.keys()];
  const given = { sums: sumsOf(operation, problem, output), output, shape, got, sizeAt: sizesIn(want, terms), terms };
  const exact = { at, want: [...want.data], allowed: [...allowed.data] };
  return plausibleOf(given, exact, at, new Scales(want, dtypes[terms.dtype]));
}

/** Holds the spots of a problem with large outputs to their bounds, and every element of a small problem. */
export const atSpots =
  (around: Around, { seed, counts, small = counts ? allWithMisses(seed) : everyElement }: Manner): Comparing =>
  (operation, problem, terms) => {
    const shapes = Object.values(outputShapes(operation, problem.inputs, problem.scalars));
    // A sum of few terms among long ones has a bound of its own only in a small problem, without the terms that are 0.
    const isSmall = problem.profile !== "uneven" && shapes.every((shape) => sizeOf(shape) <= SMALL);
    if (isSmall) return small(operation, problem, terms);
    const exact = truth(operation, problem);
    return (output, got) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const want = exact[output];
      const scales = new Scales(want, dtypes[own.dtype]);
      const suspects = new Suspects(got, want, scales, terms.target.promisesNonFinite);
      const even = drawnEvenly(output, want.data.length, seed);
      const drawn = new Set([...banded(output, want.shape, seed), ...even]);
      const spots = [...new Set([...drawn, ...suspects.list])].toSorted((a, b) => a - b);
      const spotted = exactAt({ around, operation, problem, terms: own, output }, spots);
      const { at } = spotted;
      // Suspects are elements that few errors would move by much: the power is that of the others.
      const { power } = compareAt(
        output,
        got,
        someOf(spotted, (i) => drawn.has(i)),
        own,
      );
      const sums = sumsOf(operation, problem, output);
      const [sizeAt, values] = [sizesIn(want, own), at.map((i) => got.data[i])];
      const given = { sums, output, shape: want.shape, got: values, sizeAt: (n: number) => sizeAt(at[n]), terms: own };
      const others = [...at.keys()].filter((n) => drawn.has(at[n]));
      const isAsked = isDrawn(operation.name, output, problem, own);
      const improbable = isAsked && { improbable: improbableIn(given, spotted, others) };
      const unsampled = want.data.length - at.length;
      const found = { ...compareAt(output, got, spotted, own), power, unsampled, ...improbable };
      if (!counts) return found;
      const expected = expectedOf(spotted);
      const bounds = new Map(at.map((i, n) => [i, boundOf(expected, n, own)]));
      const estimate = estimateOf(scales, [...drawn], (i) => bounds.get(i) ?? Infinity);
      const share = drawn.size / want.data.length;
      const sight: Sight = {
        want,
        dtype: own.dtype,
        even,
        bound: (i) => bounds.get(i) ?? estimate(i),
        most: SUSPECTS,
        held: (i, error) => (suspects.has(i, error) ? 1 : share),
        plausible: isAsked ? plausibleOf(given, spotted, others, scales) : undefined,
      };
      return { ...found, missed: missesOf(output, sight, seed) };
    };
  };
