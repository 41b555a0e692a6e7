import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cos, ELEMENTARY_ULPS, exp, log, MAX_ANGLE, power, powerOfTwo, sin } from "../reference/elementary.ts";
import * as exact from "./bigmath.ts";

const SAMPLES = 3000; // a property

const bits = (x: number): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
};

/** The double that is n steps further from zero. */
function neighbour(x: number, n: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + BigInt(n));
  return view.getFloat64(0);
}

// ---- the truth -------------------------------------------------------------------------------------------------------

/** The first digits of a positive exact value, cut off. */
function decimal(x: exact.Exact, digits: number): string {
  const scaled = x.mantissa * 10n ** BigInt(digits);
  const whole = x.exponent >= 0 ? scaled << BigInt(x.exponent) : scaled >> BigInt(-x.exponent);
  const text = whole.toString().padStart(digits + 1, "0");
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

describe("the truth in BigInt", () => {
  // OEIS A000796, A001113, A002162, A002392, A049469, A049470
  test.each([
    [
      "pi",
      { mantissa: exact.pi(320), exponent: -320 },
      "3.14159265358979323846264338327950288419716939937510582097494",
    ],
    ["e", exact.exp(1), "2.71828182845904523536028747135266249775724709369995957496696"],
    ["ln 2", exact.log(2), "0.69314718055994530941723212145817656807550013436025525412068"],
    ["ln 10", exact.log(10), "2.30258509299404568401799145468436420760110148862877297603332"],
    ["sin 1", exact.sinCos(1).sin, "0.84147098480789650665250232163029899962256306079837106567275"],
    ["cos 1", exact.sinCos(1).cos, "0.54030230586813971740093660744297660373231042061792222767009"],
    ["2^0.5", exact.power(2, 0.5), "1.41421356237309504880168872420969807856967187537694807317667"],
  ])("%s has the published digits", (_, got, want) => expect(decimal(got, want.length - 2)).toBe(want));

  test("a double survives the way there and back", () => {
    for (const x of [0, 1, -1.5, 0.1, 1e300, Number.MAX_VALUE, Number.MIN_VALUE, 1e-310, -powerOfTwo(-1022)]) {
      expect(exact.toNumber(exact.fromNumber(x))).toBe(x);
    }
  });

  test("an exact value between doubles goes to the nearest", () => {
    expect(exact.toNumber({ mantissa: (1n << 60n) + (1n << 7n) - 1n, exponent: -60 })).toBe(1);
    expect(exact.toNumber({ mantissa: (1n << 60n) + (1n << 7n) + 1n, exponent: -60 })).toBe(neighbour(1, 1));
    expect(exact.toNumber({ mantissa: -5n, exponent: -1076 })).toBe(-Number.MIN_VALUE);
    expect(exact.toNumber({ mantissa: 1n, exponent: -1076 })).toBe(0);
  });

  test("the neighbours of a double are one ulp away, on both sides of a subnormal too", () => {
    for (const x of [1.5, -3.25, 1e300, 1e-310, powerOfTwo(-1022)]) {
      expect(exact.ulpError(x, exact.fromNumber(x))).toBe(0);
      expect(exact.ulpError(neighbour(x, 1), exact.fromNumber(x))).toBe(1);
      expect(exact.ulpError(neighbour(x, 3), exact.fromNumber(x))).toBe(3);
    }
    expect(exact.ulpError(neighbour(1e-310, -1), exact.fromNumber(1e-310))).toBe(1);
  });

  test("an infinity stands for 2^1024, and an error of NaN does not pass", () => {
    expect(exact.ulpError(Infinity, exact.exp(800))).toBe(0);
    expect(exact.ulpError(Infinity, exact.fromNumber(Number.MAX_VALUE))).toBe(1);
    expect(exact.ulpError(-Infinity, exact.exp(800)) <= ELEMENTARY_ULPS).toBe(false);
    expect(exact.ulpError(NaN, exact.exp(1)) <= ELEMENTARY_ULPS).toBe(false);
  });
});

// ---- accuracy --------------------------------------------------------------------------------------------------------

/** As many different values as a double's 53 bits, evenly spread over [low, high). */
const uniform = (low: number, high: number): fc.Arbitrary<number> =>
  fc.maxSafeNat().map((n) => low + (high - low) * (n * powerOfTwo(-53)));
const anyBits = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const anyFloat32 = (min: number, max: number): fc.Arbitrary<number> => {
  const range = { min: Math.fround(min), max: Math.fround(max), noNaN: true };
  return fc.float(range).filter((x) => x >= min && x <= max);
};
/** 1 ± a fraction of 2^-k for every k: as close to 1 as doubles come. */
const near1 = fc.tuple(uniform(-1, 1), fc.integer({ min: 1, max: 52 })).map(([f, k]) => 1 + f * powerOfTwo(-k));
/** The doubles nearest to k·π/2, and their neighbours. */
const nearHalfPi = fc
  .tuple(fc.integer({ min: 1, max: 667543 }), fc.integer({ min: -2, max: 2 }), fc.constantFrom(-1, 1))
  .map(([k, steps, sign]) => {
    const nearest = exact.toNumber({ mantissa: BigInt(k) * exact.pi(384), exponent: -385 });
    return sign * neighbour(nearest, steps);
  });
const frequency = fc
  .tuple(fc.constantFrom(10000, 500000, 1000000), fc.constantFrom(32, 64, 80, 96, 128), fc.nat({ max: 63 }))
  .map(([theta, HS, i]) => ({ theta, exponent: (-2 * (i % (HS / 2))) / HS }));
const ropeAngle = fc
  .tuple(fc.nat({ max: 131071 }), frequency)
  .map(([position, { theta, exponent }]) => position * power(theta, exponent));

const MAX = Number.MAX_VALUE;
const MIN = Number.MIN_VALUE;
const anyAngle = {
  "uniform to 2^20": uniform(-MAX_ANGLE, MAX_ANGLE),
  "uniform in one turn": uniform(-4, 4),
  "uniform bits": anyBits(-MAX_ANGLE, MAX_ANGLE),
  "float32 inputs": anyFloat32(-MAX_ANGLE, MAX_ANGLE),
  "next to multiples of pi/2": nearHalfPi,
  "RoPE's angles": ropeAngle,
};

const campaigns: {
  name: string;
  got: (x: number) => number;
  want: (x: number) => exact.Exact;
  ranges: Record<string, fc.Arbitrary<number>>;
}[] = [
  {
    name: "exp",
    got: exp,
    want: exact.exp,
    ranges: {
      "uniform over all finite results": uniform(-746, 710),
      "uniform near 0": uniform(-1, 1),
      "a softmax's arguments": uniform(-90, 0),
      "uniform bits": anyBits(-800, 800),
      "float32 inputs": anyFloat32(-800, 800),
      "about the overflow threshold": uniform(709.78, 709.785),
      "where results are subnormal": uniform(-746, -708),
      "about the underflow threshold": uniform(-745.2, -744),
    },
  },
  {
    name: "log",
    got: log,
    want: exact.log,
    ranges: {
      "uniform bits": anyBits(MIN, MAX),
      "float32 inputs": anyFloat32(powerOfTwo(-149), 3e38),
      "about 1": near1.filter((x) => x > 0),
      "uniform in [0.5, 2]": uniform(0.5, 2),
      "subnormal inputs": anyBits(MIN, powerOfTwo(-1022)),
      "the largest inputs": anyBits(MAX / 4, MAX),
    },
  },
  { name: "sin", got: sin, want: (x) => exact.sinCos(x).sin, ranges: anyAngle },
  { name: "cos", got: cos, want: (x) => exact.sinCos(x).cos, ranges: anyAngle },
];

/** A power whose logarithm is `logarithm`, nearly. */
const powerOf = (base: fc.Arbitrary<number>, logarithm: fc.Arbitrary<number>): fc.Arbitrary<[number, number]> =>
  fc
    .tuple(
      base.filter((b) => b > 0 && b !== 1),
      logarithm,
    )
    .map(([b, l]) => [b, l / log(b)]);

const powers: Record<string, fc.Arbitrary<[number, number]>> = {
  "RoPE's frequencies": frequency.map(({ theta, exponent }) => [theta, exponent]),
  "results within e^±50": powerOf(anyBits(MIN, MAX), uniform(-50, 50)),
  "all finite results": powerOf(anyBits(MIN, MAX), uniform(-746, 710)),
  "bases about sqrt(1/2), where ln is least accurate": powerOf(uniform(0.7, 0.715), uniform(-708, 709)),
  "bases about 1": powerOf(near1, uniform(-746, 710)),
};

const isWithin = (got: number, want: exact.Exact): boolean => exact.ulpError(got, want) <= ELEMENTARY_ULPS;

describe(`within ${ELEMENTARY_ULPS} ulp of the exact value`, () => {
  for (const { name, got, want, ranges } of campaigns) {
    test.each(Object.entries(ranges))(`${name}, %s`, (_, arbitrary) => {
      const property = fc.property(arbitrary, (x) => isWithin(got(x), want(x)));
      fc.assert(property, { numRuns: SAMPLES });
    });
  }

  test.each(Object.entries(powers))("power, %s", (_, arbitrary) => {
    const property = fc.property(arbitrary, ([base, a]) => isWithin(power(base, a), exact.power(base, a)));
    fc.assert(property, { numRuns: SAMPLES });
  });

  test("sin and cos at the double within 2^20 that is nearest to a multiple of pi/2", () => {
    const x = 45.553093477052; // 29 · π/2 + 2⁻⁶⁰·⁵, the nearest of all 667,543 multiples
    expect(Math.abs(cos(x))).toBeLessThan(powerOfTwo(-60));
    expect(isWithin(cos(x), exact.sinCos(x).cos)).toBe(true);
    expect(isWithin(sin(x), exact.sinCos(x).sin)).toBe(true);
  });
});

// ---- special values ---------------------------------------------------------------------------------------------------

test("powerOfTwo is exact for every exponent of a double", () => {
  for (let k = -1074; k <= 1023; k++) {
    const { mantissa, exponent } = exact.fromNumber(powerOfTwo(k));
    expect(mantissa).toBe(1n << BigInt(k - exponent));
  }
});

test.each([-1075, 1024, 0.5, NaN, Infinity])("powerOfTwo refuses %d", (k) =>
  expect(() => powerOfTwo(k)).toThrow(new RangeError(`2^k needs an integer k in [-1074, 1023], got k=${k}`)),
);

test.each([
  ["exp(0)", exp(0), 1],
  ["exp(-0)", exp(-0), 1],
  ["exp(the least subnormal)", exp(MIN), 1],
  ["exp(Infinity)", exp(Infinity), Infinity],
  ["exp(-Infinity)", exp(-Infinity), 0],
  ["exp(the largest double)", exp(MAX), Infinity],
  ["exp(minus the largest double)", exp(-MAX), 0],
  ["exp(NaN)", exp(NaN), NaN],
  // the last arguments on this side of the thresholds ln(2¹⁰²⁴) and ln(2⁻¹⁰⁷⁵), and the first beyond
  ["exp(709.782712893384)", Number.isFinite(exp(709.782712893384)), true],
  ["exp(709.7827128933841)", exp(709.7827128933841), Infinity],
  ["exp(-745.1332191019411)", exp(-745.1332191019411), MIN],
  ["exp(-745.1332191019412)", exp(-745.1332191019412), 0],
  ["log(1)", log(1), 0],
  ["log(0)", log(0), -Infinity],
  ["log(-0)", log(-0), -Infinity],
  ["log(-the least subnormal)", log(-MIN), NaN],
  ["log(-Infinity)", log(-Infinity), NaN],
  ["log(Infinity)", log(Infinity), Infinity],
  ["log(NaN)", log(NaN), NaN],
  ["sin(0)", sin(0), 0],
  ["sin(-0)", sin(-0), -0],
  ["sin(-the least subnormal)", sin(-MIN), -MIN],
  ["sin(NaN)", sin(NaN), NaN],
  ["sin(Infinity)", sin(Infinity), NaN],
  ["sin(-Infinity)", sin(-Infinity), NaN],
  ["cos(0)", cos(0), 1],
  ["cos(-0)", cos(-0), 1],
  ["cos(the least subnormal)", cos(MIN), 1],
  ["cos(NaN)", cos(NaN), NaN],
  ["cos(Infinity)", cos(Infinity), NaN],
  ["cos(-Infinity)", cos(-Infinity), NaN],
  ["power(10000, 0)", power(10000, 0), 1],
  ["power(1, -3)", power(1, -3), 1],
  ["power(2, Infinity)", power(2, Infinity), Infinity],
  ["power(2, -Infinity)", power(2, -Infinity), 0],
  ["power(0.5, Infinity)", power(0.5, Infinity), 0],
  ["power(2, largest)", power(2, MAX), Infinity],
  ["power(largest, 1)", power(MAX, 1), MAX],
  ["power(least, 1)", power(MIN, 1), MIN],
  ["power(NaN, 1)", power(NaN, 1), NaN],
  ["power(2, NaN)", power(2, NaN), NaN],
])("%s", (_, got, want) => expect(got).toBe(want));

test.each([neighbour(MAX_ANGLE, 1), -neighbour(MAX_ANGLE, 1), MAX])("sin and cos refuse %d", (x) => {
  expect(() => sin(x)).toThrow(new RangeError(`sin needs |x| ≤ 2^20 = 1048576, got x=${x}`));
  expect(() => cos(x)).toThrow(new RangeError(`cos needs |x| ≤ 2^20 = 1048576, got x=${x}`));
});

test.each([0, -0, -1, Infinity, -Infinity])("power refuses the base %d", (base) =>
  expect(() => power(base, 2)).toThrow(new RangeError(`power needs a positive, finite base, got base=${base}`)),
);

// ---- the same bits on every engine --------------------------------------------------------------------------------------

test("no function is called whose result ECMA-262 leaves to the engine", () => {
  const source = readFileSync(new URL("../reference/elementary.ts", import.meta.url), "utf8");
  const code = source.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "");
  const called = new Set([...code.matchAll(/Math\.(\w+)/g)].map(([, name]) => name));
  expect([...called].toSorted()).toEqual(["abs", "round", "sqrt"]);
  expect(code).not.toMatch(/\*\*|\bimport\b/);
});

