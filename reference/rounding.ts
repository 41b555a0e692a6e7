// How far a correct evaluation may land from the exact one: arithmetic on (value, error) pairs.
//
// An Approx stands for every number within `error` of `value`. Each operation returns the exact result of the values
// and an error that covers every evaluation that the target allows: operands anywhere within their errors, one rounding
// of the result, subnormal operands and results flushed to zero where the target may do so. An infinite error means that
// a correct kernel has no bound there: the result leaves the format's range, or an argument a function's domain.
//
// Sums hold for every order (Higham 2002, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2).
import { dtypes, formats, round as roundTo, type DType, ulp } from "./dtype.ts";
import { cos, exp, log, MAX_ANGLE, powerOfTwo, sin } from "./elementary.ts";
import { additionsIn, levels, type SumOrder } from "./sum-order.ts";
import { errorIn } from "./sum-tree.ts";
import type { FunctionName, Region, Target } from "./targets.ts";
import { nodesOf, nodesOfRuns } from "./tree-sum.ts";

export interface Approx {
  readonly value: number;
  readonly error: number;
}

/** The error of one operation here, itself in float64: about four roundings of its value. */
const OWN = powerOfTwo(-50);
const { u: EXACT } = formats.float64;

/** n roundings in a row: (1 + u)ⁿ − 1 ≤ γₙ = n·u / (1 − n·u) (Higham 2002, lemma 3.1). */
export function gamma(n: number, u: number): number {
  return n * u < 1 ? (n * u) / (1 - n * u) : Infinity;
}

/** The rules of one target. */
export class Arithmetic {
  readonly target: Target;
  readonly u: number;
  /** What it computes in: float32, or float16 where the target says so. */
  readonly format: DType;

  constructor(target: Target) {
    this.target = target;
    this.u = target.u;
    this.format = dtypes[target.arithmetic ?? "float32"];
  }

  /** A number without an error; a float32 number that float16 does not hold becomes one of its neighbours. */
  exact(value: number): Approx {
    const isHeld = this.format === dtypes.float32 || roundTo(value, this.format) === value;
    return { value, error: isHeld ? 0 : Math.max(Math.abs(value) * this.u, this.format.minSubnormal) };
  }

  /** A constant of the formula, rounded once when the kernel was written. */
  constant(value: number): Approx {
    return { value, error: Math.abs(value) * this.u };
  }

  /** An operand that an instruction may have read as zero because it is subnormal. */
  private operand(a: Approx): Approx {
    return this.target.flushes && Math.abs(a.value) - a.error < this.format.minNormal
      ? { value: a.value, error: Math.max(a.error, Math.abs(a.value)) }
      : a;
  }

  /** A result within `error` of `value` before its rounding; `n` roundings if it stands for several operations. */
  rounded(value: number, error: number, n = 1): Approx {
    return this.settled(value, error + gamma(n, this.u) * (Math.abs(value) + error));
  }

  /** Adds the effect of underflow and overflow to a result whose rounding is already in `error`. */
  private settled(value: number, error: number): Approx {
    const { minNormal, minSubnormal, max } = this.format;
    let total = error + OWN * Math.abs(value);
    if (Math.abs(value) - total < minNormal && (value !== 0 || total !== 0)) {
      total += minSubnormal;
      if (this.target.flushes) total = Math.max(total, Math.abs(value));
    }
    return { value, error: Math.abs(value) + total <= max ? total : Infinity };
  }

  negate(a: Approx): Approx {
    const x = this.operand(a);
    return { value: -x.value, error: x.error };
  }

  abs(a: Approx): Approx {
    const x = this.operand(a);
    return { value: Math.abs(x.value), error: x.error };
  }

  min(left: Approx, right: Approx): Approx {
    return this.selected(Math.min(left.value, right.value), left, right);
  }

  max(left: Approx, right: Approx): Approx {
    return this.selected(Math.max(left.value, right.value), left, right);
  }

