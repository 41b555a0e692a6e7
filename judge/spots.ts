// Which elements of a large output are held to their bound: some in every band of rows and of columns, the corners, and the
// suspects, whose error stands out. The truth is known at all elements, so a fault need not be hit by chance to be suspected.
import { largest } from "../reference/lists.ts";
import { outputShapes, storageOf } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { type Around, cutOut } from "./around.ts";
import { compareOutput, indexOf } from "./compare.ts";
import { allowancesOf, type Comparing, everyElement, truth } from "./verdict.ts";

/** Kernels work in tiles of at least this many rows and columns. */
const BAND = 16;
/** The fewest and the most elements that are drawn, whatever their errors. */
const [FEWEST, MOST] = [256, 1024];
/** The elements with the largest error, and those with the largest share of what they should be. */
const SUSPECTS = 64;

/** Problems whose outputs have up to this many elements are judged at every element. */
const SMALL = 1 << 16;

/** Holds the spots of a problem with large outputs to their bounds, and every element of a small problem. */
export const atSpots =
  (around: Around, seed: number): Comparing =>
  (operation, problem, terms) => {
    const shapes = Object.values(outputShapes(operation, problem.inputs, problem.scalars));
    if (shapes.every((shape) => sizeOf(shape) <= SMALL)) return everyElement(operation, problem, terms);
    return (output, got, want) => {
      const [at, exact, allowed]: [number[], number[], number[]] = [[], [], []];
      for (const part of around(problem, output, spotsOf(output, got, want, seed))) {
        const small = cutOut(problem, part);
        const wanted = truth(operation, small)[output];
        const bound = (part.bound?.(small, terms.target) ?? allowancesOf(operation, small, terms.target))[output];
        const locate = part.outputs[output]!;
        for (const i of part.keep?.[output] ?? wanted.data.keys()) {
          at.push(locate(i));
          exact.push(wanted.data[i]);
          allowed.push(bound.data[i]);
        }
      }
      const comparison = compareOutput(
        output,
        vector(at.map((i) => got.data[i])),
        { want: vector(exact), allowed: vector(allowed) },
        { ...terms, dtype: storageOf(operation, output, terms.dtype) },
      );
      const unsampled = want.data.length - at.length;
      const { at: worst } = comparison;
      if (worst === undefined) return { ...comparison, unsampled };
      return { ...comparison, unsampled, at: { ...worst, index: indexOf(at[worst.index[0]], want.shape) } };
    };
  };

function vector(data: readonly number[]): Tensor<Float64Array> {
  return { data: Float64Array.from(data), shape: [data.length] };
}

/** Flat indices of one output, ascending, each once. */
function spotsOf(output: string, got: Tensor, want: Tensor<Float64Array>, seed: number): number[] {
  const spots = new Set(drawn(output, want.shape, seed));
  for (const i of suspects(got, want)) spots.add(i);
  return [...spots].toSorted((a, b) => a - b);
}

/** One element in each band of rows and in each band of columns at least, and the corners. Leading axes count as rows. */
function drawn(output: string, shape: readonly number[], seed: number): number[] {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((n, length) => n * length, 1);
  const bands = [rows, columns].map((length) => Math.ceil(length / BAND));
  const count = Math.min(MOST, Math.max(FEWEST, largest(bands)));
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

/** The elements whose error is largest, and largest for what they should be. Those that are no numbers come first. */
function suspects(got: Tensor, want: Tensor<Float64Array>): number[] {
  const n = want.data.length;
  let scale = 0;
  for (const w of want.data) if (Number.isFinite(w)) scale += Math.abs(w) / n;
  const [errors, shares] = [new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    const w = want.data[i];
    const error = Object.is(w, got.data[i]) ? 0 : Math.abs(got.data[i] - w);
    errors[i] = Number.isFinite(w) && Number.isNaN(error) ? Infinity : error;
    shares[i] = errors[i] / (Math.abs(w) + scale / 4096);
  }
  return [...placesOfLargest(errors, SUSPECTS), ...placesOfLargest(shares, SUSPECTS)];
}

/** The indices of the `count` largest numbers; NaN counts as none. */
function placesOfLargest(data: Float64Array, count: number): number[] {
  let kept: number[] = [];
  let least = 0;
  for (let i = 0; i < data.length; i++) {
    if (!(data[i] > least)) continue;
    kept.push(i);
    if (kept.length < 2 * count) continue;
    kept = kept.toSorted((a, b) => data[b] - data[a]).slice(0, count);
    least = data[kept[count - 1]];
  }
  return kept.toSorted((a, b) => data[b] - data[a]).slice(0, count);
}
