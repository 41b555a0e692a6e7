// The targets as data: their structure, that correct rounding is within each, and figures by hand.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dtypes, round } from "../reference/dtype.ts";
import { cos, exp, log, MAX_ANGLE, power, powerOfTwo, sin } from "../reference/elementary.ts";
import { Arithmetic } from "../reference/rounding.ts";
import { type FunctionName, functionNames, type Target, targets } from "../reference/targets.ts";

const { minSubnormal, max: MAX, u: NEAREST } = dtypes.float32;
const all: readonly Target[] = Object.values(targets);

/** How far a function of x, whose exact result is given, may lie off. */
function allowed(target: Target, name: FunctionName, x: number, exact: number): number {
  return new Arithmetic(target).accuracy(name, { value: x, error: 0 }, Math.abs(exact));
}

test("each target has the name under which it is listed", () => {
  for (const [name, target] of Object.entries(targets)) expect(target.name).toBe(name);
});

describe.each(all)("$name", (target) => {
  test("its regions ascend, overlap at most at their ends, and hold figures that are 0 or more", () => {
    expect(Object.keys(target.functions).toSorted()).toEqual([...functionNames].toSorted());
    for (const [name, regions] of Object.entries(target.functions)) {
      if (!["pow", "tanh", "sigmoid"].includes(name)) expect(regions.length).toBeGreaterThan(0); // or that of exp2(y · log2(x))
      regions.forEach(({ from, to, ...figures }, i) => {
        expect(from).toBeLessThan(to);
        if (i > 0) expect(from).toBeGreaterThanOrEqual(regions[i - 1].to);
        expect(Object.keys(figures)).not.toEqual([]);
        for (const figure of Object.values(figures)) expect(figure >= 0 && figure < Infinity).toBe(true);
      });
    }
  });

  test("its u admits rounding to nearest, and it names its source", () => {
    expect(target.u).toBeGreaterThanOrEqual(dtypes[target.arithmetic ?? "float32"].u);
    expect(target.source).not.toBe("");
  });

  test("where subnormals may be flushed, nothing is promised at arguments that have a pole at zero", () => {
    for (const name of ["divide", "inverseSqrt", "log", "log2"] as const) {
      const [first] = target.functions[name];
      const format = dtypes[target.arithmetic ?? "float32"];
      expect(first.from).toBe(target.flushes ? format.minNormal : format.minSubnormal);
    }
  });

  // Exact to an ulp of float64, 2⁻⁵² of the result.
  const functions: Readonly<Record<FunctionName, (x: number) => number>> = {
    divide: (x) => 1.7 / x,
    sqrt: Math.sqrt,
    inverseSqrt: (x) => 1 / Math.sqrt(x),
    exp,
    exp2: (x) => power(2, x),
    log,
    log2: (x) => log(x) / log(2),
    pow: (x) => (x === 1 ? 1 : power(x, 0.3)),
    sin,
    cos,
    tanh: (x) => 1 - 2 / (1 + exp(2 * x)), // no target here states the last two
    sigmoid: (x) => 1 / (1 + exp(-x)),
  };

  test.each(functionNames.filter((name) => target.functions[name].length > 0))(
    "%s rounded correctly lies within it",
    (name) => {
      const f = functions[name];
      const regions = target.functions[name];
      const reach = name === "exp" || name === "exp2" ? 160 : name === "sin" || name === "cos" ? MAX_ANGLE : MAX;
      const low = Math.max(regions[0].from, -reach);
      const high = Math.min(regions[regions.length - 1].to, reach);
      const argument = fc.oneof(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.float({ noNaN: true, min: -4, max: 4 }),
        fc.constantFrom(...regions.flatMap(({ from, to }) => [from, to].map(Math.fround))),
      );
      let judged = 0;
      fc.assert(
        fc.property(argument, (x) => {
          if (!(x >= low && x <= high)) return;
          const exact = f(x);
          const got = round(exact, dtypes[target.arithmetic ?? "float32"]);
          if (!Number.isFinite(got)) return;
          judged++;
          expect(Math.abs(got - exact)).toBeLessThanOrEqual(
            allowed(target, name, x, exact) + powerOfTwo(-52) * Math.abs(exact),
          );
        }),
        { numRuns: 500 },
      );
      expect(judged).toBeGreaterThan(50);
    },
  );
});

