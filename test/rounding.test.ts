// The arithmetic of the bounds, from both sides. A device that takes every liberty of the WGSL specification (either
// neighbour, flushing before and after, functions anywhere within their accuracy, any order) never leaves an error;
// one that errs as far as it may reaches at least half of it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dtypes, exponentOf, round } from "../reference/dtype.ts";
import { cos, exp, log, powerOfTwo, sin } from "../reference/elementary.ts";
import { integer, uniform } from "../reference/random.ts";
import { type Approx, Arithmetic, gamma } from "../reference/rounding.ts";
import { type Target, targets } from "../reference/targets.ts";

const { minNormal, minSubnormal, max: MAX } = dtypes.float32;

/** A stream of random numbers that a seed decides. */
class Draw {
  private readonly seed: number;
  private drawn = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** In [0, 1). */
  share(): number {
    return uniform(this.seed, 0, this.drawn++);
  }

  below(n: number): number {
    return integer(this.seed, 1, this.drawn++, n);
  }

  from<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** A float32 number, its exponent uniform from low to high. */
  float(low: number, high: number): number {
    const k = low + this.below(high - low + 1);
    const size = Math.fround((1 + this.share()) * powerOfTwo(Math.max(k, -149)));
    return (this.below(2) === 0 ? 1 : -1) * Math.min(size, MAX);
  }
}

/** The next float32 number above (1) or below (−1) a float32 number. */
function next(x: number, direction: 1 | -1): number {
  if (x === 0) return direction * minSubnormal;
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, x);
  bits.setInt32(0, bits.getInt32(0) + (x > 0 ? direction : -direction));
  return bits.getFloat32(0);
}

/** The largest float32 number that is at most hi + lo, |lo| ≤ half an ulp of the double hi. */
function below(hi: number, lo = 0): number {
  const f = Math.fround(hi);
  return f > hi || (f === hi && lo < 0) ? next(f, -1) : f;
}

const above = (hi: number, lo = 0): number => -below(-hi, -lo);

/** a + b as hi + lo, exactly (Knuth 1969). */
function exactSum(a: number, b: number): [number, number] {
  const hi = a + b;
  const back = hi - a;
  return [hi, a - (hi - back) + (b - back)];
}

/** The unit in the last place of a real number, by WGSL's definition: the least distance of two numbers around it. */
function unit(x: number): number {
  const size = Math.abs(x);
  if (size < minNormal) return minSubnormal;
  const binade = powerOfTwo(Math.min(exponentOf(size), 127));
  return binade * (size === binade && size > minNormal ? powerOfTwo(-24) : powerOfTwo(-23));
}

type Side = "up" | "down" | "zero" | "any";
const sides: readonly Side[] = ["up", "down", "zero", "any"];

/**
 * A legal evaluation of single operations. `side` says where roundings and functions err, `flushes` how likely a subnormal
 * is lost. WGSL's figures stand here once more, apart from reference/targets.ts.
 */
class Device {
  private readonly draw: Draw;
  private readonly nearest: boolean;
  private readonly flushing: number;
  private readonly side: Side;

  constructor(target: Target, draw: Draw, side = draw.from(sides), flushing = draw.from([0, 0.5, 1])) {
    this.draw = draw;
    this.nearest = target.u === powerOfTwo(-24);
    this.flushing = target.flushes ? flushing : 0;
    this.side = side;
  }

  flushed(x: number): number {
    return Math.abs(x) < minNormal && this.draw.share() < this.flushing ? 0 : x;
  }

  /** hi + lo, rounded. */
  rounded(hi: number, lo = 0): number {
    const [low, high] = [below(hi, lo), above(hi, lo)];
    if (!this.nearest || low === high) return this.flushed(this.chosen(low, high));
    // Beyond MAX, an infinity stands for the number that would follow it.
    const rest = hi - low - ((high === Infinity ? powerOfTwo(128) : high) - hi);
    return rest < 0 || (rest === 0 && lo < 0) ? low : high;
  }

  private chosen(low: number, high: number): number {
    switch (this.side) {
      case "up":
        return high;
      case "down":
        return low;
      case "zero":
        return low >= 0 ? low : high;
      case "any":
        return this.draw.from([
          low,
          high,
          Math.min(Math.max(Math.fround(low + (high - low) * this.draw.share()), low), high),
        ]);
    }
  }

  /** Any number within `accuracy` of the exact result. */
  private near(exact: number, accuracy: number): number {
    if (!(accuracy < Infinity)) return NaN; // not promised: whatever it is, nothing may depend on it
    return this.flushed(this.chosen(above(exact - accuracy), below(exact + accuracy)));
  }