  /** One of two operands, exact, except that of two subnormals either may be the result (WGSL 15.7.4.1, min and max). */
  private selected(value: number, left: Approx, right: Approx): Approx {
    const a = this.operand(left);
    const b = this.operand(right);
    const error = Math.max(a.error, b.error);
    if (!(error >= 0)) return { value, error: Infinity };
    const { minNormal } = this.format;
    const confused = this.target.flushes && mayBeSubnormal(a, minNormal) && mayBeSubnormal(b, minNormal);
    return { value, error: confused ? error + 2 * minNormal : error };
  }

  add(left: Approx, right: Approx): Approx {
    const a = this.operand(left);
    const b = this.operand(right);
    return this.rounded(a.value + b.value, a.error + b.error);
  }

  subtract(left: Approx, right: Approx): Approx {
    return this.add(left, this.negate(right));
  }

  multiply(left: Approx, right: Approx): Approx {
    const a = this.operand(left);
    const b = this.operand(right);
    return this.rounded(a.value * b.value, productError(a, b));
  }

  /** Several factors in any association: some partial product may underflow or overflow on the way. */
  product(...factors: Approx[]): Approx {
    if (factors.length < 2) return factors[0] ?? this.exact(1);
    let value = 1;
    let largest = 1; // the product of the factors at their largest
    let smallest = 1; // the smallest possible partial product: the factors below 1 at their smallest
    let most = 1; // the largest possible partial product: the factors above 1 at their largest
    let vanishes = false;
    for (const factor of factors) {
      const a = this.operand(factor);
      const size = Math.abs(a.value);
      value *= a.value;
      largest *= size + a.error;
      smallest *= Math.min(1, Math.max(0, size - a.error));
      most *= Math.max(1, size + a.error);
      vanishes ||= size + a.error === 0;
    }
    const roundings = factors.length - 1;
    const growth = gamma(roundings, this.u);
    most *= 1 + growth;
    const { minNormal, minSubnormal, max } = this.format;
    if (!(most <= max)) return { value, error: Infinity };
    const result = this.rounded(value, Math.max(0, largest - Math.abs(value)), roundings);
    if (vanishes || smallest * (1 - growth) >= minNormal || roundings === 1) return result;
    // A partial product below the normal range is off by up to the smallest number, which the other factors then enlarge;
    // flushed to zero, it takes the whole product with it.
    const error = result.error + (roundings - 1) * minSubnormal * most;
    return { value, error: this.target.flushes ? Math.max(error, Math.abs(value)) : error };
  }

  divide(left: Approx, right: Approx): Approx {
    const a = this.operand(left);
    const b = this.operand(right);
    const value = a.value / b.value;
    const nearest = Math.abs(b.value) - b.error;
    if (!(nearest > 0)) return { value, error: Infinity };
    const error = (a.error + Math.abs(value) * b.error) / nearest;
    const domain = { value: Math.abs(b.value), error: b.error };
    return this.settled(value, error + this.accuracy("divide", domain, Math.abs(value) + error));
  }

  exp(a: Approx): Approx {
    return this.increasing("exp", exp, this.operand(a));
  }

  log(a: Approx): Approx {
    return this.increasing("log", log, this.operand(a));
  }

  sqrt(a: Approx): Approx {
    return this.increasing("sqrt", (x) => Math.sqrt(Math.max(0, x)), this.operand(a));
  }

  /** 1 / √a, by the target's inverseSqrt or as a quotient. */
  inverseSqrt(a: Approx): Approx {
    const x = this.operand(a);
    const value = 1 / Math.sqrt(x.value);
    const highest = 1 / Math.sqrt(x.value - x.error); // NaN or infinite where the interval reaches zero
    const error = highest - value; // convex: the other end of the interval lies nearer
    const direct = this.settled(value, error + this.accuracy("inverseSqrt", x, highest));
    return this.either(direct, this.divide(this.exact(1), this.sqrt(a)));
  }

  /** sin a, where the kernel has already reduced the angle a to the function's domain. */
  sin(a: Approx): Approx {
    return this.wave("sin", sin, a);
  }

