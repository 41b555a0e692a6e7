// Runs a candidate on sums of such terms, and remembers what it gave.
import type { Candidate } from "../../reference/candidate.ts";
import { type DTypeName, dtypes } from "../../reference/dtype.ts";
import { type Operation, storageOf } from "../../reference/operation.ts";
import { runCandidate } from "../candidates/run.ts";
import type { Problem, Sizes } from "../case.ts";
import { indexOf } from "../compare.ts";
import { roundProblem } from "../verdict.ts";
import type { Layout } from "./layout.ts";
import { type Marks, MINUS, PLUS, type Scale, scalesOf, secondOf, UNIT, ZERO } from "./marks.ts";
import { NoTree } from "./tree.ts";

/** A sum of a candidate. */
export interface Asked {
  readonly layout: Layout;
  readonly operation: Operation;
  readonly candidate: Candidate;
  readonly dtype: DTypeName;
  readonly sizes: Sizes;
  readonly onRun?: (runs: number) => void;
}

/** Answers that are asked for again where they fit no tree. */
const ASKED_AGAIN = 8;
/** Bytes of answers that are remembered. */
const MOST_REMEMBERED = 2 ** 30;
/** Terms that a finding lists. */
const MOST_LISTED = 8;
/** What fewer units than terms are counted at a time, where the formats of sums or outputs hold no larger number. */
const PIECES = [2048, 256, 64, 16];

/** What M and units are, and how many units there are at a time. */
export interface Manner {
  readonly scale: Scale;
  readonly piece: number;
}

/** Runs the candidate, and remembers what it gave. */
export class Asker {
  readonly terms: number;
  readonly places: readonly number[];
  readonly complaints = new Set<string>();
  runs = 0;
  private readonly asked: Asked;
  private readonly shape: readonly number[];
  private readonly known = new Map<number, ArrayLike<number>>();
  private manner: Manner;
  /** What all units added up to, at first. */
  private seen: number | undefined;
  /** How many manners gave answers of no tree. */
  refused = 0;

  constructor(asked: Asked) {
    const { layout, sizes, dtype, operation } = asked;
    this.asked = asked;
    this.terms = layout.terms(sizes);
    const [scale] = scalesOf(dtype, layout.factors);
    this.manner = { scale, piece: this.terms };
    const { inputs, scalars } = layout.problem(new Uint8Array(this.terms), scale, sizes);
    const { shape } = operation.evaluate(inputs, scalars, Float32Array)[layout.output];
    this.shape = shape;
    this.places = layout.places?.(sizes) ?? Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
  }

  indexOf(place: number): readonly number[] {
    return indexOf(this.places[place], this.shape);
  }

  /** Each place's sum with M at i and −M at j. */
  async between(i: number, j: number): Promise<ArrayLike<number>> {
    const key = Math.min(i, j) * this.terms + Math.max(i, j);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const sums = await this.counted((marks) => {
      marks[Math.min(i, j)] = PLUS;
      marks[Math.max(i, j)] = MINUS;
    });
    if ((this.known.size + 1) * sums.length * 8 > MOST_REMEMBERED) this.known.clear();
    this.known.set(key, sums);
    return sums;
  }

  /** How many sums are asked in one run; 1 where places share their terms. */
  get lanes(): number {
    const { layout, sizes } = this.asked;
    return Number.isNaN(secondOf(this.manner.scale)) ? 1 : (layout.lanes?.count(sizes) ?? 1);
  }

  /** ℓ(i, j) for each of the others, as many at a time as there are lanes. Throws NoTree, also where places of a lane differ. */
  async inLanes(i: number, others: readonly number[]): Promise<number[]> {
    const { lanes: count } = this;
    const sizes: number[] = [];
    for (let from = 0; from < others.length; from += count) {
      const chunk = others.slice(from, from + count);
      const sums = await this.countedIn((marks, lane) => {
        const j = chunk[Math.min(lane, chunk.length - 1)];
        marks[Math.min(i, j)] = PLUS;
        marks[Math.max(i, j)] = MINUS;
      });
      for (const [lane, j] of chunk.entries()) sizes.push(this.sizeAt(sums[lane], i, j));
    }
    return sizes;
  }

  /** Whether the last answers are others when they are asked for again. */
  async differs(): Promise<boolean> {
    for (const [key, sums] of [...this.known].slice(-ASKED_AGAIN)) {
      this.known.delete(key);
      const again = await this.between(Math.floor(key / this.terms), key % this.terms);
      if (Array.from(again).some((sum, k) => !Object.is(sum, sums[k]))) return true;
    }
    return false;
  }

  /** How many terms meet where these two do, from the sum. Throws NoTree. */
  sizeAt(sum: number, i: number, j: number): number {
    const size = this.terms - sum;
    if (Number.isInteger(size) && size >= 2 && size <= this.terms) return size;
    throw new NoTree(
      `with M at term ${i} and −M at term ${j} the units that are left add up to ${sum}, expected a whole number up to ${this.terms - 2}`,
    );
  }