test.each([
  ["exp(1)", "4005bf0a8b145769", exp(1)],
  ["exp(-1)", "3fd78b56362cef38", exp(-1)],
  ["exp(0.1)", "3ff1aec7b35a00d4", exp(0.1)],
  ["exp(-30.5)", "3d2ff3864232b407", exp(-30.5)],
  ["exp(100)", "48f3494a9b171bf5", exp(100)],
  ["exp(709.5)", "7fe81e9b4b52d0c9", exp(709.5)],
  ["exp(-740)", "0000000000000055", exp(-740)],
  ["log(2)", "3fe62e42fefa39ef", log(2)],
  ["log(0.1)", "c0026bb1bbb55515", log(0.1)],
  ["log(10)", "40026bb1bbb55516", log(10)],
  ["log(1.0000001)", "3e7ad7f2847b6492", log(1.0000001)],
  ["log(32000)", "4024bf3a3c7631eb", log(32000)],
  ["log(1e-310)", "c0864e69394d9508", log(1e-310)],
  ["sin(0.5)", "3fdeaee8744b05f0", sin(0.5)],
  ["sin(1)", "3feaed548f090cee", sin(1)],
  ["sin(-3)", "bfc210386db6d55b", sin(-3)],
  ["sin(22)", "bf8220a29f6eb9f4", sin(22)],
  ["sin(1000.1)", "3fec1fe3d1572579", sin(1000.1)],
  ["sin(1048576)", "3fd526ccb2fc8656", sin(1048576)],
  ["cos(0.5)", "3fec1528065b7d50", cos(0.5)],
  ["cos(1)", "3fe14a280fb5068c", cos(1)],
  ["cos(-3)", "bfefae04be85e5d2", cos(-3)],
  ["cos(11)", "3f7220ae41ee2fdf", cos(11)],
  ["cos(1000.1)", "3fde877c03f65b77", cos(1000.1)],
  ["cos(1048576)", "3fee33ada92fe2ae", cos(1048576)],
  ["power(10000, -0.015625)", "3febb5fad00ab22c", power(10000, -0.015625)],
  ["power(10000, -0.984375)", "3f1e459c57e28a47", power(10000, -0.984375)],
  ["power(500000, -0.96875)", "3ec948360a975f3d", power(500000, -0.96875)],
  ["power(0.9, 1000)", "366fee7413dac341", power(0.9, 1000)],
])("%s has the bits %s", (_, want, got) => expect(bits(got)).toBe(want));

