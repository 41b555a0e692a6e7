// Elements that lie in all bands of an output, whatever their errors.
import { largest } from "../reference/lists.ts";
import { integer, streamOf } from "../reference/random.ts";

/** Kernels work in tiles of at least this many rows and columns. */
const BAND = 16;
/** The most elements that are drawn from bands. */
const MOST = 1024;

/** One element in each band of rows and in each band of columns at least, and the corners. Leading axes count as rows. */
export function banded(output: string, shape: readonly number[], seed: number): number[] {
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
