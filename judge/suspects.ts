// Which elements of a large output are suspects: those whose error is largest, on each of several scales.
//
// An element should rank by error ÷ bound, but its bound is what is too dear to compute everywhere. A bound grows with the
// numbers that an element is made of, and these show in the truth: in the element itself, and in its surroundings, the root mean
// squares of its row and of its column, whose product stands to the mean of all as |x||w| to a product of matrices.
import type { DType } from "../reference/dtype.ts";
import type { Tensor } from "../reference/tensor.ts";

/** How many elements each scale makes suspects. */
export const SUSPECTS = 64;
/** A tensor of one axis has no rows; its neighbours are of one size where its inputs are sorted. */
const BLOCK = 256;
/** What an element that is nearly 0 counts as, a share of its surroundings. */
const FLOOR = 1 / 4096;
/** So many of the smallest normal numbers: an error of a flush, which is below one, ranks low. */
const FLUSHED = 64;

const COUNT = 5;
/** The scales of one output: for each element what its bound may be proportional to. */
export class Scales {
  static readonly names: readonly number[] = [...Array(COUNT).keys()];
  /** The scales of the element of the last call of `at`. */
  readonly values = new Float64Array(COUNT);
  /** The largest number of the output's format. */
  readonly max: number;
  private readonly data: Tensor["data"];
  private readonly width: number;
  private readonly rows: Float64Array;
  private readonly columns: Float64Array;
  private readonly flushed: number;

  /** The truth of an output, or the output itself, which is stored in `format`. */
  constructor({ data, shape }: Tensor, format: DType) {
    const hasRows = shape.length > 1;
    this.data = data;
    this.width = hasRows ? shape.at(-1)! : BLOCK;
    this.max = format.max;
    this.flushed = FLUSHED * format.minNormal;
    const { rows, columns } = sumsOfSquares(data, this.width);
    const all = rows.reduce((sum, x) => sum + x, 0);
    this.rows = rows.map((sum) => Math.sqrt(sum / this.width));
    this.columns = columns.map((sum) => (hasRows && all > 0 ? Math.sqrt((sum * this.width) / all) : 1));
  }

  /** Fills `values` for element i. */
  at(i: number): Float64Array {
    const { values, width } = this;
    const row = Math.floor(i / width);
    const own = Math.abs(this.data[i]);
    const surroundings = this.rows[row] * this.columns[i - row * width];
    values[0] = 1;
    values[1] = surroundings;
    values[2] = own + FLOOR * surroundings;
    values[3] = Math.sqrt(own * surroundings);
    // Exponentials are of one size nowhere; what is rounded once errs by half a unit in the last place.
    values[4] = powerBelow(own + this.flushed);
    return values;
  }
}

function sumsOfSquares(
  data: Tensor["data"],
  width: number,
): { readonly rows: Float64Array; readonly columns: Float64Array } {
  const rows = new Float64Array(Math.ceil(data.length / width));
  const columns = new Float64Array(width);
  for (let row = 0, i = 0; row < rows.length; row++) {
    const end = Math.min(width, data.length - row * width);
    for (let column = 0; column < end; column++, i++) {
      const square = data[i] * data[i];
      if (!(square < Infinity)) continue;
      rows[row] += square;
      columns[column] += square;
    }
  }
  return { rows, columns };
}

const real = new Float64Array(1);
const words = new Uint32Array(real.buffer);
/** The word that holds the exponent. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** The power of two at or below a normal number of float64. */
function powerBelow(x: number): number {
  real[0] = x;
  words[HIGH] &= 0x7ff00000;
  words[1 - HIGH] = 0;
  return real[0];
}

/** The elements that stand out, and whether an element would with another error. */
export class Suspects {
  readonly list: readonly number[];
  private readonly scales: Scales;
  private readonly least: Float64Array;

  /** `areInfinitiesDue`: the target promises infinities, so that anything else is wrong where the truth is one. */
  constructor(got: Tensor, want: Tensor<Float64Array>, scales: Scales, areInfinitiesDue = false) {
    this.scales = scales;
    const most = areInfinitiesDue ? Infinity : scales.max;
    const tops = Scales.names.map(() => new Top(SUSPECTS));
    for (let i = 0; i < want.data.length; i++) {
      const error = errorOf(got.data[i], want.data[i], most);
      if (error === 0) continue;
      const values = scales.at(i);
      // No error is NaN. ∞ · 0 is, where the list is full of errors of a truth that is 0: one more of them tells nothing.
      for (let s = 0; s < COUNT; s++) if (error > tops[s].least * values[s]) tops[s].add(i, error / values[s]);
    }
    for (const top of tops) top.cut();
    this.list = [...new Set(tops.flatMap((top) => top.indices))];
    this.least = Float64Array.from(tops, ({ least }) => least);
  }

  /** Whether element i would be a suspect if it were wrong by `error`, and the others as they are. */
  has(i: number, error: number): boolean {
    if (!(error > 0)) return false;
    const values = this.scales.at(i);
    return this.least.some((least, s) => error > least * values[s]);
  }
}

/** Never NaN: what is no number is infinitely wrong, except where the truth is beyond `most`, where nothing is judged. */
function errorOf(got: number, want: number, most: number): number {
  if (got === want) return 0;
  const error = Math.abs(got - want);
  if (error < Infinity) return error;
  return Math.abs(want) <= most ? Infinity : 0;
}

/** The largest of many numbers, with their indices. */
class Top {
  /** What a number must exceed to be among them. */
  least = 0;
  private readonly count: number;
  private kept: (readonly [i: number, value: number])[] = [];

  constructor(count: number) {
    this.count = count;
  }

  get indices(): number[] {
    return this.kept.map(([i]) => i);
  }

  add(i: number, value: number): void {
    this.kept.push([i, value]);
    if (this.kept.length === 8 * this.count) this.cut();
  }

  cut(): void {
    this.kept = this.kept.toSorted(([, a], [, b]) => (a === b ? 0 : b - a)).slice(0, this.count);
    if (this.kept.length === this.count) this.least = this.kept.at(-1)![1];
  }
}

/** Not below the bound of any element: the scale that known bounds follow most closely, times the largest bound ÷ scale among them. */
export function estimateOf(
  scales: Scales,
  known: readonly number[],
  boundOf: (i: number) => number,
): (i: number) => number {
  const fits = Scales.names.map((name) => {
    const ratios = known.map((i) => boundOf(i) / scales.at(i)[name]);
    const finite = ratios.filter((ratio) => ratio > 0 && ratio < Infinity).toSorted((a, b) => a - b);
    const most = finite.at(-1) ?? 0;
    return { name, most, spread: most / (finite[finite.length >> 1] ?? 1) };
  });
  const [{ name, most }] = fits.toSorted((a, b) => a.spread - b.spread);
  return (i) => most * scales.at(i)[name];
}
