// Suspects in a product of matrices, without its truth: the check of Freivalds ("Probabilistic machines can use less running
// time", IFIP Congress 1977, 839-842), with signs in place of bits and a yardstick in place of equality.
//
// Let E = Y − A·B be the errors of an output Y: [I, J], and v a vector of J signs ±1, drawn independently. Then
//
//   r = Y·v − A·(B·v) = E·v                                one number for each row, at the cost of O(IJ + IK + KJ)
//
// and the same for Eᵀ gives one for each column. For any E, with the signs alone random,
//
//   mean rᵢ = 0,   mean rᵢ² = ‖Eᵢ‖² = Σⱼ Eᵢⱼ²,   P(|rᵢ| > t ‖Eᵢ‖) ≤ 2 exp(−t²/2)   (Hoeffding 1963)
//
// however the errors depend on one another. One wrong element is never hidden: it moves rᵢ by its whole error, whatever the signs.
// With n = 4 vectors the statistic is qᵢ = √(Σ rᵢ²/n). A sum of signs has no larger exponential moments than a normal number, so
// nqᵢ²/‖Eᵢ‖² has Chernoff's bound of a chi-square with n degrees of freedom:
//
//   P(qᵢ > t ‖Eᵢ‖) ≤ (t² exp(1 − t²))^(n/2)                                                                        (1)
//
// What is ‖Eᵢ‖ of a kernel without a fault? Its proven bound says nothing: at K = 4,096 the sum of a row's bounds is
// 5,200 in units in which a row of zeros is 3,200. So the yardstick is measured. Errors of sums are about proportional to
// s² = Σₖ (aᵢₖ bₖⱼ)², and errors of a last rounding to Y²:
//
//   ‖Eᵢ‖² ≈ ρ² Sᵢ,   Sᵢ = Σⱼ (sᵢⱼ² + Yᵢⱼ²),   Σⱼ sᵢⱼ² = Σₖ aᵢₖ² Σⱼ bₖⱼ²
//
// with ρ the median of |E| ÷ √(s² + Y²) over the elements that were judged exactly, over 0.674, which is the deviation of normal errors
// with that median; but not less than what half of all rows have, nor than u/√3, since any kernel may round once. So a fault in
// fewer than half of the elements moves no yardstick. A row is a suspect if qᵢ > 2tρ√Sᵢ. The factor 2 is for rows whose errors are
// larger than the measured ones, and t is such that (1) times all rows and columns is 10⁻³: with this probability a kernel without a
// fault, and with no row of twice the measured errors, has any suspect. A suspect is never a finding: its elements are held to their
// own bounds, and only these accuse.
//
// A row that is wrong by a fault of norm F has q² ≈ F² χ²₄/4, whose lowest twentieth is F² ÷ 2.37². So from 2.37 times the
// threshold on it is a suspect with a probability of 95 %.
import { bits, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { type Matrix, matrixOf, squaresTimes, timesVectors, transpose, VECTORS } from "./matrix.ts";

/** An output that is left · right. */
export interface Product {
  readonly left: Matrix;
  readonly right: Matrix;
}

/** A change of more elements is one of rows. */
const LONG = 1024;
/** A row's errors may be this many times the measured ones. */
const FACTOR = 2;
/** With which probability a kernel without a fault has a suspect. */
const FALSE_SUSPECT = 1e-3;
/** 0.711 of 4, below which a chi-square with four degrees of freedom lies with a probability of 5 %. */
const SEEN = Math.sqrt(VECTORS / 0.7107);
/** So many rows, and as many columns, are suspects at most. */
const MOST_LINES = 16;
/** The median of |x|, x normal with deviation 1. */
const NORMAL_MEDIAN = 0.6745;
/** So many NaN and infinities are replaced by what they should be; more of them are no matter of a projection. */
const MOST_REPLACED = 1024;

/** The residuals of all rows, or of all columns. */
interface Side {
  /** E · V: [lines, VECTORS]. */
  readonly residuals: Float64Array;
  readonly signs: Float64Array;
  /** √S of each line. */
  readonly scale: Float64Array;
  /** The norm of each line of the output. */
  readonly norm: Float64Array;
}

/** A judged element: where it is, and how far it is from the truth. */
export interface Measured {
  readonly at: number;
  readonly error: number;
}

/** What is known of a kernel's errors before its output is projected. */
export interface Yardstick {
  /** Elements that were drawn evenly, whatever their errors. */
  readonly measured: readonly Measured[];
  /** u of the output's format. */
  readonly u: number;
}

/** One output of a product, projected from both sides. */
export class Projection {
  readonly rows: Lines;
  readonly columns: Lines;
  private readonly width: number;

  constructor(product: Product, got: Tensor, { measured, u }: Yardstick, seed: number) {
    const y = finite(product, matrixOf(got));
    const rho = Math.max(measuredPrecision(product, y, measured), u / Math.sqrt(3));
    const most = tailAt(FALSE_SUSPECT / (y.rows + y.columns));
    const { left, right } = product;
    this.width = y.columns;
    this.rows = new Lines(project(left, right, y, seed, "row signs"), rho, most);
    this.columns = new Lines(project(transpose(right), transpose(left), transpose(y), seed, "column signs"), rho, most);
  }

  /** Whether there is nothing to look at more closely. */
  get isQuiet(): boolean {
    return this.rows.suspects.length + this.columns.suspects.length === 0;
  }

  /** Of a row of the output: which share of its norm a fault must be to be a suspect with a probability of 95 %. */
  get smallest(): number {
    return Math.max(this.rows.smallest, this.columns.smallest);
  }

  /**
   * Whether the n-th of the elements `at` would lie in a suspect row or column if they were changed by `by`, and the others as they
   * are. Since the signs are known, no probability is in it. Of a long change only rows are looked at: columns may show it too.
   */
  after(at: readonly number[], by: readonly number[]): (n: number) => boolean {
    const { width } = this;
    const row = this.rows.changed();
    const column = at.length > LONG ? undefined : this.columns.changed();
    for (const [n, i] of at.entries()) {
      const [r, c] = [Math.floor(i / width), i % width];
      row.add(r, c, by[n]);
      column?.add(c, r, by[n]);
    }
    return (n) => row.isSuspect(Math.floor(at[n] / width)) || (column?.isSuspect(at[n] % width) ?? false);
  }
}

/** Rows or columns, and which of them are suspects. */
export class Lines {
  /** Those that stand out most first. */
  readonly suspects: readonly number[];
  /** The median, over lines, of the smallest fault that is seen as a share of the line's norm. */
  readonly smallest: number;
  /** The measured errors of a line ÷ √S. */
  private readonly rho: number;
  /** How many times its measured errors the worst line has. */
  readonly most: number;
  private readonly side: Side;
  private readonly least: number;

  constructor(side: Side, measured: number, most: number) {
    const { scale, norm } = side;
    this.side = side;
    const standing = scale.map((_, line) => this.standing(line, side.residuals.subarray(line * VECTORS)));
    this.rho = Math.max(measured, medianOf(standing.filter((q) => q < Infinity)));
    const threshold = FACTOR * most * this.rho;
    const over = Array.from(standing.keys()).filter((line) => standing[line] > threshold);
    const ranked = over.toSorted((a, b) => (standing[a] === standing[b] ? a - b : standing[b] - standing[a]));
    this.suspects = ranked.slice(0, MOST_LINES);
    this.most = ranked.length === 0 ? 0 : standing[ranked[0]] / this.rho;
    this.least = ranked.length < MOST_LINES ? threshold : standing[this.suspects.at(-1)!];
    const seen = Array.from(scale, (s, line) => (SEEN * this.least * s) / norm[line]);
    this.smallest = medianOf(Float64Array.from(seen.filter((x) => x > 0 && x < Infinity)));
  }

  /** From which error on a single wrong element makes the line a suspect, if its other errors are those that it has now or less. */
  threshold(line: number): number {
    return this.least * this.side.scale[line];
  }

  /** What a fault would add to the residuals of these lines. */
  changed(): {
    readonly add: (line: number, other: number, by: number) => void;
    readonly isSuspect: (line: number) => boolean;
  } {
    const { residuals, signs } = this.side;
    const changed = new Map<number, Float64Array>();
    return {
      add: (line, other, by) => {
        let own = changed.get(line);
        if (own === undefined) changed.set(line, (own = residuals.slice(line * VECTORS, (line + 1) * VECTORS)));
        for (let n = 0; n < VECTORS; n++) own[n] += by * signs[other * VECTORS + n];
      },
      isSuspect: (line) => {
        const own = changed.get(line);
        return own === undefined ? this.suspects.includes(line) : this.standing(line, own) > this.least;
      },
    };
  }

  /** q ÷ √S of a line with these residuals. */
  private standing(line: number, residuals: Float64Array): number {
    let sum = 0;
    for (let n = 0; n < VECTORS; n++) sum += residuals[n] ** 2;
    return sum === 0 ? 0 : Math.sqrt(sum / VECTORS) / this.side.scale[line];
  }
}

/** The residuals of the rows of y = left · right. */
function project(left: Matrix, right: Matrix, y: Matrix, seed: number, name: string): Side {
  const signs = signsOf(y.columns * VECTORS, seed, name);
  const residuals = timesVectors(y, signs);
  const exact = timesVectors(left, timesVectors(right, signs));
  for (let i = 0; i < residuals.length; i++) residuals[i] -= exact[i];
  const ones = new Float64Array(y.columns).fill(1);
  const norms = squaresTimes(y, ones);
  const squares = squaresTimes(left, squaresTimes(right, ones));
  return { residuals, signs, norm: norms.map(Math.sqrt), scale: squares.map((s, i) => Math.sqrt(s + norms[i])) };
}

function signsOf(count: number, seed: number, name: string): Float64Array {
  const stream = streamOf(name);
  return Float64Array.from({ length: count }, (_, i) => 2 * (bits(seed, stream, i) & 1) - 1);
}

/** The deviation of error ÷ √(s² + y²), from its median. */
function measuredPrecision({ left, right }: Product, y: Matrix, measured: readonly Measured[]): number {
  const ratios = measured.map(({ at, error }) => {
    const [row, column] = [Math.floor(at / y.columns), at % y.columns];
    return error === 0 ? 0 : error / Math.hypot(y.data[at], Math.sqrt(dot(left, right, row, column, squared)));
  });
  return medianOf(Float64Array.from(ratios.filter((ratio) => ratio < Infinity))) / NORMAL_MEDIAN;
}

/** y with products in place of what is no number. */
function finite({ left, right }: Product, y: Matrix): Matrix {
  const where: number[] = [];
  for (let i = 0; i < y.data.length && where.length <= MOST_REPLACED; i++)
    if (!(Math.abs(y.data[i]) < Infinity)) where.push(i);
  if (where.length === 0) return y;
  const data = Float64Array.from(y.data, (value) => (Math.abs(value) < Infinity ? value : 0));
  if (where.length <= MOST_REPLACED)
    for (const i of where) data[i] = dot(left, right, Math.floor(i / y.columns), i % y.columns, (value) => value);
  return { ...y, data };
}

/** Σ f(left[row, k]) · f(right[k, column]). */
function dot(left: Matrix, right: Matrix, row: number, column: number, f: (x: number) => number): number {
  const [start, step] = left.isTransposed ? [row, left.rows] : [row * left.columns, 1];
  const [from, by] = right.isTransposed ? [column * right.rows, 1] : [column, right.columns];
  let sum = 0;
  for (let k = 0; k < left.columns; k++) sum += f(left.data[start + k * step]) * f(right.data[from + k * by]);
  return sum;
}

function squared(x: number): number {
  return x * x;
}

/** The lower of the two where there are two. */
function medianOf(list: Float64Array): number {
  return list.length === 0 ? 0 : list.toSorted()[(list.length - 1) >> 1];
}

/** t ≥ 1 with (t² exp(1 − t²))^(VECTORS/2) = p, by bisection. */
export function tailAt(p: number): number {
  let [low, high] = [1, 1e3];
  for (let step = 0; step < 60; step++) {
    const t = (low + high) / 2;
    if ((VECTORS / 2) * (Math.log(t * t) + 1 - t * t) > Math.log(p)) low = t;
    else high = t;
  }
  return high;
}
