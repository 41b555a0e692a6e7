// Float32 as some correct device might compute it: any rounding, fusing, flushing, order of summation, and functions that
// err as far as the target lets them. The zoo evaluates every op in it; none of these may be accused.
import { type DType, type FormatName, formats, round, truncate, ulp } from "../reference/dtype.ts";
import { cos, exp, log, power, sin } from "../reference/elementary.ts";
import { bits, uniform } from "../reference/random.ts";
import { Arithmetic } from "../reference/rounding.ts";
import type { FunctionName, Target } from "../reference/targets.ts";

/**
 * nearest: IEEE 754. truncating and away: towards and away from zero. neighbour: either neighbour, at random.
 * adversarial: not rounded at all, but off by exactly u, up or down, as in the worst case: the result is not a float32
 * number, and shows how much of a bound can be reached.
 */
export const roundings = ["nearest", "truncating", "away", "neighbour", "adversarial"] as const;
export type Rounding = (typeof roundings)[number];

export const orders = [
  "sequential",
  "reversed",
  "ascending",
  "descending",
  "pairwise",
  "blocked",
  "strided",
  "shuffled",
] as const;
export type Order = (typeof orders)[number];

export interface Habits {
  readonly rounding: Rounding;
  readonly order: Order;
  /** Products are not rounded before they are added. */
  readonly fused: boolean;
  /** Subnormal operands and results become zero. */
  readonly flushes: boolean;
  /** How functions err: only by rounding, at random within the accuracy, or by all of it, up or down. */
  readonly functions: "exact" | "random" | "low" | "high";
  /** Seeds the random choices, and decides the sides on which an adversary errs: 0 all up, 1 all down, otherwise mixed. */
  readonly seed: number;
  /** The format to which the operands of added products are first reduced, as by a matrix unit. */
  readonly operands?: FormatName;
  /** The format in which each such operand is a sum of two numbers; the product of the two small ones is left out. */
  readonly pieces?: FormatName;
  /** The format to which each partial sum is reduced. */
  readonly accumulator?: FormatName;
  /** The format to which every number between steps is reduced: finished sums, and results that are not part of a sum. */
  readonly intermediates?: FormatName;
  /** Named intermediates, and the format in which they alone are stored. */
  readonly stores?: { readonly names: readonly string[]; readonly format: FormatName };
  /** How all of these are reduced; to nearest if left out. */
  readonly narrowing?: "nearest" | "truncating";
}

const { LN2 } = Math;

export class Float32Arithmetic {
  readonly habits: Habits;
  readonly target: Target;
  private readonly accuracy: Arithmetic;
  /** float32, or float16 where the target computes in it. */
  private readonly format: DType;
  private readonly operands: DType | undefined;
  private readonly pieces: DType | undefined;
  private readonly accumulator: DType | undefined;
  private readonly intermediates: DType | undefined;
  /** Results are rounded to nearest: by habit, or because the target has no other rounding. */
  private readonly toNearest: boolean;
  /** The intermediates that were stored. */
  readonly names = new Set<string>();
  private drawn = 0;
  private isSumming = false;

  constructor(target: Target, habits: Habits) {
    this.target = target;
    this.habits = habits;
    this.accuracy = new Arithmetic(target);
    this.format = this.accuracy.format;
    const formatOf = (name: FormatName | undefined) => (name === undefined ? undefined : formats[name]);
    this.operands = formatOf(habits.operands);
    this.pieces = formatOf(habits.pieces);
    this.accumulator = formatOf(habits.accumulator);
    this.intermediates = formatOf(habits.intermediates);
    this.toNearest = habits.rounding === "nearest" || target.u < this.format.u * 2;
  }

  /** A constant of the formula as the kernel holds it. */
  constant(x: number): number {
    return round(x, this.format);
  }

  /** Adding zero is exact in every rounding: an accumulator that starts at zero has one rounding fewer than terms. */
  add(a: number, b: number): number {
    const x = this.operand(a);
    const y = this.operand(b);
    return x === 0 || y === 0 ? x + y : this.result(x + y);
  }