  negate(x: number): number {
    return this.flushed(-this.flushed(x));
  }

  abs(x: number): number {
    return this.flushed(Math.abs(this.flushed(x)));
  }

  selected(f: (a: number, b: number) => number, a: number, b: number): number {
    const lost = Math.abs(a) < minNormal && Math.abs(b) < minNormal && a !== 0 && b !== 0;
    const x = this.flushed(a);
    const y = this.flushed(b);
    return this.flushed(lost && this.draw.share() < this.flushing ? this.draw.from([x, y]) : f(x, y));
  }

  add(a: number, b: number): number {
    return this.rounded(...exactSum(this.flushed(a), this.flushed(b)));
  }

  multiply(a: number, b: number): number {
    return this.rounded(this.flushed(a) * this.flushed(b));
  }

  /** a · b + c with one rounding. */
  fused(a: number, b: number, c: number): number {
    return this.rounded(...exactSum(this.flushed(a) * this.flushed(b), this.flushed(c)));
  }

  divide(a: number, b: number): number {
    const [x, y] = [this.flushed(a), this.flushed(b)];
    const size = Math.abs(y);
    const promised = this.nearest ? size > 0 : size >= powerOfTwo(-126) && size <= powerOfTwo(126);
    return this.near(x / y, promised ? (this.nearest ? 0.5 : 2.5) * unit(x / y) : Infinity);
  }

  exp(a: number): number {
    const x = this.flushed(a);
    return this.near(exp(x), (this.nearest ? 1 : 3 + 2 * Math.abs(x)) * unit(exp(x)));
  }

  log(a: number): number {
    const x = this.flushed(a);
    if (!(x > 0)) return NaN;
    if (this.nearest) return this.near(log(x), unit(log(x)));
    return this.near(log(x), x >= 0.5 && x <= 2 ? powerOfTwo(-21) : 3 * unit(log(x)));
  }

  inverseSqrt(a: number): number {
    const x = this.flushed(a);
    if (!(x > 0)) return NaN;
    return this.nearest ? this.divide(1, this.sqrt(x)) : this.near(1 / Math.sqrt(x), 2 * unit(1 / Math.sqrt(x)));
  }

  sqrt(a: number): number {
    const x = this.flushed(a);
    if (this.nearest) return this.near(Math.sqrt(x), 0.5 * unit(Math.sqrt(x)));
    return this.draw.below(4) === 0 ? this.rounded(Math.sqrt(x)) : this.divide(1, this.inverseSqrt(x));
  }

  wave(f: (x: number) => number, a: number): number {
    const x = this.flushed(a);
    if (this.nearest) return this.near(f(x), unit(f(x)));
    return this.near(f(x), Math.abs(x) <= Math.PI ? powerOfTwo(-11) : Infinity);
  }
}

/** An operand: the kernel's number, and the bound's (value, error) pair for it. */
interface Operand {
  readonly actual: number;
  readonly known: Approx;
}

/** An actual number off by some of its error, or by all of it. */
function operand(draw: Draw, actual: number): Operand {
  const scale = draw.from([0, 0, Math.abs(actual), Math.abs(actual), minNormal, 1]);
  const error = scale * powerOfTwo(-draw.from([0, 1, 3, 10, 20, 23, 30]));
  const value = actual + error * draw.from([-1, 1, 2 * draw.share() - 1]);
  // Enough for the roundings of these lines themselves, which are of the size of the value.
  const own = error === 0 ? 0 : (Math.abs(value) + error) * powerOfTwo(-51);
  return { actual, known: { value, error: Math.max(error, Math.abs(actual - value)) + own } };
}

/** Exponents: the whole range, the middle, or around the smallest normal number. */
function anywhere(draw: Draw): Operand {
  const [low, high] = draw.from([
    [-149, 127],
    [-20, 20],
    [-149, -120],
    [100, 127],
  ] as const);
  return operand(draw, draw.from([draw.float(low, high), draw.float(low, high), draw.float(low, high), 0, 1]));
}

const within = (got: number, bound: Approx): boolean =>
  bound.error === Infinity || Math.abs(got - bound.value) <= bound.error;

type Case = (draw: Draw, a: Arithmetic, device: Device) => { got: number; bound: Approx };

const binary =
  (
    bound: (a: Arithmetic, x: Approx, y: Approx) => Approx,
    evaluate: (d: Device, x: number, y: number) => number,
  ): Case =>
  (draw, a, device) => {
    const [x, y] = [anywhere(draw), anywhere(draw)];
    return { got: evaluate(device, x.actual, y.actual), bound: bound(a, x.known, y.known) };
  };

