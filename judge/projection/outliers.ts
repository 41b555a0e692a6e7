// Suspects among the elements of an output by their own sizes, without its truth.
//
// Numbers drawn at random give outputs that are hardly ever exactly 0, equal to their neighbour, or the same in several places; a
// tile that was not written, was written twice, or is a constant fill is all of it. So these oddities are counted, each for itself:
//
//   zero      exactly 0
//   equal     the value of the next element
//   repeated  eight in a row that occur elsewhere in the output, at the same distance from their row's beginning modulo 8; in rows of
//             fewer than eight, eight in memory
//   large     largest as a share of the root mean squares of row and column, |y| ÷ √(mean of the row · of the column)
//   row       of the rows with the largest and the smallest root mean square
//
// Of each, some are suspects: all if they are few, else some that are drawn. Where an oddity is ordinary, as zeros are after a mask
// or equal neighbours in 16 bits, a fault hides among them, and the probability of that is known: it is said in what would
// have been missed. A suspect is never a finding; it is held to its own bound.
import { bits, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { matrixOf } from "./matrix.ts";

/** How many elements of each kind become suspects. */
const MOST = 48;
/** Eight numbers in a row that are equal in their bits to eight others are no accident, even in 16 bits. */
const RUN = 8;
/** These are there in every output, so they are fewer: largest elements, and rows at either end of the ranking by size. */
const LARGEST = 16;
const ROWS = 4;

/** Elements that are odd in the same way: how many there are, and some of them. */
interface Oddity {
  readonly count: number;
  readonly drawn: readonly number[];
}

/** The oddities of one output. */
export class Outliers {
  /** Ascending. */
  readonly suspects: readonly number[];
  private readonly zeros: Oddity;
  private readonly equals: Oddity;
  private readonly repeats: Oddity;
  private readonly data: ArrayLike<number>;
  /** Where runs of eight begin anew. */
  private readonly width: number;
  private readonly largest: Largest;

  constructor(got: Tensor, seed: number) {
    const { data, columns } = matrixOf(got);
    this.data = data;
    this.width = columns < RUN ? data.length : columns;
    this.zeros = drawn(data.length, (i) => data[i] === 0, seed, "zeros");
    this.equals = drawn(data.length, (i) => data[i] === data[i + 1], seed, "equals");
    this.repeats = repeated(data, this.width, seed);
    const { zeros, equals, repeats } = this;
    this.largest = new Largest(data, columns);
    const all = [...zeros.drawn, ...equals.drawn, ...repeats.drawn.flatMap(runFrom), ...this.largest.suspects];
    this.suspects = [...new Set(all)].filter((i) => i < data.length).toSorted((a, b) => a - b);
  }

  /**
   * The probability that the n-th of the elements `at`, ascending, is a suspect if they held the values `by`, and the others what
   * they do. Runs count where `areRepeated` says that the values stand elsewhere too, each at its first element.
   */
  after(at: readonly number[], by: readonly number[], areRepeated: boolean): (n: number) => number {
    const { data, width, zeros, equals, repeats, largest } = this;
    const isNext = (n: number): boolean => by[n] === (at[n + 1] === at[n] + 1 ? by[n + 1] : data[at[n] + 1]);
    const areZero = by.reduce((count, value) => count + Number(value === 0), 0);
    const areEqual = at.reduce((count, _, n) => count + Number(isNext(n)), 0);
    const runs = areRepeated ? 2 * Math.floor(at.length / RUN) : 0;
    const chance = (count: number): number => Math.min(1, MOST / Math.max(1, count));
    const ofZero = chance(zeros.count + areZero);
    const ofEqual = chance(equals.count + areEqual);
    const ofRun = runs === 0 ? 0 : chance(repeats.count + runs);
    return (n) => {
      if (at.length === 1 && largest.wouldBe(at[0], by[0])) return 1;
      const column = at[n] % width;
      const isFirst = column % RUN === 0 && column + RUN <= width && at[n + RUN - 1] === at[n] + RUN - 1;
      return Math.max(by[n] === 0 ? ofZero : 0, isNext(n) ? ofEqual : 0, isFirst ? ofRun : 0);
    };
  }
}

/** Those of n elements that are so. Of many, those whose hash is smallest: each is as likely as any other. */
function drawn(n: number, isOdd: (i: number) => boolean, seed: number, name: string): Oddity {
  const draw = new Draw(seed, name);
  for (let i = 0; i < n; i++) if (isOdd(i)) draw.add(i);
  return draw.oddity();
}

/** Keeps MOST of the elements that are added. */
class Draw {
  private count = 0;
  private kept: (readonly [i: number, hash: number])[] = [];
  private least = Infinity;
  private readonly seed: number;
  private readonly stream: number;

  constructor(seed: number, name: string) {
    this.seed = seed;
    this.stream = streamOf(`odd ${name}`);
  }

  add(i: number): void {
    this.count++;
    const hash = bits(this.seed, this.stream, i);
    if (hash > this.least) return;
    this.kept.push([i, hash]);
    if (this.kept.length === 8 * MOST) this.cut();
  }

  oddity(): Oddity {
    this.cut();
    return { count: this.count, drawn: this.kept.map(([i]) => i) };
  }

  private cut(): void {
    this.kept = this.kept.toSorted(([, a], [, b]) => a - b).slice(0, MOST);
    if (this.kept.length === MOST) this.least = this.kept.at(-1)![1];
  }
}

/** The first elements of runs that occur more than once. A slot holds the number of a run, from 1 on, negative once it is counted. */
function repeated(data: ArrayLike<number>, columns: number, seed: number): Oddity {
  const draw = new Draw(seed, "repeats");
  const across = Math.floor(columns / RUN);
  const runs = across * Math.floor(data.length / Math.max(1, columns));
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * runs + 2)));
  const startOf = (run: number): number => Math.floor(run / across) * columns + (run % across) * RUN;
  for (let run = 0; run < runs; run++) {
    const start = startOf(run);
    let slot = hashOf(data, start) & (slots.length - 1);
    while (slots[slot] !== 0 && !isEqual(data, start, startOf(Math.abs(slots[slot]) - 1)))
      slot = (slot + 1) & (slots.length - 1);
    const first = slots[slot];
    if (first === 0) slots[slot] = run + 1;
    else draw.add(start);
    if (first <= 0) continue;
    draw.add(startOf(first - 1));
    slots[slot] = -first; // it counts once
  }
  return draw.oddity();
}

