// Checksums: sums over the rows of an output that are known without its truth, for a row that is wrong by less than its size shows.
//
// Where Aᵀ·X is known for an output X of n rows and a matrix A of as many, rows xᵢ that err by eᵢ give (Huang and Abraham 1984,
// "Algorithm-based fault tolerance for matrix operations")
//
//   D  =  Aᵀ·X − known  =  Σᵢ aᵢ ⊗ eᵢ                and of one wrong row i alone   D = aᵢ ⊗ eᵢ,
//
// which tells two things: that a row is wrong, by the size of D, and which one, since aᵢ is the only row that points to where the columns
// of D do. Instead of X and D their products with four vectors v of ±1 are taken, so the costs are four times those of reading A and X.
//
// D is never 0: correct rows err too. With errors that are independent, r of the row's norm each,
//
//   E|D·V|²  =  4·r²·Σᵢ |aᵢ|²·|xᵢ|²  (+ the same of what the known sum was computed from),
//
// and r is what was measured at the sampled elements. D counts where it is larger by a factor of 4. A check that is wrong costs
// time and accuses nobody: what it suspects is held to truth and bound.
import { bits, streamOf } from "../../reference/random.ts";
import { VECTORS } from "./matrix.ts";

/** Rows of numbers of the same length that lie anywhere in a tensor. */
export interface Rows {
  readonly data: ArrayLike<number>;
  readonly count: number;
  readonly length: number;
  /** The flat index at which a row begins. */
  readonly start: (row: number) => number;
}

/** Aᵀ·X is known as Cᵀ·Z. */
export interface Checksum {
  readonly a: Rows;
  readonly x: Rows;
  readonly c: Rows;
  readonly z: Rows;
  /** How far the rows of C and Z err, as a share of their norm, where they are no exact numbers. */
  readonly known: number;
}

/** D is too large where it exceeds what is expected by this factor. */
const FACTOR = 4;
/** A row is a suspect where its a points to D, cos ∠(aᵢ, D) at least this; one that is the only wrong one has about 1. */
const POINTS = 0.7;
/** A row that points so well to D has no other before it, unless its vectors are short. */
const SURE = 0.95;
const SHORTEST = 16;
/** The most suspect rows of one checksum. */
const MOST = 4;

/** One checksum of an output that was given. */
export class Checked {
  /** Suspects with cos ∠(aᵢ, D), the largest first. */
  readonly suspects: readonly { readonly row: number; readonly cosine: number }[];
  private readonly difference: Float64Array;
  private readonly limit: number;
  private readonly vectors: Float64Array;
  private readonly a: Rows;
  /** Whether A's rows point the same way, so that it is chance which of them are suspects. */
  private readonly areAlike: boolean;

  /** `measured`: how far the rows of X err, as a share of their norm. */
  constructor({ a, x, c, z, known }: Checksum, measured: number, seed: number) {
    const vectors = signs(x.length, seed);
    const ofX = times(a, x, vectors);
    const ofZ = times(c, z, vectors);
    this.a = a;
    this.areAlike = a.count > 1 && isParallel(a, 0, 1);
    this.vectors = vectors;
    this.difference = ofX.product.map((sum, i) => sum - ofZ.product[i]);
    this.limit = FACTOR * Math.sqrt(VECTORS * (measured ** 2 * ofX.squares + known ** 2 * ofZ.squares));
    const found: { row: number; cosine: number }[] = [];
    if (this.isTooLarge(this.difference)) {
      for (let row = 0; row < a.count; row++) {
        const cosine = cosineOf(a, row, this.difference);
        if (cosine >= POINTS) found.push({ row, cosine });
      }
    }
    this.suspects = found.toSorted((p, q) => q.cosine - p.cosine).slice(0, MOST);
  }

  /** cos ∠(aᵢ, D) if row i were wrong by e in addition, and no other; undefined where it would not be among the suspects. */
  after(row: number, e: ArrayLike<number>): number | undefined {
    const { a, vectors, difference } = this;
    const moved = project(e, 0, e.length, vectors);
    const start = a.start(row);
    const after = difference.map((d, i) => d + a.data[start + Math.floor(i / VECTORS)] * moved[i % VECTORS]);
    if (this.areAlike || !this.isTooLarge(after)) return undefined;
    const cosine = cosineOf(a, row, after);
    if (!(cosine >= POINTS)) return undefined;
    if (cosine >= SURE && a.length >= SHORTEST) return cosine;
    let before = 0;
    for (let other = 0; other < a.count && before < MOST; other++)
      if (other !== row && cosineOf(a, other, after) >= cosine) before++;
    return before < MOST ? cosine : undefined;
  }

  private isTooLarge(difference: Float64Array): boolean {
    return normOf(difference) > this.limit; // false of NaN, which other checks find
  }
}

/** Aᵀ·(X·V), [columns of A, VECTORS], and Σᵢ |aᵢ|²·|xᵢ|². */
function times(a: Rows, x: Rows, vectors: Float64Array): { readonly product: Float64Array; readonly squares: number } {
  const product = new Float64Array(a.length * VECTORS);
  let squares = 0;
  for (let row = 0; row < a.count; row++) {
    const [ofA, ofX] = [a.start(row), x.start(row)];
    const projected = project(x.data, ofX, x.length, vectors);
    let [left, right] = [0, 0];
    for (let j = 0; j < x.length; j++) right += x.data[ofX + j] ** 2;
    for (let i = 0, to = 0; i < a.length; i++) {
      const factor = a.data[ofA + i];
      left += factor * factor;
      for (let n = 0; n < VECTORS; n++, to++) product[to] += factor * projected[n];
    }
    squares += left * right;
  }
  return { product, squares };
}

/** x·V of one row. */
function project(data: ArrayLike<number>, start: number, length: number, vectors: Float64Array): Float64Array {
  const sums = new Float64Array(VECTORS);
  for (let j = 0, at = 0; j < length; j++) {
    const x = data[start + j];
    for (let n = 0; n < VECTORS; n++, at++) sums[n] += x * vectors[at];
  }
  return sums;
}

/** |aᵢᵀ·D| ÷ (|aᵢ|·|D|). */
function cosineOf(a: Rows, row: number, difference: Float64Array): number {
  const start = a.start(row);
  const sums = new Float64Array(VECTORS);
  let square = 0;
  for (let i = 0, at = 0; i < a.length; i++) {
    const factor = a.data[start + i];
    square += factor * factor;
    for (let n = 0; n < VECTORS; n++, at++) sums[n] += factor * difference[at];
  }
  return square === 0 ? 0 : normOf(sums) / Math.sqrt(square) / normOf(difference);
}

/** Whether two rows point the same way, as far as a wrong row could be told from another by it. */
function isParallel({ data, length, start }: Rows, one: number, other: number): boolean {
  let [product, squares, others] = [0, 0, 0];
  for (let i = 0; i < length; i++) {
    const [x, y] = [data[start(one) + i], data[start(other) + i]];
    product += x * y;
    squares += x * x;
    others += y * y;
  }
  return !(Math.abs(product) < POINTS * Math.sqrt(squares * others));
}

function normOf(list: Float64Array): number {
  return Math.sqrt(list.reduce((sum, x) => sum + x * x, 0));
}

/** [length, VECTORS] of ±1. */
function signs(length: number, seed: number): Float64Array {
  const stream = streamOf("checksum");
  return Float64Array.from({ length: length * VECTORS }, (_, i) => 1 - 2 * (bits(seed, stream, i) & 1));
}