  cos(a: Approx): Approx {
    return this.wave("cos", cos, a);
  }

  /** sin or cos, whose slope is at most 1. */
  private wave(name: "sin" | "cos", f: (x: number) => number, a: Approx): Approx {
    const x = this.operand(a);
    if (!(Math.abs(x.value) <= MAX_ANGLE)) return { value: NaN, error: Infinity };
    return this.settled(f(x.value), x.error + this.accuracy(name, x, 1));
  }

  /** One quantity computed in several ways: the value of the first, and an error that covers them all. */
  either(first: Approx, ...others: Approx[]): Approx {
    let error = first.error;
    for (const other of others) error = Math.max(error, other.error + Math.abs(other.value - first.value));
    return { value: first.value, error: error >= 0 ? error : Infinity };
  }

  /** An intermediate that the kernel may declare as stored in a lower format (`--store P=bfloat16`). */
  store(name: string, a: Approx): Approx {
    const dtype = this.target.stores?.[name];
    return dtype === undefined ? a : storedIn(this.operand(a), formats[dtype], this.target);
  }

  /**
   * The same around what the exact number is stored as, which becomes the value: without an error where all numbers within `a` are stored as
   * that one, and a unit in the last place wide where a tie lies among them. Where a target does not promise rounding to nearest, or a unit reads
   * low without storing (TF32, FP8), either neighbour is possible for each number, so `store` is all that can be said.
   */
  storeAround(name: string, a: Approx): Approx {
    const stored = this.target.stores?.[name];
    if (stored === undefined) return a;
    const around = this.store(name, a);
    if (!(stored === "bfloat16" || stored === "float16") || this.u > this.format.u) return around;
    const [format, x] = [formats[stored], this.operand(a)];
    const value = roundTo(a.value, format);
    if (!Number.isFinite(value)) return around;
    const wide = Math.max(roundTo(x.value + x.error, format) - value, value - roundTo(x.value - x.error, format));
    const isFlushed = this.target.flushes && Math.abs(value) - wide < format.minNormal;
    const error = isFlushed ? Math.max(wide, Math.abs(value)) : wide;
    return { value, error: around.error < Infinity ? error : Infinity };
  }

  /**
   * A sum in any order, or in the one that the kernel declares for sums of that name (`--sum dx=blocked:64`); give it terms and
   * products, then ask for the total. `length`: how many terms it will have at most, where that is known, and 0 where they are
   * rescaled on the way. Few are not worth keeping, and those that are rescaled are no tree.
   */
  sum(length = Infinity, name = ""): Sum {
    return new Sum(this, length, this.target.sums?.[name], this.target.sumLengths?.[name]);
  }

  /** How far a function's result of magnitude up to `magnitude` may lie off, at any argument within `x`. */
  accuracy(name: FunctionName, x: Approx, magnitude: number): number {
    const low = x.value - x.error;
    const high = x.value + x.error;
    let covered = low;
    let worst = -1; // no region met
    for (const region of this.target.functions[name]) {
      if (!(region.to >= low && region.from <= high)) continue;
      if (region.from > covered) return Infinity; // a gap between the regions
      worst = Math.max(
        worst,
        regionError(region, Math.min(high, region.to), Math.max(low, region.from), magnitude, this.format),
      );
      covered = Math.max(covered, region.to);
    }
    return worst >= 0 && covered >= high ? worst : Infinity;
  }

  /** An increasing function of the target's table at a, f being exact. */
  increasing(name: FunctionName, f: (x: number) => number, a: Approx): Approx {
    const value = f(a.value);
    const highest = f(a.value + a.error);
    const error = Math.max(highest - value, value - f(a.value - a.error));
    const magnitude = Math.max(Math.abs(highest), Math.abs(value - error));
    return this.settled(value, error + this.accuracy(name, a, magnitude));
  }
}

