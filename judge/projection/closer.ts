// A closer look at the rows and columns that a projection suspects: which of their elements are to be held to their bounds.
//
// A row costs as many products as it has elements, times the length of a sum. So the errors of all its elements are known in float64,
// and those are chosen that are largest as a share of Σ|t|, to which the bound of a sum is proportional, and as a share of the
// element itself, to which that of a rounding to fewer bits is. A fault that is outside its bound has no place to hide in the row.
import type { Tensor } from "../../reference/tensor.ts";
import { type Matrix, matrixOf, rowOf, sumsAndSizes, transpose } from "./matrix.ts";
import type { Lines, Product, Projection } from "./projection.ts";

/** How many elements of a suspect row or column are judged, on each of the two scales. */
const MOST = 16;
/** What an element that is nearly 0 counts as, a share of Σ|t|. */
const FLOOR = 1 / 4096;

/** The flat indices of elements to be judged, ascending. */
export function suspectElements(projection: Projection, { left, right }: Product, got: Tensor): number[] {
  const y = matrixOf(got);
  const ofRows = elementsOf(projection.rows, left, right, y).map(([row, column]) => row * y.columns + column);
  const [mirrored, other] = [transpose(right), transpose(left)];
  const ofColumns = elementsOf(projection.columns, mirrored, other, transpose(y)).map(
    ([column, row]) => row * y.columns + column,
  );
  return [...new Set([...ofRows, ...ofColumns])].toSorted((a, b) => a - b);
}

/** The largest errors of each suspect row of y = left · right. */
function elementsOf({ suspects }: Lines, left: Matrix, right: Matrix, y: Matrix): (readonly [number, number])[] {
  const columns = transpose(right);
  return suspects.flatMap((row) => {
    const { sums: exact, sizes: size } = sumsAndSizes(columns, rowOf(left, row));
    const error = rowOf(y, row).map((got, j) => (got === exact[j] ? 0 : Math.abs(got - exact[j])));
    const ofSize = error.map((e, j) => share(e, size[j]));
    const ofOwn = error.map((e, j) => share(e, Math.abs(exact[j]) + FLOOR * size[j]));
    return [...new Set([...largestOf(ofSize), ...largestOf(ofOwn)])].map((column) => [row, column] as const);
  });
}

/** What is no number ranks first. */
function share(error: number, scale: number): number {
  if (error === 0) return 0;
  return Number.isNaN(error) ? Infinity : error / scale;
}

function largestOf(list: Float64Array): number[] {
  const ranked = Array.from(list.keys()).toSorted((a, b) => (list[a] === list[b] ? 0 : list[b] - list[a]));
  return ranked.slice(0, MOST).filter((i) => list[i] > 0);
}
