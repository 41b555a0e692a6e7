// The sizes at which families are tried: one axis in steps, and the others as long as in a model, as far as the work allows.
import { numbersOfCase } from "../case-memory.ts";
import type { Sizes } from "../case.ts";
import { isTiled, type Large, type Lengths, MOST_POSITIONS } from "../large.ts";
import type { JudgeRow } from "../row.ts";
import { axesOf, type Operation } from "../../reference/operation.ts";
import { LADDER } from "./family.ts";

/** What limits the sizes. */
export interface Room {
  /** Multiplications of one run, unless the sizes that a kernel supports ask for more. */
  readonly most: number;
  /** The same whatever they ask for. */
  readonly cap: number;
  /** The longest that an axis becomes in steps. */
  readonly longest: number;
  /** Of many rows there are so many, before other axes become long. */
  readonly many: number;
  /** The length of the axes that are neither stepped nor long. */
  readonly short: number;
  /** The nearest sizes that a kernel supports. */
  readonly near: (sizes: Sizes) => Sizes;
  readonly admits: (sizes: Sizes) => boolean;
  /** The smallest sizes that a kernel supports, where it says which. */
  readonly least?: (sizes: Sizes) => Sizes;
  /** Shapes to be tried in place of those that are made of the op's axes: a model's. */
  readonly shapes?: readonly Sizes[];
}

/** Sizes around an axis, and how much a run among them may cost. */
export interface Ground {
  readonly sizes: Sizes;
  readonly limit: number;
}

/** Of many batches and heads there are so many. */
const COUNT = 9;
/** Another axis is as long as in a model; of many batches and heads, which are large together, less so. */
const [LONG, LONG_OF_MANY] = [4096, 256];
/** Axes that are long at once begin here: an axis of elements goes as far. */
const LONGEST_AT_ONCE = 2 ** 16;
/** What the tensors of a run may take, in bytes, a few times over. */
const MOST_NUMBERS = 2 ** 27;

/** The sizes of one op. */
export class Grounds {
  private readonly operation: Operation;
  private readonly spec: JudgeRow;
  private readonly room: Room;
  private readonly large: Large;

  constructor(operation: Operation, spec: JudgeRow, room: Room) {
    this.operation = operation;
    this.spec = spec;
    this.room = room;
    this.large = spec.large ?? { axes: {}, work: (sizes) => WORK_A_NUMBER * numbersOfCase(operation, sizes) };
  }

  /** Sizes around an axis, another axis long each time: one that is summed over on the way to an output, if there is one. None twice. */
  around(axis: string, outputs: readonly string[]): Ground[] {
    const { room, large, operation } = this;
    if (room.shapes !== undefined) return this.shapes(room.shapes);
    const { sizes: base, limit } = this.short(axis);
    const isSummed = (name: string): boolean => outputs.some((one) => !axesOf(operation.outputs[one]).includes(name));
    const others = Object.keys(large.axes).filter((name) => {
      return name !== axis && typeof large.axes[name] === "number" && this.isTiled(name);
    });
    const summed = others.filter(isSummed);
    const each = (summed.length > 0 ? summed : others).map((name) => this.withLong(base, axis, name, limit));
    return distinct(each.length === 0 ? [base] : each).map((sizes) => ({ sizes, limit }));
  }

  /** Sizes for an axis that is itself to be long: the others are short. */
  alone(axis: string): Ground[] {
    return this.room.shapes === undefined ? [this.short(axis)] : this.shapes(this.room.shapes);
  }

  private shapes(shapes: readonly Sizes[]): Ground[] {
    return distinct(shapes.map((shape) => this.near(shape))).map((sizes) => ({ sizes, limit: this.room.cap }));
  }

  /** All axes short, and what a run may cost: sizes that the kernel asks for may be large before any axis is long. */
  private short(axis: string): Ground {
    const { room, large, spec } = this;
    const short = Object.keys(large.axes).map((name) => [name, this.shortOf(name)] as const);
    const sizes = this.near({ ...spec.ordinary, ...Object.fromEntries(short) });
    return { sizes, limit: Math.min(room.cap, Math.max(room.most, large.work(this.withMany(sizes, axis)))) };
  }