  subtract(a: number, b: number): number {
    return this.add(a, -b);
  }

  /** Nothing is rounded where a factor is zero, nor where one is 1. */
  multiply(a: number, b: number): number {
    const product = this.operand(a) * this.operand(b);
    const rounded = this.result(product);
    const isExact = a === 0 || b === 0 || (this.habits.rounding === "adversarial" && (a === 1 || b === 1));
    return isExact ? product : rounded;
  }

  /** a · b + c, with one rounding or two; with c = 0 it is a product, and exact where that is. */
  multiplyAdd(a: number, b: number, c: number): number {
    const term = this.operand(c);
    if (!this.habits.fused || term === 0) return this.add(this.multiply(a, b), term);
    const product = this.operand(a) * this.operand(b);
    return product === 0 ? term : this.result(product + term);
  }

  /** A quotient of zero is exact where IEEE 754 is promised, or no other number is near enough; WGSL's may be some subnormal number. */
  divide(a: number, b: number): number {
    const divisor = this.operand(b);
    const near = this.accuracy.accuracy("divide", { value: Math.abs(divisor), error: 0 }, 0);
    if (a === 0 && (this.target.promisesNonFinite || near < this.format.minSubnormal)) return a / divisor;
    return this.erring("divide", Math.abs(divisor), this.operand(a) / divisor);
  }

  /** e⁰ is 1 where the target promises it, and errs elsewhere. */
  exp(x: number): number {
    if (this.isZero(x)) return 1;
    return this.erring("exp", this.operand(x), exp(this.operand(x)));
  }

  log(x: number): number {
    return this.erring("log", this.operand(x), log(this.operand(x)));
  }

  exp2(x: number): number {
    if (this.isZero(x)) return 1;
    return this.erring("exp2", this.operand(x), power(2, this.operand(x)));
  }

  log2(x: number): number {
    return this.erring("log2", this.operand(x), log(this.operand(x)) / LN2);
  }

  /** By the target's own function, or as exp2(y · log2(x)). */
  pow(x: number, y: number): number {
    if (this.target.functions.pow.length === 0) return this.exp2(this.multiply(y, this.log2(x)));
    return this.erring("pow", this.operand(x), power(this.operand(x), y));
  }

  sqrt(x: number): number {
    return this.erring("sqrt", this.operand(x), Math.sqrt(this.operand(x)));
  }

  inverseSqrt(x: number): number {
    return this.erring("inverseSqrt", this.operand(x), 1 / Math.sqrt(this.operand(x)));
  }

  sin(x: number): number {
    return this.erring("sin", x, sin(x));
  }

  cos(x: number): number {
    return this.erring("cos", x, cos(x));
  }

  /** For a target that states it. */
  tanh(x: number): number {
    const e = exp(-2 * Math.abs(x));
    return this.erring("tanh", x, Math.abs(x) < 1e-5 ? x : (Math.sign(x) * (1 - e)) / (1 + e));
  }

  /** For a target that states it. */
  sigmoid(x: number): number {
    const e = exp(-Math.abs(x));
    return this.erring("sigmoid", x, (x < 0 ? e : 1) / (1 + e));
  }

  /** Σ of terms in the order of the habits. */
  sum(terms: readonly number[]): number {
    return this.summing(() => this.ordered(terms));
  }