// WGSL 15.7.4.1, worked by hand: an ulp of a result in [2^k, 2^(k+1)) is 2^(k−23), of a subnormal one 2^−149.
const beyondPi = Math.fround(Math.PI); // 3.14159274 > π
const belowPi = beyondPi - powerOfTwo(-22);
const byHand: readonly [FunctionName, number, number, number][] = [
  ["divide", 3, 1 / 3, 2.5 * powerOfTwo(-25)], // 1/3 is in [2⁻², 2⁻¹)
  ["divide", 3, 7 / 3, 2.5 * powerOfTwo(-22)],
  ["divide", powerOfTwo(-126), 3 * powerOfTwo(10), 2.5 * powerOfTwo(-12)],
  ["divide", powerOfTwo(126), 3 * powerOfTwo(-127), 2.5 * powerOfTwo(-149)], // 3 · 2⁻¹²⁷ is in [2⁻¹²⁶, 2⁻¹²⁵)
  ["divide", powerOfTwo(126), powerOfTwo(-127), 2.5 * powerOfTwo(-149)], // subnormal
  ["divide", powerOfTwo(126) * (1 + powerOfTwo(-23)), 1, Infinity],
  ["divide", powerOfTwo(-127), 1, Infinity],
  ["divide", 0, 1, Infinity],
  ["sqrt", 2, Math.sqrt(2), ((4.5 * powerOfTwo(-23)) / (1 - powerOfTwo(-22))) * Math.sqrt(2)],
  ["sqrt", 0, 0, Infinity], // 1 / inverseSqrt(0)
  ["sqrt", powerOfTwo(-127), 0, Infinity], // may be flushed
  ["inverseSqrt", 3, 1 / Math.sqrt(3), 2 * powerOfTwo(-24)], // 0.577
  ["inverseSqrt", 1e30, 1e-15, 2 * powerOfTwo(-73)], // 2⁻⁵⁰ < 10⁻¹⁵ < 2⁻⁴⁹
  ["inverseSqrt", powerOfTwo(-127), powerOfTwo(63), Infinity],
  ["exp", 1, exp(1), 5 * powerOfTwo(-22)], // 2.718
  ["exp", -1, exp(-1), 5 * powerOfTwo(-25)], // 0.368
  ["exp", 80, exp(80), 163 * powerOfTwo(92)], // 2¹¹⁵ < e⁸⁰ < 2¹¹⁶
  ["exp", -100, exp(-100), 203 * powerOfTwo(-149)], // subnormal
  ["exp2", 0.5, Math.sqrt(2), 4 * powerOfTwo(-23)],
  ["exp2", -10.5, Math.sqrt(2) * powerOfTwo(-11), 24 * powerOfTwo(-34)],
  ["log", 1, 0, powerOfTwo(-21)],
  ["log", 0.5, log(0.5), powerOfTwo(-21)], // the interval's end is in it: the larger of 2⁻²¹ and 3 ulp of 0.69
  ["log", 2, log(2), powerOfTwo(-21)],
  ["log", 4, log(4), 3 * powerOfTwo(-23)], // 1.386
  ["log", 0.25, log(0.25), 3 * powerOfTwo(-23)],
  ["log", powerOfTwo(-126), log(powerOfTwo(-126)), 3 * powerOfTwo(-17)], // −87.3
  ["log", powerOfTwo(-127), log(powerOfTwo(-127)), Infinity],
  ["log", 0, -Infinity, Infinity],
  ["log2", 3, log(3) / log(2), 3 * powerOfTwo(-23)], // 1.585
  ["log2", 1.5, log(1.5) / log(2), powerOfTwo(-21)],
  ["sin", 1, sin(1), powerOfTwo(-11)],
  ["sin", belowPi, sin(belowPi), powerOfTwo(-11)],
  ["sin", beyondPi, sin(beyondPi), Infinity],
  ["cos", -3, cos(-3), powerOfTwo(-11)],
  ["cos", -beyondPi, -1, Infinity],
];

test.each(byHand)("wgsl: %s at %d, exactly %d, may be off by %d", (name, x, exact, error) => {
  expect(allowed(targets.wgsl, name, x, exact)).toBe(error);
});