const unary =
  (
    actual: (draw: Draw) => number,
    bound: (a: Arithmetic, x: Approx) => Approx,
    evaluate: (d: Device, x: number) => number,
  ): Case =>
  (draw, a, device) => {
    const x = operand(draw, actual(draw));
    return { got: evaluate(device, x.actual), bound: bound(a, x.known) };
  };

const positive = (draw: Draw): number =>
  Math.abs(draw.from([draw.float(-149, 127), draw.float(-3, 3), draw.float(-149, -120)]));
const angle = (draw: Draw): number => draw.from([draw.float(-149, 2), draw.float(-3, 1), draw.float(-3, 1)]);

/** Factors in any association: at each step two of the list become one. */
const product: Case = (draw, a, device) => {
  const factors = Array.from({ length: draw.below(6) }, () => anywhere(draw));
  const list = factors.map((factor) => factor.actual);
  while (list.length > 1) list.push(device.multiply(take(draw, list), take(draw, list)));
  return { got: list[0] ?? 1, bound: a.product(...factors.map((factor) => factor.known)) };
};

function take<T>(draw: Draw, list: T[]): T {
  return list.splice(draw.below(list.length), 1)[0];
}

/** Terms and products in any tree, lanes that begin at zero and fused multiply-adds included. */
const sum: Case = (draw, a, device) => {
  const total = a.sum();
  const list: (number | [number, number])[] = [];
  // Exponents of terms and first factors, and of second factors: the last row loses subnormals before it enlarges them.
  const [low, high, low2, high2] = draw.from([
    [-149, 120, -149, 120],
    [-10, 10, -10, 10],
    [-75, -60, -75, -60],
    [-149, -124, -149, 0],
    [-149, -124, 90, 120],
  ] as const);
  for (let n = draw.below(12); n >= 0; n--) {
    const x = operand(draw, draw.float(low, high));
    if (draw.below(2) === 0) {
      total.add(x.known.value, x.known.error);
      list.push(x.actual);
    } else {
      const y = operand(draw, draw.float(low2, high2));
      total.addProduct(x.known.value, y.known.value, x.known.error, y.known.error);
      list.push([x.actual, y.actual]);
    }
  }
  for (let lanes = draw.below(3); lanes > 0; lanes--) list.push(0);
  const rounded = (part: number | [number, number]): number =>
    typeof part === "number" ? part : device.multiply(...part);
  while (list.length > 1) {
    const x = take(draw, list);
    const y = take(draw, list);
    const fuses = typeof x !== "number" && draw.below(2) === 0;
    list.push(fuses ? device.fused(...x, rounded(y)) : device.add(rounded(x), rounded(y)));
  }
  return { got: rounded(list[0]), bound: total.total() };
};

const cases: Readonly<Record<string, Case>> = {
  negate: unary(
    (draw) => anywhere(draw).actual,
    (a, x) => a.negate(x),
    (d, x) => d.negate(x),
  ),
  abs: unary(
    (draw) => anywhere(draw).actual,
    (a, x) => a.abs(x),
    (d, x) => d.abs(x),
  ),
  min: binary(
    (a, x, y) => a.min(x, y),
    (d, x, y) => d.selected(Math.min, x, y),
  ),
  max: binary(
    (a, x, y) => a.max(x, y),
    (d, x, y) => d.selected(Math.max, x, y),
  ),
  add: binary(
    (a, x, y) => a.add(x, y),
    (d, x, y) => d.add(x, y),
  ),
  subtract: binary(
    (a, x, y) => a.subtract(x, y),
    (d, x, y) => d.add(x, -y),
  ),
  multiply: binary(
    (a, x, y) => a.multiply(x, y),
    (d, x, y) => d.multiply(x, y),
  ),
  divide: binary(
    (a, x, y) => a.divide(x, y),
    (d, x, y) => d.divide(x, y),
  ),
  exp: unary(
    (draw) => draw.float(-149, 6),
    (a, x) => a.exp(x),
    (d, x) => d.exp(x),
  ),
  log: unary(
    positive,
    (a, x) => a.log(x),
    (d, x) => d.log(x),
  ),
  sqrt: unary(
    positive,
    (a, x) => a.sqrt(x),
    (d, x) => d.sqrt(x),
  ),
  inverseSqrt: unary(
    positive,
    (a, x) => a.inverseSqrt(x),
    (d, x) => d.inverseSqrt(x),
  ),
  "1 / sqrt": unary(
    positive,
    (a, x) => a.inverseSqrt(x),
    (d, x) => d.divide(1, d.sqrt(x)),
  ),
  sin: unary(
    angle,
    (a, x) => a.sin(x),
    (d, x) => d.wave(sin, x),
  ),
  cos: unary(
    angle,
    (a, x) => a.cos(x),
    (d, x) => d.wave(cos, x),
  ),
  product,
  sum,
};

