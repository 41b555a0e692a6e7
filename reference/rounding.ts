// How far a correct evaluation may land from the exact one: arithmetic on (value, error) pairs.
//
// An Approx stands for every number within `error` of `value`. Each operation returns the exact result of the values
// and an error that covers every evaluation that the target allows: operands anywhere within their errors, one rounding
// of the result, subnormal operands and results flushed to zero where the target may do so. An infinite error says that
// a correct kernel has no bound there: out of the format's range, or of a function's domain.
//
// Sums hold for every order (Higham 2002, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2).
import { dtypes, exponentOf, round as roundTo, type DType } from "./dtype.ts";
import { cos, exp, log, powerOfTwo, sin } from "./elementary.ts";
import type { FunctionName, Region, Target } from "./targets.ts";

export interface Approx {
  readonly value: number;
  readonly error: number;
}

const { minNormal, minSubnormal, max: MAX } = dtypes.float32;

/** n roundings in a row: (1 + u)ⁿ − 1 ≤ γₙ = n·u / (1 − n·u) (Higham 2002, lemma 3.1). */
export function gamma(n: number, u: number): number {
  return n * u < 1 ? (n * u) / (1 - n * u) : Infinity;
}

/** The rules of one target. */
export class Arithmetic {
  readonly target: Target;
  readonly u: number;

  constructor(target: Target) {
    this.target = target;
    this.u = target.u;
  }

  /** A number that is what it is. */
  exact(value: number): Approx {
    return { value, error: 0 };
  }

  /** A constant of the formula, rounded once to float32 when the kernel was written. */
  constant(value: number): Approx {
    return { value, error: Math.abs(value) * this.u };
  }

  /** An operand that an instruction may have read as zero because it is subnormal. */
  private operand(a: Approx): Approx {
    return this.target.flushes && Math.abs(a.value) - a.error < minNormal
      ? { value: a.value, error: Math.max(a.error, Math.abs(a.value)) }
      : a;
  }

  /** A result within `error` of `value` before its rounding; `n` roundings where an operation stands for several. */
  rounded(value: number, error: number, n = 1): Approx {
    return this.settled(value, error + gamma(n, this.u) * (Math.abs(value) + error));
  }

  /** What underflow and overflow do to a result whose rounding is already in `error`. */
  private settled(value: number, error: number): Approx {
    let total = error;
    if (Math.abs(value) - total < minNormal && (value !== 0 || total !== 0)) {
      total += minSubnormal;
      if (this.target.flushes) total = Math.max(total, Math.abs(value));
    }
    return { value, error: Math.abs(value) + total <= MAX ? total : Infinity };
  }

  negate(a: Approx): Approx {
    return { value: -a.value, error: a.error };
  }

  abs(a: Approx): Approx {
    return { value: Math.abs(a.value), error: a.error };
  }

  /** Exact, as comparisons are. */
  min(a: Approx, b: Approx): Approx {
    return { value: Math.min(a.value, b.value), error: Math.max(a.error, b.error) };
  }