  /** The steps of an axis: those that the kernel supports and the work allows. */
  steps(axis: string, { sizes, limit }: Ground, numbers: readonly number[] = LADDER): number[] {
    const { large, room } = this;
    const own = room.shapes === undefined ? [] : [Number(sizes[axis])];
    const most = typeof large.axes[axis] === "number" ? (large.axes[axis] as number) : room.longest;
    const short = numbers.filter((n) => n <= Math.min(most, room.longest));
    return this.fitting(
      axis,
      { sizes, limit },
      [...new Set([...short, ...own])].toSorted((a, b) => a - b),
    );
  }

  /** The lengths of an axis that the kernel supports and the work allows. */
  fitting(axis: string, { sizes, limit }: Ground, lengths: readonly number[]): number[] {
    return lengths.filter((n) => this.fits({ ...sizes, [axis]: n }, limit));
  }

  fits(sizes: Sizes, limit: number): boolean {
    const { room, large, operation } = this;
    return large.work(sizes) <= limit && numbersOfCase(operation, sizes) <= MOST_NUMBERS && room.admits(sizes);
  }

  /** Whether the kernel supports these sizes. */
  get admits(): (sizes: Sizes) => boolean {
    return this.room.admits;
  }

  /** The ordinary sizes, or the smallest that the kernel supports, if those are too large. Throws RangeError if these are too. */
  ordinary(): Sizes {
    const { room, spec, operation, large } = this;
    const ordinary = this.near(spec.ordinary);
    if (room.least === undefined || this.fits(ordinary, room.cap)) return ordinary;
    const least = this.near(room.least(spec.ordinary));
    if (this.fits(least, room.cap)) return least;
    const words = Object.entries(least).map(([name, value]) => `${name}=${value}`);
    throw new RangeError(
      `sizes: the smallest run of ${operation.name} is ${words.join(" ")}, ${large.work(least).toExponential(1)} multiplications ` +
        `and ${numbersOfCase(operation, least).toExponential(1)} numbers, expected at most ${room.cap.toExponential(1)} and ${MOST_NUMBERS.toExponential(1)}`,
    );
  }

  /** All tiled axes equally long, as far as the work allows: many workgroups and long sums. The ordinary sizes where nothing longer fits. */
  broad(): Sizes {
    const { room, large, spec } = this;
    const tiled = Object.entries(large.axes).filter(([name]) => this.isTiled(name)) as [string, Lengths][];
    for (let n = LONGEST_AT_ONCE; n >= room.short; n /= 2) {
      const long = tiled.map(([name, most]) => [name, typeof most === "number" ? Math.min(n, most) : most[0]]);
      const sizes = this.near({ ...spec.ordinary, ...Object.fromEntries(long) });
      if (this.fits(sizes, room.most)) return sizes;
    }
    return this.ordinary();
  }

  near(sizes: Sizes): Sizes {
    return this.room.near(this.large.mend?.(sizes) ?? sizes);
  }

  /** The sizes with that axis as long as fits, by halves. */
  lengthened({ sizes, limit }: Ground, axis: string, to: number): Ground {
    for (let n = to; n > 1; n = Math.floor(n / 2)) {
      const longer = this.near({ ...sizes, [axis]: n });
      if (this.fits(longer, limit)) return { sizes: longer, limit };
    }
    return { sizes: this.near(sizes), limit };
  }

  private withMany(base: Sizes, axis: string): Sizes {
    return this.near({ ...base, [axis]: this.isTiled(axis) ? this.room.many : COUNT });
  }

  private withLong(base: Sizes, axis: string, name: string, limit: number): Sizes {
    const most = Math.min(this.isTiled(axis) ? LONG : LONG_OF_MANY, this.large.axes[name] as number);
    const { sizes } = this.lengthened({ sizes: this.withMany(base, axis), limit }, name, most);
    return this.near({ ...base, [name]: sizes[name] });
  }

  private shortOf(name: string): number {
    const lengths = this.large.axes[name]!;
    if (typeof lengths === "object") return lengths[0];
    if (lengths === MOST_POSITIONS) return 1; // one token at a time
    return isTiled(lengths) ? this.room.short : 1;
  }

  private isTiled(axis: string): boolean {
    const lengths = this.large.axes[axis];
    return lengths !== undefined && isTiled(lengths);
  }
}

/** What an element of an op without a large row is taken to cost. */
const WORK_A_NUMBER = 100;

function distinct(list: readonly Sizes[]): Sizes[] {
  return [...new Map(list.map((sizes) => [JSON.stringify(sizes), sizes])).values()];
}
