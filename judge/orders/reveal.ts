// Asks a candidate for sums of such terms until they have shown the tree of its additions.
import type { Candidate } from "../../reference/candidate.ts";
import { type Operation, storageOf } from "../../reference/operation.ts";
import { bits } from "../../reference/random.ts";
import type { SumTree } from "../../reference/sum-tree.ts";
import { runCandidate } from "../candidates/run.ts";
import type { Sizes } from "../case.ts";
import { indexOf } from "../compare.ts";
import { roundProblem } from "../verdict.ts";
import { type DTypeName, dtypes } from "../../reference/dtype.ts";
import type { Layout } from "./layout.ts";
import { type Marks, MINUS, PLUS, type Scale, scalesOf, UNIT, ZERO } from "./marks.ts";
import { NoTree, Subtrees, treeOf } from "./tree.ts";

/** A sum of a candidate. */
export interface Asked {
  readonly layout: Layout;
  readonly operation: Operation;
  readonly candidate: Candidate;
  readonly dtype: DTypeName;
  readonly sizes: Sizes;
  readonly onRun?: (runs: number) => void;
}

/** A tree, and where it was found. */
export interface Found {
  readonly tree: SumTree;
  /** At how many places, and the index of the first one. */
  readonly places: number;
  readonly first: readonly number[];
}

export interface Revealed {
  /** From the one at most places on; empty where there is a finding or a reason. */
  readonly trees: readonly Found[];
  /** Places whose order is yet another. */
  readonly others: number;
  /** How many places there are. */
  readonly places: number;
  /** What no correct kernel does, a line each. */
  readonly findings: readonly string[];
  /** Why there is no tree. */
  readonly reason?: string;
  readonly runs: number;
}

/** So many orders at different places are told apart. */
const MOST_TREES = 4;
/** Pairs of terms that are asked once more, of a tree that is found. */
const CHECKS = 32;
/** So often answers of no tree are asked for again, with another M or fewer units at a time. */
const MOST_REFUSED = 3;
/** Answers that are asked for again where they fit no tree. */
const ASKED_AGAIN = 8;
/** Bytes of answers that are remembered. */
const MOST_REMEMBERED = 2 ** 30;
/** Terms that a finding lists. */
const MOST_LISTED = 8;
/** What fewer units than terms are counted at a time, where the formats of sums or outputs hold no larger number. */
const PIECES = [2048, 256, 64, 16];

/** Reveals the order. Throws what the candidate throws. */
export async function reveal(asked: Asked): Promise<Revealed> {
  const asker = new Asker(asked);
  let found: Outcome | undefined;
  let lost: readonly string[] = [];
  for (const manner of asker.manners()) {
    if (!(await asker.works(manner))) continue;
    const tried = await treesOf(asker).catch(reasonOf);
    if (tried.reason !== undefined && (await asker.differs())) {
      found = { ...nothing, reason: "two runs on the same inputs differ, so their answers are those of no tree" };
      break;
    }
    found = tried.reason === undefined ? tried : (found ?? tried);
    if (tried.reason === undefined || ++asker.refused === MOST_REFUSED) break;
  }
  if (found === undefined) lost = await asker.lost();
  const { trees, others, reason } = found ?? { ...nothing, ...(lost.length === 0 && { reason: asker.obstacle }) };
  return {
    trees,
    others,
    places: asker.places.length,
    findings: [...lost, ...asker.complaints],
    ...(reason !== undefined && { reason }),
    runs: asker.runs,
  };
}

type Outcome = Pick<Revealed, "trees" | "others" | "reason">;

const nothing = { trees: [], others: 0 } as const;

/** Why answers are those of no tree. Throws any other error. */
function reasonOf(error: unknown): Outcome {
  if (error instanceof NoTree) return { ...nothing, reason: error.message };
  throw error;
}

/** The tree at each place. */
async function treesOf(asker: Asker): Promise<Outcome> {
  const { terms: n, places } = asker;
  const trees: Found[] = [];
  let left = places.map((_, k) => k);
  while (left.length > 0 && trees.length < MOST_TREES) {
    const [own, ...rest] = left;
    const others = new Set<number>();
    const ask = async (i: number, j: number): Promise<number> => {
      const sums = await asker.between(i, j);
      for (const k of rest) if (sums[k] !== sums[own]) others.add(k);
      return asker.sizeAt(sums[own], i, j);
    };
    const tree = await treeOf(n, ask);
    const subtrees = new Subtrees(tree);
    for (let k = 0; k < (n > 2 ? CHECKS : 0); k++) {
      const i = bits(2, 0, k) % n;
      const j = (i + 1 + (bits(2, 1, k) % (n - 1))) % n;
      const size = await ask(i, j);
      if (size !== subtrees.sizeOf(i, j))
        throw new NoTree(
          `terms ${i} and ${j} meet in a partial sum of ${size}, in the tree of the other answers in one of ${subtrees.sizeOf(i, j)}`,
        );
    }
    trees.push({ tree, places: left.length - others.size, first: asker.indexOf(own) });
    left = [...others].toSorted((a, b) => a - b);
  }
  return { trees: trees.toSorted((a, b) => b.places - a.places), others: left.length };
}

/** What M and units are, and how many units there are at a time. */
interface Manner {
  readonly scale: Scale;
  readonly piece: number;
}

/** Runs the candidate, and remembers what it gave. */
class Asker {
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
      const marks = new Uint8Array(this.terms);
      marks[k] = UNIT;
      const [sum] = Array.from(await this.run(marks));
      if (!Number.isInteger(sum)) return [];
      if (sum !== 1) times.set(sum, [...(times.get(sum) ?? []), k]);
    }
    return [...times].map(([sum, list]) => {
      const shown = list.slice(0, MOST_LISTED).join(", ");
      const more = list.length > MOST_LISTED ? ` and ${list.length - MOST_LISTED} more` : "";
      return `${sum === 0 ? "lost" : `added ${sum} times`}: ${list.length === 1 ? "term" : "terms"} ${shown}${more}`;
    });
  }

  /** Each place's sum of units, a piece at a time, with the same other terms each time. */
  private async counted(place: (marks: Marks) => void): Promise<ArrayLike<number>> {
    const { terms: n } = this;
    const { piece } = this.manner;
    let total: Float64Array | undefined;
    for (let from = 0; from < Math.max(1, n); from += Math.max(1, piece)) {
      const marks = new Uint8Array(n).fill(ZERO).fill(UNIT, from, Math.min(n, from + piece));
      place(marks);
      const sums = await this.run(marks);
      if (piece >= n) return sums;
      total ??= new Float64Array(sums.length);
      for (let k = 0; k < sums.length; k++) total[k] += sums[k];
    }
    return total!;
  }

  private async run(marks: Marks): Promise<ArrayLike<number>> {
    const { layout, operation, candidate, dtype, sizes, onRun } = this.asked;
    const problem = roundProblem(operation, layout.problem(marks, this.manner.scale, sizes), dtype);
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