  private ordered(terms: readonly number[]): number {
    const last = terms.length - 1;
    switch (this.habits.order) {
      case "sequential":
        return this.sequence(terms, 0, last, 1);
      case "reversed":
        return this.sequence(terms.toReversed(), 0, last, 1);
      case "ascending":
        return this.sequence(
          terms.toSorted((a, b) => Math.abs(a) - Math.abs(b)),
          0,
          last,
          1,
        );
      case "descending":
        return this.sequence(
          terms.toSorted((a, b) => Math.abs(b) - Math.abs(a)),
          0,
          last,
          1,
        );
      case "pairwise":
        return this.pairwise(terms, 0, terms.length);
      case "blocked": {
        const blocks: number[] = [];
        for (let i = 0; i <= last; i += 16) blocks.push(this.sequence(terms, i, Math.min(i + 15, last), 1));
        return this.sequence(blocks, 0, blocks.length - 1, 1);
      }
      case "strided": {
        const lanes: number[] = [];
        for (let i = 0; i < Math.min(64, terms.length); i++) lanes.push(this.sequence(terms, i, last, 64));
        return this.pairwise(lanes, 0, lanes.length);
      }
      case "shuffled":
        return this.sequence(this.shuffle(terms), 0, last, 1);
    }
  }

  /** Σ a[i] · b[i] in the order of the habits; fused where the order adds one product after another. */
  dot(a: readonly number[], b: readonly number[]): number {
    const { pieces } = this;
    if (pieces === undefined) return this.summing(() => this.products(a, b, this.operands));
    const [[ofA, restOfA], [ofB, restOfB]] = [a, b].map((list) => {
      const large = list.map((x) => this.narrow(x, pieces));
      return [large, list.map((x, i) => this.narrow(x - large[i], pieces))];
    });
    return this.summing(() => this.products([...restOfA, ...ofA, ...ofA], [...ofB, ...restOfB, ...ofB], undefined));
  }

  /** The same where no matrix unit forms it, as for a sum over each row of numbers at hand: its operands stay as they are. */
  dotOfRow(a: readonly number[], b: readonly number[]): number {
    return this.summing(() => this.products(a, b, undefined));
  }

  private products(a: readonly number[], b: readonly number[], operands: DType | undefined): number {
    const { order, fused } = this.habits;
    const { accumulator } = this;
    if (fused && (order === "sequential" || order === "reversed")) {
      let total = 0;
      for (let i = 0; i < a.length; i++) {
        const at = order === "sequential" ? i : a.length - 1 - i;
        total = this.narrow(
          this.multiplyAdd(this.narrow(a[at], operands), this.narrow(b[at], operands), total),
          accumulator,
        );
      }
      return total;
    }
    const terms: number[] = [];
    for (let i = 0; i < a.length; i++) {
      terms.push(this.multiply(this.narrow(a[i], operands), this.narrow(b[i], operands)));
    }
    return this.ordered(terms);
  }

  /** A sum is one step: only its result is reduced to the format of intermediates. */
  private summing(total: () => number): number {
    this.isSumming = true;
    const sum = total();
    this.isSumming = false;
    return this.narrow(sum, this.intermediates);
  }

  /** An intermediate that a kernel may store before it goes on. */
  stored(name: string, x: number): number {
    const { stores } = this.habits;
    this.names.add(name);
    return stores?.names.includes(name) === true ? this.narrow(x, formats[stores.format]) : x;
  }

  /** A random choice below n, for an evaluation that varies more than the habits do. */
  choose(n: number): number {
    return bits(this.habits.seed, 1, this.drawn++) % n;
  }

  private isZero(x: number): boolean {
    return this.target.expOfZero === true && this.operand(x) === 0;
  }

  private operand(x: number): number {
    return this.habits.flushes && Math.abs(x) < this.format.minNormal ? 0 : x;
  }

  /** One after another, from an index to another, both included. */
  private sequence(terms: readonly number[], from: number, to: number, step: number): number {
    let total = 0;
    for (let i = from; i <= to; i += step) total = this.partial(total, terms[i]);
    return total;
  }

  /** Halves of halves, from an index to before another. */
  private pairwise(terms: readonly number[], from: number, to: number): number {
    if (to - from <= 1) return to > from ? terms[from] : 0;
    const middle = from + ((to - from) >> 1);
    return this.partial(this.pairwise(terms, from, middle), this.pairwise(terms, middle, to));
  }

  /** One addition of a sum. */
  private partial(a: number, b: number): number {
    return this.narrow(this.add(a, b), this.accumulator);
  }