/** Below this many terms the bound of a tree of additions gains too little to be worth its time. */
const FEW_TERMS = 100;
/** Beyond this many the terms are not kept. */
const MOST_TERMS = 1 << 22;

/** Σ of terms in an unknown order, with any tiling and any number of lanes, or in a declared one. */
export class Sum {
  value = 0;
  /** Σ of |term|, each at its largest. */
  magnitude = 0;
  error = 0;
  count = 0;
  private readonly arithmetic: Arithmetic;
  private readonly flushes: boolean;
  private readonly minNormal: number;
  /** The terms, each at its farthest from zero: on either side if its error is larger than itself. Undefined where none is kept. */
  private readonly farthest: number[] | undefined;
  /** Whether any terms are kept. */
  private readonly keeps: boolean;
  private readonly order: SumOrder | undefined;
  /** How many terms a kernel adds, with those that are 0 and left out here: 0 rounds nothing, but has a place. */
  private readonly places: number;
  /** The terms and their errors, where a declared tree says which term is where. */
  private readonly leaves: { readonly values: number[]; readonly errors: number[] } | undefined;

  constructor(arithmetic: Arithmetic, length = Infinity, order?: SumOrder, places = 0) {
    this.arithmetic = arithmetic;
    this.flushes = arithmetic.target.flushes;
    this.minNormal = arithmetic.format.minNormal;
    this.order = order;
    this.places = places;
    this.leaves = order?.kind === "tree" ? { values: [], errors: [] } : undefined;
    this.farthest = length < FEW_TERMS || arithmetic.target.fusedSums === true ? undefined : [];
    this.keeps = this.farthest !== undefined || this.leaves !== undefined;
  }

  private remember(value: number, size: number, error: number): void {
    const { farthest, leaves, count } = this;
    if (count > MOST_TERMS) return;
    leaves?.values.push(value);
    leaves?.errors.push(error);
    if (farthest === undefined) return;
    farthest.push(value < 0 ? value - error : value + error);
    if (!(error <= size)) farthest.push(value < 0 ? value + error : value - error);
  }

  /** Adds a term that is already computed. */
  add(value: number, error = 0): void {
    const size = Math.abs(value);
    const e = this.flushes && size - error < this.minNormal ? Math.max(error, size) : error;
    this.value += value;
    this.error += e;
    this.magnitude += size + e;
    this.count++;
    if (this.keeps) this.remember(value, size, e);
  }

  /** Adds a term a · b, rounded as a product (a fused multiply-add only helps). */
  addProduct(a: number, b: number, aError = 0, bError = 0): void {
    const aSize = Math.abs(a);
    const bSize = Math.abs(b);
    const ea = this.flushes && aSize - aError < this.minNormal ? Math.max(aError, aSize) : aError;
    const eb = this.flushes && bSize - bError < this.minNormal ? Math.max(bError, bSize) : bError;
    const value = a * b;
    const size = Math.abs(value);
    let error = aSize * eb + bSize * ea + ea * eb;
    error += this.arithmetic.u * (size + error);
    if (size - error < this.minNormal && (size !== 0 || error !== 0)) {
      error += this.arithmetic.format.minSubnormal;
      if (this.flushes) error = Math.max(error, size);
    }
    this.value += value;
    this.error += error;
    this.magnitude += size + error;
    this.count++;
    if (this.keeps) this.remember(value, size, error);
  }

  /** The sum, each term having passed through at most count − 1 additions, or those of the declared order, and `extra` further roundings. */
  total(extra = 0): Approx {
    const roundings = Math.max(0, this.count - 1) + extra;
    const additions = additionsIn(this.order, this.count, Math.max(this.places, this.count));
    const growth = gamma(additions + extra, this.arithmetic.u);
    // A subnormal partial sum may be flushed to zero. If it may not, additions are exact there and only `extra` roundings err.
    const lost = this.flushes ? roundings * this.minNormal : extra * this.arithmetic.format.minSubnormal;
    const error = this.error + this.ofAdditions(growth, extra) + (1 + growth) * lost;
    // A partial sum is at most the sum of magnitudes: beyond the largest number, some order overflows.
    return { value: this.value, error: this.magnitude + error <= this.arithmetic.format.max ? error : Infinity };
  }