  max(a: Approx, b: Approx): Approx {
    return { value: Math.max(a.value, b.value), error: Math.max(a.error, b.error) };
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
    let value = 1;
    let largest = 1; // the factors at their largest, multiplied
    let smallest = 1; // the least that a partial product can be: the factors below 1 at their smallest
    let most = 1; // the most that it can be: the factors above 1 at their largest
    for (const factor of factors) {
      const a = this.operand(factor);
      const size = Math.abs(a.value);
      value *= a.value;
      largest *= size + a.error;
      smallest *= Math.min(1, Math.max(0, size - a.error));
      most *= Math.max(1, size + a.error);
    }
    if (!(most <= MAX)) return { value, error: Infinity };
    const result = this.rounded(value, Math.max(0, largest - Math.abs(value)), factors.length - 1);
    if (value === 0 || smallest >= minNormal) return result;
    // A partial product lost to underflow takes the whole product with it.
    return { value, error: Math.max(result.error, Math.abs(value) + (this.target.flushes ? 0 : result.error)) };
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

  /** 1 / √a, by the function of that name or as a quotient. */
  inverseSqrt(a: Approx): Approx {
    const x = this.operand(a);
    const value = 1 / Math.sqrt(x.value);
    const highest = 1 / Math.sqrt(x.value - x.error); // NaN or infinite where the interval reaches zero
    const error = Math.max(highest - value, value - 1 / Math.sqrt(x.value + x.error));
    const direct = this.settled(value, error + this.accuracy("inverseSqrt", x, highest));
    return this.either(direct, this.divide(this.exact(1), this.sqrt(a)));
  }

  /** a is an angle that the kernel has already brought into the function's domain. */
  sin(a: Approx): Approx {
    return this.settled(sin(a.value), a.error + this.accuracy("sin", a, 1));
  }

  cos(a: Approx): Approx {
    return this.settled(cos(a.value), a.error + this.accuracy("cos", a, 1));
  }

  /** The same quantity computed in several ways: the value of the first, and an error that covers them all. */
  either(first: Approx, ...others: Approx[]): Approx {
    let error = first.error;
    for (const other of others) error = Math.max(error, other.error + Math.abs(other.value - first.value));
    return { value: first.value, error: error >= 0 ? error : Infinity };
  }

  /** An intermediate that the kernel may declare as stored in a lower format (`--store P=bfloat16`). */
  store(name: string, a: Approx): Approx {
    const dtype = this.target.stores?.[name];
    return dtype === undefined ? a : storedIn(a, dtypes[dtype]);
  }

  /** A sum in any order; give it terms and products, then ask for the total. */
  sum(): Sum {
    return new Sum(this);
  }

  /** How far a function's result of magnitude up to `magnitude` may lie off, at any argument within `x`. */
  accuracy(name: FunctionName, x: Approx, magnitude: number): number {
    const low = x.value - x.error;
    const high = x.value + x.error;
    let covered = low;
    let worst = 0;
    for (const region of this.target.functions[name]) {
      if (!(region.to >= low && region.from <= high)) continue;
      if (region.from > covered) return Infinity; // a gap between the regions
      worst = Math.max(worst, regionError(region, Math.min(high, region.to), Math.max(low, region.from), magnitude));
      covered = Math.max(covered, region.to);
    }
    return covered >= high && low <= high ? worst : Infinity;
  }

  private increasing(name: FunctionName, f: (x: number) => number, a: Approx): Approx {
    const value = f(a.value);
    const highest = f(a.value + a.error);
    const error = Math.max(highest - value, value - f(a.value - a.error));
    const magnitude = Math.max(Math.abs(highest), Math.abs(value - error));
    return this.settled(value, error + this.accuracy(name, a, magnitude));
  }
}

/** Σ of terms in an order that nobody knows, any tiling and any number of lanes included. */
export class Sum {
  value = 0;
  /** Σ of |term|, each at its largest. */
  magnitude = 0;
  error = 0;
  count = 0;
  private readonly arithmetic: Arithmetic;
  private readonly flushes: boolean;

  constructor(arithmetic: Arithmetic) {
    this.arithmetic = arithmetic;
    this.flushes = arithmetic.target.flushes;
  }

  /** A term that exists already. */
  add(value: number, error = 0): void {
    const size = Math.abs(value);
    const e = this.flushes && size - error < minNormal ? Math.max(error, size) : error;
    this.value += value;
    this.error += e;
    this.magnitude += size + e;
    this.count++;
  }

  /** A term a · b, rounded as a product (a fused multiply-add only helps). */
  addProduct(a: number, b: number, aError = 0, bError = 0): void {
    const aSize = Math.abs(a);
    const bSize = Math.abs(b);
    const ea = this.flushes && aSize - aError < minNormal ? Math.max(aError, aSize) : aError;
    const eb = this.flushes && bSize - bError < minNormal ? Math.max(bError, bSize) : bError;
    const value = a * b;
    const size = Math.abs(value);
    let error = aSize * eb + bSize * ea + ea * eb;
    error += this.arithmetic.u * (size + error);
    if (size - error < minNormal && (size !== 0 || error !== 0)) {
      error += minSubnormal;
      if (this.flushes) error = Math.max(error, size);
    }
    this.value += value;
    this.error += error;
    this.magnitude += size + error;
    this.count++;
  }

  /** The sum, each term having passed through at most count − 1 additions and `extra` further roundings. */
  total(extra = 0): Approx {
    const roundings = Math.max(0, this.count - 1) + extra;
    let error = this.error + gamma(roundings, this.arithmetic.u) * this.magnitude;
    if (this.flushes) error += roundings * minNormal; // a partial sum may become subnormal, and then zero
    // A partial sum is at most the sum of magnitudes: beyond the largest number, some order overflows.
    return { value: this.value, error: this.magnitude + error <= MAX ? error : Infinity };
  }
}

/** |â·b̂ − a·b| for operands within their errors. */
function productError(a: Approx, b: Approx): number {
  return Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
}

/** The largest error that a region of the target's table allows, for arguments from low to high. */
function regionError(region: Region, high: number, low: number, magnitude: number): number {
  const x = Math.max(Math.abs(low), Math.abs(high));
  // The largest distance between neighbours of a result up to `magnitude`.
  const ulp = magnitude >= minNormal ? powerOfTwo(Math.min(exponentOf(magnitude), 127) - 23) : minSubnormal;
  const ulps = (region.ulp ?? 0) + (region.ulpPerArgument ?? 0) * x;
  return ulps * ulp + (region.absolute ?? 0) + (region.relative ?? 0) * magnitude;
}

/** One more rounding, to nearest, into a lower format: the interval's ends rounded. */
function storedIn(a: Approx, dtype: DType): Approx {
  const low = roundTo(a.value - a.error, dtype);
  const high = roundTo(a.value + a.error, dtype);
  const error = Math.max(high - a.value, a.value - low);
  return { value: a.value, error: error <= MAX ? error : Infinity };
}