const RUNS = 3000;

describe.each([targets.wgsl, targets.ieee])("no legal evaluation for $name leaves the error of", (target: Target) => {
  test.each(Object.entries(cases))("%s", (_, run) => {
    const arithmetic = new Arithmetic(target);
    let judged = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = new Draw(seed);
        const { got, bound } = run(draw, arithmetic, new Device(target, draw));
        if (bound.error < Infinity) judged++;
        if (!within(got, bound)) throw new Error(`got ${got}, off by ${(got - bound.value) / bound.error} × its error`);
      }),
      { numRuns: RUNS },
    );
    expect(judged).toBeGreaterThan(RUNS / 5);
  });

  test.each(["bfloat16", "float16", "float32"] as const)("an intermediate stored as %s", (name) => {
    const arithmetic = new Arithmetic({ ...target, stores: { P: name } });
    const dtype = dtypes[name];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = new Draw(seed);
        const x = operand(draw, draw.float(-30, 15));
        const nearest = round(x.actual, dtype);
        // Cutting bits off is one of the neighbours that a target without a rounding mode allows.
        const spacing = Math.max(powerOfTwo(exponentOf(Math.abs(x.actual)) - dtype.precision + 1), dtype.minSubnormal);
        const cut = Math.trunc(x.actual / spacing) * spacing;
        const got = target.u > dtypes.float32.u ? draw.from([nearest, cut]) : nearest;
        expect(within(got, arithmetic.store("P", x.known))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

/** The largest share of its error that an evaluation reaches with one device that errs up and one that errs down. */
function reached(target: Target, evaluate: (one: Device, other: Device) => number, bound: Approx): number {
  let worst = 0;
  const up = new Device(target, new Draw(0), "up", 0);
  const down = new Device(target, new Draw(0), "down", 0);
  for (const [one, other] of [
    [up, down],
    [down, up],
  ]) {
    const share = Math.abs(evaluate(one, other) - bound.value) / bound.error;
    if (!(share <= 1)) throw new Error(`outside: ${share}`);
    worst = Math.max(worst, share);
  }
  return worst;
}

type Single = readonly [
  low: number,
  high: number,
  (a: Arithmetic, x: Approx, y: Approx) => Approx,
  (d: Device, x: number, y: number, other: Device) => number,
];

/** The operations one by one, in the normal range, on positive numbers from 2^low to 2^high. */
const singles: Readonly<Record<string, Single>> = {
  add: [-40, 40, (a, x, y) => a.add(x, y), (d, x, y) => d.add(x, y)],
  multiply: [-40, 40, (a, x, y) => a.multiply(x, y), (d, x, y) => d.multiply(x, y)],
  product: [-40, 40, (a, x, y) => a.product(x, y), (d, x, y) => d.multiply(x, y)],
  divide: [-40, 40, (a, x, y) => a.divide(x, y), (d, x, y) => d.divide(x, y)],
  exp: [-8, 5, (a, x) => a.exp(x), (d, x) => d.exp(x)],
  log: [-100, 100, (a, x) => a.log(x), (d, x) => d.log(x)],
  sqrt: [-100, 100, (a, x) => a.sqrt(x), (d, x, _, other) => d.divide(1, other.inverseSqrt(x))],
  inverseSqrt: [
    -100,
    100,
    (a, x) => a.inverseSqrt(x),
    (d, x, _, other) => d.divide(1, other.divide(1, d.inverseSqrt(x))),
  ],
};

describe("an evaluation that errs as far as it may reaches half of the error of", () => {
  const target = targets.wgsl;
  const arithmetic = new Arithmetic(target);

  test.each(Object.entries(singles))("%s, its operands exact", (_, [low, high, bound, evaluate]) => {
    let worst = 0;
    for (let seed = 0; seed < 500; seed++) {
      const draw = new Draw(seed);
      const x = Math.abs(draw.float(low, high));
      const y = Math.abs(draw.float(low, high));
      const known = bound(arithmetic, { value: x, error: 0 }, { value: y, error: 0 });
      worst = Math.max(
        worst,
        reached(target, (one, other) => evaluate(one, x, y, other), known),
      );
    }
    expect(worst).toBeGreaterThan(1 / 2);
  });

  test.each(Object.entries(singles))("%s, its operands off", (_, [low, high, bound, evaluate]) => {
    for (let seed = 0; seed < 500; seed++) {
      const draw = new Draw(seed);
      const x = Math.abs(draw.float(low, high));
      const y = Math.abs(draw.float(low, high));
      const share = powerOfTwo(-8);
      const known = bound(arithmetic, { value: x, error: x * share }, { value: y, error: y * share });
      let worst = 0;
      for (const dx of [-share, share]) {
        for (const dy of [-share, share]) {
          const [cornerX, cornerY] = [Math.fround(x * (1 + dx * 0.999)), Math.fround(y * (1 + dy * 0.999))];
          worst = Math.max(
            worst,
            reached(target, (one, other) => evaluate(one, cornerX, cornerY, other), known),
          );
        }
      }
      expect(worst).toBeGreaterThan(1 / 2);
    }
  });

  test("a sum of equal terms, rounded down each time", () => {
    // Adding x = 1 + 2⁻²³ to a total in [2, 4) loses up to an ulp at every second addition.
    const x = 1 + powerOfTwo(-23);
    const total = arithmetic.sum();
    for (let i = 0; i < 3; i++) total.add(x);
    const bound = total.total();
    const share = reached(target, (d) => d.add(d.add(x, x), x), bound);
    expect(share).toBeGreaterThan(1 / 10); // the design's measure of tightness for an op
  });
});

describe("by hand", () => {
  const a = new Arithmetic(targets.wgsl);
  const exact = (value: number): Approx => a.exact(value);

  test("a lost subnormal operand takes what it multiplies with it", () => {
    const tiny = Math.fround(1e-40);
    const bound = a.multiply(exact(tiny), exact(1e30));
    expect(bound.error).toBeGreaterThanOrEqual(bound.value);
  });

  test("a partial product rounded up to the smallest number, then enlarged", () => {
    const [tiny, large] = [powerOfTwo(-100), powerOfTwo(100)];
    expect(a.product(exact(tiny), exact(tiny), exact(large)).error).toBeGreaterThanOrEqual(minSubnormal * large - tiny);
    // The same where the first factor may be anything near zero.
    const nothing = { value: 0, error: tiny };
    expect(a.product(nothing, exact(tiny), exact(large)).error).toBeGreaterThanOrEqual(minSubnormal * large);
  });

  test("nothing is promised beyond the range, the domain, or NaN", () => {
    for (const bound of [
      a.add(exact(MAX), exact(MAX)),
      a.multiply(exact(MAX), exact(2)),
      a.product(exact(MAX), exact(2), exact(0.25)),
      a.divide(exact(1), exact(0)),
      a.divide(exact(1), { value: 1, error: 1 }),
      a.divide(exact(1), exact(powerOfTwo(127))),
      a.divide(exact(1), { value: powerOfTwo(126), error: powerOfTwo(103) }),
      a.divide(exact(1), exact(minSubnormal)),
      a.exp(exact(89)),
      a.log(exact(0)),
      a.log(exact(-1)),
      a.log(exact(minSubnormal)),
      a.log({ value: 1, error: 1 }),
      a.sqrt(exact(-1)),
      a.sqrt(exact(0)),
      a.inverseSqrt(exact(0)),
      a.inverseSqrt(exact(minSubnormal)),
      a.sin(exact(4)),
      a.sin(exact(1e30)),
      a.cos(exact(Infinity)),
      a.exp(exact(NaN)),
      a.add(exact(NaN), exact(1)),
      a.min(exact(1), { value: NaN, error: NaN }),
      a.max({ value: 1, error: NaN }, exact(0)),
      a.multiply(exact(0), { value: 1, error: Infinity }),
      a.product(exact(0), exact(Infinity)),
      a.either(exact(1), { value: NaN, error: NaN }),
    ]) {
      expect(bound.error).toBe(Infinity);
    }
    const total = a.sum();
    total.add(MAX);
    total.add(-MAX);
    expect(total.total().error).toBe(Infinity);
    total.add(NaN);
    expect(total.total().error).toBe(Infinity);
  });

  test("exact operations stay exact", () => {
    expect(a.exact(3)).toEqual({ value: 3, error: 0 });
    expect(a.product()).toEqual({ value: 1, error: 0 });
    expect(a.product(exact(0), exact(5), exact(1e-30))).toEqual({ value: 0, error: 0 });
    expect(a.max(exact(0), exact(0))).toEqual({ value: 0, error: 0 });
    expect(a.max(exact(2), exact(3))).toEqual({ value: 3, error: 0 });
    expect(a.sum().total()).toEqual({ value: 0, error: 0 });
    expect(gamma(0, a.u)).toBe(0);
  });
});
