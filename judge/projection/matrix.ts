// Matrices times vectors in float64, in one pass over the numbers as they lie in memory.

/** The numbers of a matrix, row by row; `isTransposed` where what is meant is its transpose. */
export interface Matrix {
  readonly data: ArrayLike<number>;
  /** As it is meant. */
  readonly rows: number;
  readonly columns: number;
  readonly isTransposed: boolean;
}

/** A tensor of two axes; leading axes count as rows. */
export function matrixOf({
  data,
  shape,
}: {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}): Matrix {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((n, length) => n * length, 1);
  return { data, rows, columns, isTransposed: false };
}

/** mᵀ. */
export function transpose({ data, rows, columns, isTransposed }: Matrix): Matrix {
  return { data, rows: columns, columns: rows, isTransposed: !isTransposed };
}

/** How many vectors are multiplied at once. */
export const VECTORS = 4;

/** m · V, V: [columns, VECTORS] → [rows, VECTORS]. */
export function timesVectors(m: Matrix, v: Float64Array): Float64Array {
  const out = new Float64Array(m.rows * VECTORS);
  const { data } = m;
  if (m.isTransposed) {
    for (let column = 0, i = 0; column < m.columns; column++) {
      const at = column * VECTORS;
      const [a, b, c, d] = [v[at], v[at + 1], v[at + 2], v[at + 3]];
      for (let to = 0; to < out.length; to += VECTORS, i++) {
        const x = data[i];
        out[to] += x * a;
        out[to + 1] += x * b;
        out[to + 2] += x * c;
        out[to + 3] += x * d;
      }
    }
    return out;
  }
  for (let to = 0, i = 0; to < out.length; to += VECTORS) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let from = 0; from < v.length; from += VECTORS, i++) {
      const x = data[i];
      a += x * v[from];
      b += x * v[from + 1];
      c += x * v[from + 2];
      d += x * v[from + 3];
    }
    out[to] = a;
    out[to + 1] = b;
    out[to + 2] = c;
    out[to + 3] = d;
  }
  return out;
}

/** m² · v, each element of m squared. v: [columns] → [rows]. */
export function squaresTimes(m: Matrix, v: Float64Array): Float64Array {
  const out = new Float64Array(m.rows);
  const { data } = m;
  if (m.isTransposed) {
    for (let column = 0, i = 0; column < m.columns; column++)
      for (let row = 0; row < m.rows; row++, i++) out[row] += data[i] * data[i] * v[column];
    return out;
  }
  for (let row = 0, i = 0; row < m.rows; row++) {
    let sum = 0;
    for (let column = 0; column < m.columns; column++, i++) sum += data[i] * data[i] * v[column];
    out[row] = sum;
  }
  return out;
}

/** m · v and |m| · |v|, v: [columns] → [rows] each. */
export function sumsAndSizes(
  m: Matrix,
  v: Float64Array,
): { readonly sums: Float64Array; readonly sizes: Float64Array } {
  const [sums, sizes] = [new Float64Array(m.rows), new Float64Array(m.rows)];
  const { data, rows, columns } = m;
  const [outer, inner] = m.isTransposed ? [columns, rows] : [rows, columns];
  for (let p = 0, i = 0; p < outer; p++) {
    if (m.isTransposed) {
      for (let row = 0; row < inner; row++, i++) {
        const t = data[i] * v[p];
        sums[row] += t;
        sizes[row] += Math.abs(t);
      }
      continue;
    }
    let [sum, size] = [0, 0];
    for (let column = 0; column < inner; column++, i++) {
      const t = data[i] * v[column];
      sum += t;
      size += Math.abs(t);
    }
    sums[p] = sum;
    sizes[p] = size;
  }
  return { sums, sizes };
}

/** Row i. */
export function rowOf({ data, rows, columns, isTransposed }: Matrix, i: number): Float64Array {
  const [start, step] = isTransposed ? [i, rows] : [i * columns, 1];
  return Float64Array.from({ length: columns }, (_, k) => data[start + k * step]);
}
