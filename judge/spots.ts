// Which elements of a large output are held to their bound: some in every band of rows and of columns, the corners, some that
// are drawn evenly, and the suspects, whose error stands out. The truth is known at all elements, so a fault need not be hit by
// chance to be suspected.
import { dtypes } from "../reference/dtype.ts";
import { largest } from "../reference/lists.ts";
import { type Operation, outputShapes, storageOf } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { type Around, cutOut } from "./around.ts";
import type { Problem } from "./case.ts";
import { boundOf, compareOutput, type Expected, indexOf } from "./compare.ts";
import { drawnEvenly, missesOf, type Sight } from "./missed.ts";
import { Scales, Suspects } from "./suspects.ts";
import type { Terms } from "./terms.ts";
import { allowancesOf, type Comparing, everyElement, truth } from "./verdict.ts";

/** Kernels work in tiles of at least this many rows and columns. */
const BAND = 16;
/** The most elements that are drawn from bands, whatever their errors. */
const MOST = 1024;

/** Problems whose outputs have up to this many elements are judged at every element. */
const SMALL = 1 << 16;

/** How large outputs are compared. */
interface Manner {
  /** The seed of the spots. */
  readonly seed: number;
  /** Whether it is counted what would have been missed. */
  readonly counts: boolean;
}

/** Holds every element to its bound, and counts what would have been missed. */
export const allWithMisses =
  (seed: number): Comparing =>
  (operation, problem, terms) => {
    const allowed = allowancesOf(operation, problem, terms.target);
    return (output, got, want) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const expected = { want, allowed: allowed[output] };
      const sight: Sight = {
        want,
        dtype: own.dtype,
        even: drawnEvenly(output, want.data.length, seed),
        bound: (i) => boundOf(expected, i, own),
        held: () => 1,
      };
      return { ...compareOutput(output, got, expected, own), missed: missesOf(output, sight, seed) };
    };
  };

/** Holds the spots of a problem with large outputs to their bounds, and every element of a small problem. */
export const atSpots =
  (around: Around, { seed, counts }: Manner): Comparing =>
  (operation, problem, terms) => {
    const shapes = Object.values(outputShapes(operation, problem.inputs, problem.scalars));
    const all = counts ? allWithMisses(seed) : everyElement;
    if (shapes.every((shape) => sizeOf(shape) <= SMALL)) return all(operation, problem, terms);
    return (output, got, want) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const scales = new Scales(want, dtypes[own.dtype]);
      const suspects = new Suspects(got, want, scales, terms.target.promisesNonFinite);
      const even = drawnEvenly(output, want.data.length, seed);
      const drawn = new Set([...banded(output, want.shape, seed), ...even]);
      const spots = [...new Set([...drawn, ...suspects.list])].toSorted((a, b) => a - b);
      const { at, expected } = boundsAt(around, operation, problem, own, output, spots);
      const comparison = compareOutput(output, vector(at.map((i) => got.data[i])), expected, own);
      const unsampled = want.data.length - at.length;
      const { at: worst } = comparison;
      const index = worst === undefined ? [] : indexOf(at[worst.index[0]], want.shape);
      const found = { ...comparison, unsampled, at: worst === undefined ? worst : { ...worst, index } };
      if (!counts) return found;
      const bounds = new Map(at.map((i, n) => [i, boundOf(expected, n, own)]));
      const estimate = estimateOf(scales, drawn, bounds);
      const share = drawn.size / want.data.length;
      const sight: Sight = {
        want,
        dtype: own.dtype,
        even,
        bound: (i) => bounds.get(i) ?? estimate(i),
        held: (i, error) => (suspects.has(i, error) ? 1 : share),
      };
      return { ...found, missed: missesOf(output, sight, seed) };
    };
  };

/** Truth and allowance at elements of one output, from small problems around them. */
function boundsAt(
  around: Around,
  operation: Operation,
  problem: Problem,
  { target }: Terms,
  output: string,
  spots: readonly number[],
): { readonly at: readonly number[]; readonly expected: Expected } {
  const [at, exact, allowed]: [number[], number[], number[]] = [[], [], []];
  for (const part of around(problem, output, spots)) {
    const small = cutOut(problem, part);
    const wanted = truth(operation, small)[output];
    const bound = (part.bound?.(small, target) ?? allowancesOf(operation, small, target))[output];
    const locate = part.outputs[output]!;
    for (const i of part.keep?.[output] ?? wanted.data.keys()) {
      at.push(locate(i));
      exact.push(wanted.data[i]);
      allowed.push(bound.data[i]);
    }
  }
  return { at, expected: { want: vector(exact), allowed: vector(allowed) } };
}

function vector(data: readonly number[]): Tensor<Float64Array> {
  return { data: Float64Array.from(data), shape: [data.length] };
}

/** The scale that the bounds of drawn elements follow most closely, times the largest bound ÷ scale among them. */
function estimateOf(
  scales: Scales,
  drawn: ReadonlySet<number>,
  bounds: ReadonlyMap<number, number>,
): (i: number) => number {
  const fits = Scales.names.map((name) => {
    const ratios = Array.from(drawn, (i) => (bounds.get(i) ?? Infinity) / scales.at(i)[name]);
    const finite = ratios.filter((ratio) => ratio > 0 && ratio < Infinity).toSorted((a, b) => a - b);
    const most = finite.at(-1) ?? 0;
    return { name, most, spread: most / (finite[finite.length >> 1] ?? 1) };
  });
  const [{ name, most }] = fits.toSorted((a, b) => a.spread - b.spread);
  return (i) => most * scales.at(i)[name];
}

/** One element in each band of rows and in each band of columns at least, and the corners. Leading axes count as rows. */
function banded(output: string, shape: readonly number[], seed: number): number[] {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((n, length) => n * length, 1);
  const bands = [rows, columns].map((length) => Math.ceil(length / BAND));
  const count = Math.min(MOST, largest(bands));
  const place = (axis: string, n: number, length: number, of: number): number => {
    const band = (n % of) * BAND;
    return band + integer(seed, streamOf(`spot ${output} ${axis}`), n, Math.min(BAND, length - band));
  };
  const [rowStart, columnStart] = ["row", "column"].map((axis, i) => {
    return integer(seed, streamOf(`spot ${output} first ${axis}`), 0, bands[i]);
  });
  const list: number[] = [];
  for (let n = 0; n < count; n++) {
    list.push(
      place("row", rowStart + n, rows, bands[0]) * columns + place("column", columnStart + n, columns, bands[1]),
    );
  }
  return [...list, 0, columns - 1, (rows - 1) * columns, rows * columns - 1];
}
