// Which elements of an output are sampled where its truth would cost too much everywhere: as many as a limit of work affords, in
// every row and column, in every tile of 16 × 16, at the corners, and at random. They derive from the seed of the case.
import { largest } from "../reference/lists.ts";
import { integer, streamOf } from "../reference/random.ts";
import { sizeOf } from "../reference/tensor.ts";
import { banded } from "./bands.ts";
import { MOST_WORK } from "./large.ts";

/** Multiplications of truth and of bound that a sample of one output may take: those of a large case. */
export const SAMPLE_WORK = MOST_WORK;
/** The most elements of one output: their numbers take memory as well. */
const MOST_SAMPLED = 1 << 18;
const LEAST_ROWS = 128;
/** Kernels work in tiles of at least this many rows and columns. */
const TILE = 16;

/** Elements, each of which costs `work` multiplications, ascending. */
export function drawElements(output: string, shape: readonly number[], work: number, seed: number): number[] {
  const n = sizeOf(shape);
  const most = Math.min(n, MOST_SAMPLED, Math.ceil(SAMPLE_WORK / Math.max(1, work)));
  const columns = shape.at(-1) ?? 1;
  const rows = n === 0 ? 0 : n / columns;
  if (most === n) return Array.from({ length: n }, (_, i) => i);
  const list = new Set(banded(output, shape, seed));
  const add = (count: number, at: (k: number) => number): void => {
    for (let k = 0; k < count && list.size < most; k++) list.add(at(k));
  };
  const drawn = (name: string, k: number, below: number): number =>
    integer(seed, streamOf(`sample ${output} ${name}`), k, below);
  const [firstRow, firstColumn] = [drawn("row", 0, rows), drawn("column", 0, columns)];
  // Row and column go on together, each from a place of its own and again from its start, until each has been reached.
  add(largest([rows, columns]), (k) => ((firstRow + k) % rows) * columns + ((firstColumn + k) % columns));
  const [down, across] = [Math.ceil(rows / TILE), Math.ceil(columns / TILE)];
  const firstTile = drawn("tile", 0, down * across);
  add(down * across, (k) => {
    const tile = (firstTile + k * STRIDE) % (down * across);
    const [top, left] = [TILE * Math.floor(tile / across), TILE * (tile % across)];
    const row = top + drawn("row of a tile", k, Math.min(TILE, rows - top));
    return row * columns + left + drawn("column of a tile", k, Math.min(TILE, columns - left));
  });
  add(2 * (most - list.size), (k) => drawn("element", k, n));
  return [...list].toSorted((a, b) => a - b);
}

/** A prime: with it, all tiles come before one comes again, unless their number is a multiple. */
const STRIDE = 1_000_003;

/**
 * Rows, each of which costs `work` multiplications: in every band of 16 of them, and at random. Of each row all elements, or of long rows
 * one in each tile.
 */
export function drawRows(output: string, shape: readonly number[], work: number, seed: number): number[] {
  const length = shape.at(-1)!;
  const rows = length === 0 ? 0 : sizeOf(shape) / length;
  const most = Math.min(rows, Math.max(LEAST_ROWS, Math.ceil(SAMPLE_WORK / Math.max(1, work))));
  const stream = streamOf(`sample ${output} row`);
  const bands = Math.ceil(rows / TILE);
  const first = integer(seed, stream, 0, bands);
  const list = new Set([0, rows - 1]);
  for (let k = 0; k < bands && list.size < most; k++) {
    const top = TILE * ((first + k * STRIDE) % bands);
    list.add(top + integer(seed, stream, k + 1, Math.min(TILE, rows - top)));
  }
  for (let k = 0; k < most && list.size < most; k++) list.add(integer(seed, stream, bands + 1 + k, rows));
  const step = list.size * length <= MOST_SAMPLED ? 1 : TILE;
  const columns = Array.from({ length: Math.ceil(length / step) }, (_, n) => n * step);
  const place = (row: number, left: number): number =>
    step === 1
      ? left
      : left + integer(seed, streamOf(`sample ${output} column ${row}`), left, Math.min(step, length - left));
  return [...list].toSorted((a, b) => a - b).flatMap((row) => columns.map((left) => row * length + place(row, left)));
}