  /**
   * The error of the additions: γ · Σ|t|, or that of a tree of additions (tree-sum.ts, sum-tree.ts) where there is nothing but such a tree.
   */
  private ofAdditions(growth: number, extra: number): number {
    const { count, magnitude, farthest, arithmetic, order, leaves } = this;
    if (
      order?.kind === "tree" &&
      order.tree.terms === count &&
      this.places <= count &&
      leaves !== undefined &&
      extra === 0
    ) {
      // What float64 loses in the sum, which is not a share of a declared tree's partial sums.
      const own = gamma(count, EXACT) * magnitude;
      return errorIn(order.tree, leaves.values, leaves.errors, arithmetic.target) - this.error + own;
    }
    if (
      farthest === undefined ||
      extra > 0 ||
      count < FEW_TERMS ||
      count > MOST_TERMS ||
      !(growth < Infinity) ||
      !(magnitude <= this.arithmetic.format.max)
    )
      return growth * magnitude;
    const ofRuns = this.nodesOfOrder(farthest);
    const nodes = Math.min(nodesOf(farthest, count), ofRuns);
    return Math.min(growth * magnitude, arithmetic.u * (1 + growth) * nodes);
  }

  /** Σ |nodes| in an order of runs (tree-sum.ts). */
  private nodesOfOrder(farthest: readonly number[]): number {
    const { order, count, places, magnitude } = this;
    if ((order?.kind !== "blocked" && order?.kind !== "pairwise") || order.terms >= count) return Infinity;
    const { kind, terms: K } = order;
    const runs = Math.ceil(Math.max(places, count) / K);
    const within = nodesOfRuns(farthest, K, runs);
    if (kind === "pairwise") return within + levels(runs) * magnitude;
    // Terms that are not 0 may be in more runs than they fill.
    const whole = Math.min(runs, count) - Math.ceil(count / K) + 1;
    return within + nodesOf(farthest, count, K, whole);
  }
}

function mayBeSubnormal(a: Approx, minNormal: number): boolean {
  return Math.abs(a.value) - a.error < minNormal && (a.value !== 0 || a.error !== 0);
}

/** |â·b̂ − a·b| for operands within their errors. */
function productError(a: Approx, b: Approx): number {
  return Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
}

/** The largest error that a region of the target's table allows, for arguments from low to high. */
function regionError(region: Region, high: number, low: number, magnitude: number, format: DType): number {
  const x = Math.max(Math.abs(low), Math.abs(high));
  // The largest distance between neighbours of a result up to `magnitude`, also of one that rounds to a power of two.
  const size = magnitude * (1 + format.u);
  const unit = size >= format.minNormal ? ulp(Math.min(size, format.max), format) : format.minSubnormal;
  const ulps = (region.ulp ?? 0) + (region.ulpPerArgument ?? 0) * x;
  return ulps * unit + (region.absolute ?? 0) + (region.relative ?? 0) * magnitude;
}

/** One more rounding, to a lower format: the interval's ends are rounded to nearest, or outwards if nearest is not promised. */
function storedIn(a: Approx, dtype: DType, target: Target): Approx {
  const outwards = target.u > dtypes[target.arithmetic ?? "float32"].u;
  let low = roundTo(a.value - a.error, dtype);
  let high = roundTo(a.value + a.error, dtype);
  if (outwards && low > a.value - a.error) low -= ulp(a.value - a.error, dtype);
  if (outwards && high < a.value + a.error) high += ulp(a.value + a.error, dtype);
  let error = Math.max(high - a.value, a.value - low);
  if (target.flushes && Math.abs(a.value) - error < dtype.minNormal) error = Math.max(error, Math.abs(a.value));
  return { value: a.value, error: Math.abs(a.value) + error <= dtype.max ? error : Infinity };
}