const sequences: [string, string, (x: number) => number][] = [
  ["exp on (-745, 709)", "57be7dee", (x) => exp(1454 * x - 745)],
  ["log on (0, 2)", "1f785d6a", (x) => log(2 * x)],
  ["log over all magnitudes", "e9238314", (x) => log(exp(1400 * x - 700))],
  ["sin on (-2^20, 2^20)", "81f1ed81", (x) => sin((2 * x - 1) * MAX_ANGLE)],
  ["cos on (-2^20, 2^20)", "b093ef98", (x) => cos((2 * x - 1) * MAX_ANGLE)],
  ["power of 10000", "e117296c", (x) => power(10000, -x)],
];

test.each(sequences)("4096 values of %s have the fingerprint %s", (_, want, f) => {
  // FNV-1a over the results' words, at arguments in (0, 1) from a Weyl sequence
  let hash = 0x811c9dc5;
  for (let i = 1; i <= 4096; i++) {
    const word = bits(f((Math.imul(i, 0x9e3779b1) >>> 0) * powerOfTwo(-32)));
    for (const half of [word.slice(0, 8), word.slice(8)])
      hash = Math.imul(hash ^ Number.parseInt(half, 16), 0x01000193);
  }
  expect((hash >>> 0).toString(16).padStart(8, "0")).toBe(want);
});