  /** From the largest M on, and from all units at once; an output holds no larger number of them than its format has. */
  manners(): Manner[] {
    const { terms: n, asked } = this;
    const { layout, operation, dtype } = asked;
    const most = 2 ** dtypes[storageOf(operation, layout.output, dtype)].precision;
    const pieces = [Math.min(n, most), ...PIECES.filter((piece) => piece < Math.min(n, most))];
    return scalesOf(dtype, layout.factors).flatMap((scale) => pieces.map((piece) => ({ scale, piece })));
  }

  /** Whether all units add up to their number, and M and −M to a number of them. */
  async works(manner: Manner): Promise<boolean> {
    const { terms: n } = this;
    this.manner = manner;
    this.known.clear();
    const [sum] = Array.from(await this.counted(() => {}));
    this.seen ??= sum;
    if (sum !== n) return false;
    const [left] = Array.from(await this.between(0, n - 1));
    return Number.isInteger(left) && left >= 0 && left <= n - 2;
  }

  /** Why no manner works. */
  get obstacle(): string {
    return `${this.terms} units add up to ${this.seen}, and those next to M and −M to no number of them, at any M that was tried`;
  }

  /** Which terms are not added exactly once, if that is what is wrong. */
  async lost(): Promise<string[]> {
    [this.manner] = this.manners();
    const times = new Map<number, number[]>();
    for (let k = 0; k < this.terms; k++) {
      const sum = await this.alone(k);
      if (!Number.isInteger(sum)) return [];
      if (sum !== 1) times.set(sum, [...(times.get(sum) ?? []), k]);
    }
    const [first] = [...times.values()][0] ?? [];
    if (first !== undefined) await this.alone(first); // the files of this run are those that are kept
    return [...times].map(([sum, list]) => {
      const shown = list.slice(0, MOST_LISTED).join(", ");
      const more = list.length > MOST_LISTED ? ` and ${list.length - MOST_LISTED} more` : "";
      return `${sum === 0 ? "lost" : `added ${sum} times`}: ${list.length === 1 ? "term" : "terms"} ${shown}${more}`;
    });
  }

  /** The first place's sum of a unit at one term and zeros at the others. */
  private async alone(term: number): Promise<number> {
    const marks = new Uint8Array(this.terms);
    marks[term] = UNIT;
    return (await this.run(marks))[0];
  }

  /** Each place's sum of units, a piece at a time, with the same other terms each time. */
  private counted(place: (marks: Marks) => void): Promise<ArrayLike<number>> {
    return this.inPieces((units) => {
      place(units);
      return this.run(units);
    });
  }

  /** Each lane's, which all of its places have. Throws NoTree where they differ. */
  private countedIn(place: (marks: Marks, lane: number) => void): Promise<ArrayLike<number>> {
    const { layout, sizes } = this.asked;
    const { lanes: count } = this;
    return this.inPieces(async (units) => {
      const marks = Array.from({ length: count }, (_, lane) => {
        const own = units.slice();
        place(own, lane);
        return own;
      });
      const sums = await this.runWith(layout.lanes!.problem(marks, this.manner.scale, sizes), marks[0]);
      const ofLane = new Float64Array(count).fill(NaN);
      for (let k = 0; k < sums.length; k++) {
        const lane = layout.lanes!.of(k, sizes);
        if (!Number.isNaN(ofLane[lane]) && ofLane[lane] !== sums[k]) throw new NoTree("places of one lane differ");
        ofLane[lane] = sums[k];
      }
      return ofLane;
    });
  }

  /** Sums of a piece of the units after another. */
  private async inPieces(run: (units: Marks) => Promise<ArrayLike<number>>): Promise<ArrayLike<number>> {
    const { terms: n } = this;
    const { piece } = this.manner;
    let total: Float64Array | undefined;
    for (let from = 0; from < Math.max(1, n); from += Math.max(1, piece)) {
      const sums = await run(new Uint8Array(n).fill(ZERO).fill(UNIT, from, Math.min(n, from + piece)));
      if (piece >= n) return sums;
      total ??= new Float64Array(sums.length);
      for (let k = 0; k < sums.length; k++) total[k] += sums[k];
    }
    return total!;
  }

  private run(marks: Marks): Promise<ArrayLike<number>> {
    const { layout, sizes } = this.asked;
    return this.runWith(layout.problem(marks, this.manner.scale, sizes), marks);
  }

  private async runWith(given: Problem, marks: Marks): Promise<ArrayLike<number>> {
    const { layout, operation, candidate, dtype, sizes, onRun } = this.asked;
    const problem = roundProblem(operation, given, dtype);
    const { outputs, complaints } = await runCandidate(operation, candidate, problem);
    this.runs++;
    onRun?.(this.runs);
    for (const complaint of complaints) this.complaints.add(complaint);
    const got = outputs[layout.output];
    if (got === undefined) throw new Error(`output ${layout.output} is missing`);
    if (got.shape.join() !== this.shape.join())
      throw new Error(`output ${layout.output} has shape [${got.shape}], expected [${this.shape}]`);
    return layout.read(outputs, { marks, scale: this.manner.scale, sizes });
  }
}