  private narrow(x: number, format: DType | undefined): number {
    if (format === undefined) return x;
    return this.habits.narrowing === "truncating" ? truncate(x, format) : round(x, format);
  }

  private shuffle(terms: readonly number[]): number[] {
    const list = [...terms];
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.choose(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** One rounding of an exact result, in the manner of the habits. */
  private result(exact: number): number {
    const { rounding, flushes } = this.habits;
    let x = exact;
    if (rounding === "adversarial") {
      x = exact * (1 + this.side() * this.target.u);
      return flushes && Math.abs(x) < this.format.minNormal ? 0 : x;
    }
    x = this.step(this.neighbour(exact));
    return flushes && Math.abs(x) < this.format.minNormal ? 0 : x;
  }

  /** The result of a step, as the next step reads it. */
  private step(x: number): number {
    return this.isSumming ? x : this.narrow(x, this.intermediates);
  }

  private neighbour(exact: number): number {
    const nearest = round(exact, this.format);
    if (nearest === exact || this.toNearest) return nearest;
    if (!Number.isFinite(nearest)) return this.overflowing(nearest, exact);
    const below = nearest < exact ? nearest : next(nearest, -1, this.format);
    const above = nearest < exact ? next(nearest, 1, this.format) : nearest;
    const inner = exact > 0 ? below : above;
    const outer = exact > 0 ? above : below;
    switch (this.habits.rounding) {
      case "truncating":
        return inner;
      case "away":
        return Math.abs(outer) <= this.format.max ? outer : inner;
      case "neighbour":
        return this.choose(2) === 0 || Math.abs(outer) > this.format.max ? inner : outer;
      default:
        return nearest;
    }
  }

  /** A finite result beyond the largest number: rounded towards zero it is that number (IEEE 754-2019, 7.4). */
  private overflowing(x: number, exact: number): number {
    const { rounding } = this.habits;
    const isInwards = rounding === "truncating" || (rounding === "neighbour" && this.choose(2) === 0);
    return isInwards && !this.toNearest && Number.isFinite(exact) ? Math.sign(exact) * this.format.max : x;
  }

  /** A function's exact result, moved within its accuracy and then rounded to float32 back towards the exact result. */
  private erring(name: FunctionName, argument: number, exact: number): number {
    const { functions, rounding, flushes } = this.habits;
    if (!Number.isFinite(exact)) return round(exact, this.format);
    const allowed = this.accuracy.accuracy(name, { value: argument, error: 0 }, Math.abs(exact));
    let x = exact;
    if (rounding === "adversarial") x += this.side() * (allowed < Infinity ? allowed : 0);
    else {
      const share = { exact: 0, random: 2 * uniform(this.habits.seed, 2, this.drawn++) - 1, low: -1, high: 1 }[
        functions
      ];
      const moved = round(exact + share * (allowed < Infinity ? allowed : 0), this.format);
      x = Math.abs(moved - exact) <= allowed ? moved : next(moved, Math.sign(exact - moved) as 1 | -1, this.format);
      // If not even a neighbour lies within the accuracy, the nearest number is the best possible.
      if (!(Math.abs(x - exact) <= allowed)) x = round(exact, this.format);
      if (!Number.isFinite(x)) x = this.overflowing(x, exact);
    }
    x = this.step(x);
    return flushes && Math.abs(x) < this.format.minNormal ? 0 : x;
  }

  private side(): 1 | -1 {
    const { seed } = this.habits;
    if (seed <= 1) return seed === 0 ? 1 : -1;
    return this.choose(2) === 0 ? 1 : -1;
  }
}

/** The next number of the format above (1) or below (−1) one of its numbers. */
function next(x: number, direction: 1 | -1, format: DType): number {
  const step = ulp(x, format);
  const candidate = x + direction * step;
  // Towards zero from a power of two the spacing is half as wide.
  const towardsZero = Math.sign(x) !== 0 && Math.sign(x) !== direction;
  return round(towardsZero && ulp(candidate, format) < step ? x + (direction * step) / 2 : candidate, format);
}