test("other targets, figure by figure", () => {
  expect(allowed(targets.ieee, "divide", 3, 1 / 3)).toBe(0.5 * powerOfTwo(-25));
  expect(allowed(targets.ieee, "sqrt", 0, 0)).toBeLessThan(minSubnormal);
  expect(allowed(targets.cuda, "exp", 1, exp(1))).toBe(2.5 * powerOfTwo(-22));
  expect(allowed(targets.cuda, "log", 3, log(3))).toBe(1.5 * powerOfTwo(-23));
  expect(allowed(targets["cuda-fast-math"], "exp", -1, exp(-1))).toBe(3.673 * powerOfTwo(-25));
  expect(allowed(targets["cuda-fast-math"], "divide", powerOfTwo(127), powerOfTwo(-127))).toBe(Infinity);
  expect(allowed(targets["cuda-fast-math"], "sin", 1, sin(1))).toBe(power(2, -21.41));
  expect(allowed(targets.metal, "exp", 0.25, exp(0.25))).toBe(4 * powerOfTwo(-23));
  expect(allowed(targets.metal, "exp", 2, exp(2))).toBe(7 * powerOfTwo(-21)); // 7.389
  expect(allowed(targets.metal, "cos", 4, cos(4))).toBe(Infinity);
  expect(targets["matrix-units"].functions).toEqual(targets.cuda.functions);
  expect(targets.vulkan.functions).toEqual(targets.wgsl.functions);
  const half = targets["wgsl-f16"];
  expect(allowed(half, "divide", 3, 1 / 3)).toBe(2.5 * powerOfTwo(-12)); // 1/3 is in [2⁻², 2⁻¹), its unit 2⁻¹²
  expect(allowed(half, "divide", powerOfTwo(15), powerOfTwo(-15))).toBe(Infinity);
  expect(allowed(half, "exp", -2, exp(-2))).toBe(5 * powerOfTwo(-13)); // 0.135
  expect(allowed(half, "exp", -12, exp(-12))).toBe(25 * powerOfTwo(-24)); // 6.1·10⁻⁶, subnormal
  expect(allowed(half, "inverseSqrt", 3, 1 / Math.sqrt(3))).toBe(2 * powerOfTwo(-11));
  expect(allowed(half, "log", 1, 0)).toBe(powerOfTwo(-7));
  expect(allowed(half, "sin", 1, sin(1))).toBe(powerOfTwo(-7));
  expect(allowed(targets.triton, "divide", 3, 1 / 3)).toBe(2.5 * powerOfTwo(-25));
  expect(allowed(targets.triton, "exp2", 0.5, Math.SQRT2)).toBe(2.5 * powerOfTwo(-23));
  expect(allowed(targets.triton, "inverseSqrt", 1, 1)).toBe(power(2, -22.9));
  expect(allowed(targets.triton, "sqrt", 4, 2)).toBe(powerOfTwo(-22));
  expect(allowed(targets.triton, "log", 1, 0)).toBe(1.05 * powerOfTwo(-22));
  expect(allowed(targets.triton, "log2", 8, 3)).toBe(3 * powerOfTwo(-22));
  expect(allowed(targets.opencl, "divide", 3, 1 / 3)).toBe(2.5 * powerOfTwo(-25));
  expect(allowed(targets.opencl, "exp", 80, exp(80))).toBe(3 * powerOfTwo(92)); // whatever the argument is
  expect(allowed(targets.opencl, "log", 1.5, log(1.5))).toBe(3 * powerOfTwo(-25)); // 0.405, near the zero as well
  expect(allowed(targets.opencl, "cos", 4, cos(4))).toBe(4 * powerOfTwo(-24)); // 0.65, beyond π as well
});

test("triton's exp: ex2.approx of x · log2 e, the constant and the product rounded up or down, is within its figure and reaches 9/10 of it", () => {
  const log2e = Math.fround(Math.LOG2E);
  let worst = 0;
  for (let x = -87; x <= 88; x += 0.37) {
    const exact = exp(x);
    for (const side of [-1, 1]) {
      const argument = x * log2e * (1 + side * NEAREST);
      const binary = power(2, argument);
      const unit = allowed(
        { ...targets.triton, functions: { ...targets.triton.functions, exp: [{ from: -MAX, to: MAX, ulp: 1 }] } },
        "exp",
        x,
        exact,
      );
      const error = Math.abs(binary + side * 2.5 * unit - exact);
      worst = Math.max(worst, error / allowed(targets.triton, "exp", x, exact));
      expect(error).toBeLessThanOrEqual(allowed(targets.triton, "exp", x, exact));
    }
  }
  expect(worst).toBeGreaterThan(0.9);
});