const real = new Float64Array(1);
const words = new Int32Array(real.buffer);

function hashOf(data: ArrayLike<number>, start: number): number {
  let hash = 0x811c9dc5;
  for (let k = 0; k < RUN; k++) {
    real[0] = data[start + k] + 0; // −0 equals 0
    hash = Math.imul(hash ^ words[0], 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ words[1], 0xc2b2ae35);
    hash ^= hash >>> 13;
  }
  return hash >>> 0;
}

function isEqual(data: ArrayLike<number>, a: number, b: number): boolean {
  for (let k = 0; k < RUN; k++) if (data[a + k] !== data[b + k]) return false;
  return true;
}

/** Two elements of a run: its first and its last. */
function runFrom(start: number): number[] {
  return [start, start + RUN - 1];
}

/** The largest elements in the rows and columns that they lie in, and one element of each of the largest and smallest rows. */
class Largest {
  readonly suspects: readonly number[];
  private readonly ofRows: Float64Array;
  private readonly ofColumns: Float64Array;
  private readonly data: ArrayLike<number>;
  /** What the score of a further one has to exceed. */
  private readonly least: number;
  /** The rows at either end of the ranking, each with its largest element. */
  private readonly ends: ReadonlyMap<number, number>;

  constructor(data: ArrayLike<number>, columns: number) {
    const rows = Math.ceil(data.length / Math.max(1, columns));
    this.data = data;
    this.ofRows = new Float64Array(rows);
    this.ofColumns = new Float64Array(columns);
    const { ofRows, ofColumns } = this;
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, i++) {
        const square = data[i] * data[i];
        if (!(square < Infinity)) continue;
        ofRows[row] += square;
        ofColumns[column] += square;
      }
    }
    let top: (readonly [i: number, score: number])[] = [];
    let least = 0;
    const cut = (): void => {
      top = top.toSorted(([, a], [, b]) => b - a).slice(0, LARGEST);
      if (top.length === LARGEST) least = top.at(-1)![1];
    };
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, i++) {
        const score = (data[i] * data[i]) / Math.sqrt(ofRows[row] * ofColumns[column]);
        if (!(score > least)) continue;
        top.push([i, score]);
        if (top.length === 8 * LARGEST) cut();
      }
    }
    cut();
    this.least = least;
    const ranked = Array.from(ofRows.keys()).toSorted((a, b) => ofRows[a] - ofRows[b]);
    const ends = columns === 0 ? [] : [...ranked.slice(0, ROWS), ...ranked.slice(-ROWS)];
    this.ends = new Map(ends.map((row) => [row, largestIn(data, row * columns, columns)]));
    this.suspects = [...top.map(([i]) => i), ...this.ends.values()];
  }

  /** Whether an element would be one of the largest if it alone were another number. */
  wouldBe(i: number, value: number): boolean {
    const { data, ofRows, ofColumns, least } = this;
    const more = value * value - data[i] * data[i];
    const columns = ofColumns.length;
    const first = this.ends.get(Math.floor(i / columns));
    if (first !== undefined && Math.abs(value) >= Math.abs(data[first])) return true;
    const scale = (ofRows[Math.floor(i / columns)] + more) * (ofColumns[i % columns] + more);
    return (value * value) / Math.sqrt(scale) > least;
  }
}

/** The largest of one row. */
function largestIn(data: ArrayLike<number>, start: number, length: number): number {
  let at = start;
  for (let i = start; i < start + length; i++) if (Math.abs(data[i]) > Math.abs(data[at])) at = i;
  return at;
}
