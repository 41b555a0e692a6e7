// The second verdict: correct sums in any order are never called improbable, wrong elements that their bounds admit are.
import { describe, expect, test } from "vitest";
import { statusOfVerdict } from "../../cli/statuses.ts";
import { buildCase } from "../../judge/campaign.ts";
import { choose } from "../../judge/choose.ts";
import type { Profile } from "../../judge/profile.ts";
import { concludeAll, withImprobable } from "../../judge/conclusion.ts";
import { inOrder, outlierLimits } from "../../judge/improbable/outliers.ts";
import { limitOfSum, roundsToNearest, termsOf } from "../../judge/improbable/sums.ts";
import { isDrawn } from "../../judge/improbable/suspicion.ts";
import { LAMBDA, MOST_TESTS, ofFixed, ofSigned, RUN, TAU } from "../../judge/improbable/tail.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { campaign } from "../campaign.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import { judgeOutputs } from "../../judge/verdict.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { exp } from "../../reference/elementary.ts";
import type { Outputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { normal } from "../../reference/random.ts";
import { type Target, targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic, orders } from "../../zoo/arithmetic.ts";
import { figure, sectionsOf } from "../docs/page.ts";
import { ieeeTerms, wgslTerms } from "../terms.ts";
import { candidate } from "./candidates.ts";

const linear = operations.get("linear.forward")!;
const row = judgeRows.get("linear.forward")!;
const { u } = targets.ieee;
const C = 8192;
const problemOf = (profile: Profile, seed = 3) =>
  buildCase(row, { op: "linear.forward", sizes: { R: 1, O: 12, C }, profile, seed });

test("tails: the probabilities at λ and τ are those asked for, and all tests of a run have its probability", () => {
  const p = RUN / MOST_TESTS / 2;
  expect([LAMBDA, TAU]).toEqual([ofFixed(p), ofSigned(p)]);
  for (const q of [p, 1e-3, 1e-9]) {
    // λ² / 2 is up to 46 and errs by some roundings of 46, and so does its exponential, as a share of itself.
    const lambda = ofFixed(q);
    expect(Math.abs((2 * exp(-(lambda ** 2) / 2)) / q - 1)).toBeLessThanOrEqual(8 * (lambda ** 2 / 2) * 2 ** -53);
    const tau = ofSigned(q);
    const a = Math.sqrt(1 - 1 / tau); // the probability as it is derived, before it is simplified
    expect((2 * exp(-a * tau)) / Math.sqrt(1 - a * a)).toBeLessThanOrEqual(q);
    expect((2 * exp(-a * (0.9 * tau))) / Math.sqrt(1 - a * a)).toBeGreaterThan(q);
  }
});

/** The number of the same sign before a normal float32 number. */
function nextTowardsZero(x: number): number {
  const word = new Int32Array(Float32Array.of(x).buffer);
  return new Float32Array(Int32Array.of(word[0] - 1).buffer)[0];
}

describe("sums of products with drawn signs", () => {
  const draw = (stream: number): number[] => Array.from({ length: C }, (_, i) => Math.fround(normal(1, stream, i)));
  const [a, b] = [draw(1), draw(2)];
  const exact = a.reduce((sum, x, i) => sum + x * b[i], 0);
  const limit = limitOfSum(a.map((x, i) => x * b[i]));

  test.each(orders.flatMap((order) => [false, true].map((fused) => [order, fused] as const)))(
    "%s, fused %s: far within the limit",
    (order, fused) => {
      const habits = { rounding: "nearest", order, fused, flushes: false, functions: "exact", seed: 1 } as const;
      expect(Math.abs(new Float32Arithmetic(targets.ieee, habits).dot(a, b) - exact)).toBeLessThan(limit / 10);
    },
  );

  test("even positive terms first, which the model does not promise, are within it at such lengths", () => {
    let sum = 0;
    const terms = a.map((x, i) => Math.fround(x * b[i])).toSorted((x, y) => y - x);
    for (const t of terms) sum = Math.fround(sum + t);
    expect(Math.abs(sum - exact)).toBeLessThan(limit);
  });

  test("it says nothing of constant numbers, which err by more, nor of longer sums", () => {
    const terms = Array.from({ length: 4096 }, () => Math.fround(0.1));
    let sum = 0;
    for (const t of terms) sum = Math.fround(sum + t);
    expect(Math.abs(sum - 4096 * terms[0])).toBeGreaterThan(limitOfSum(terms));
    expect(isDrawn("linear.forward", "y", { profile: "constant" }, ieeeTerms)).toBe(false);
    expect(limitOfSum(Array.from({ length: 70_000 }, () => 1))).toBe(Infinity);
  });

  test.each(["constant", "cancelling", "sorted", "one-hot", "lattice", "subnormal", "real", "huge"] as const)(
    "%s numbers are left to the proof",
    (profile) => expect(isDrawn("linear.forward", "y", { profile }, ieeeTerms)).toBe(false),
  );

  test("so are a user's own numbers, kernels that declare something, and outputs that are no sums of drawn numbers", () => {
    expect(isDrawn("linear.forward", "y", {}, ieeeTerms)).toBe(false);
    const stores = { ...ieeeTerms, target: { ...targets.ieee, stores: { x: "tf32" } } } as const;
    expect(isDrawn("linear.forward", "y", { profile: "unit" }, stores)).toBe(false);
    expect(isDrawn("gradient-norm.forward", "norm", { profile: "unit" }, ieeeTerms)).toBe(false);
    expect(isDrawn("linear.forward", "y", { profile: "unit" }, ieeeTerms)).toBe(true);
  });

  test("signs are used for targets that round to nearest", () => {
    const nearest = Object.values(targets).filter(roundsToNearest);
    for (const target of nearest) expect(target.u).toBe(u);
    for (const name of ["wgsl", "metal", "vulkan", "matrix-units"] as const)
      expect(roundsToNearest(targets[name])).toBe(false);
  });
});

/** The exact outputs, rounded once, one of them 1 % too large. */
function onePercentOff(outputs: Outputs, isWanted: (y: number) => boolean): Outputs {
  const data = Float32Array.from(outputs.y.data);
  const at = data.findIndex(isWanted);
  expect(at).toBeGreaterThanOrEqual(0);
  data[at] *= 1.01;
  return { y: { data, shape: outputs.y.shape } };
}

test("one element that is 1 % off is within its bound, and improbable", () => {
  const problem = problemOf("unit");
  const right = linear.evaluate(problem.inputs, {}, Float32Array);
  const typical = (y: number): boolean => Math.abs(y) > 40 && Math.abs(y) < 80; // half a deviation, of √C
  const wrong = onePercentOff(right, typical);
  const of = (outputs: Outputs, terms = ieeeTerms) => judgeOutputs(linear, outputs, problem, terms);
  expect(of(right).comparisons[0].improbable).toEqual({ tests: 12, beyond: 0 });
  const { findings, comparisons } = of(wrong);
  expect(findings).toEqual([]);
  expect(comparisons[0].improbable).toMatchObject({ beyond: 1, worst: { by: "signs", output: "y" } });
  // Twelve elements say nothing about each other: without a promise to round to nearest nothing is said.
  expect(of(wrong, wgslTerms).comparisons[0].improbable).toEqual({ tests: 0, beyond: 0 });
});

test("docs/bounds.md says the probability and the factor, and how far below the proof the limits lie", () => {
  const text = sectionsOf("docs/bounds.md").get("15. A probability in place of a proof")!;
  for (const figures of [`τ = ${Math.round(TAU)}`, figure(RUN / MOST_TESTS, 1)]) expect(text).toContain(figures);
  const { inputs } = buildCase(row, { op: "linear.forward", sizes: { R: 1, O: 1, C: 4096 }, profile: "unit", seed: 3 });
  const terms = termsOf("linear.forward", "y", inputs)!(0);
  const { y } = linear.bound(inputs, {}, targets.ieee);
  expect(text).toContain("a thirtieth");
  expect(Math.round(y.data[0] / limitOfSum(terms) / 10)).toBe(3);
});

describe("outliers", () => {
  const n = 400;
  const fill = (of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));
  const given = {
    want: fill(() => 1),
    bounds: fill(() => 1),
    sizes: fill(() => 1),
    others: fill((i) => i),
    inOrder: inOrder(4096, targets.ieee),
    dtype: "float32" as const,
  };
  const limitOf = (elements: Partial<typeof given> & { readonly errors: number[] }, at = 0): number => {
    const { sizes, ...all } = { ...given, ...elements };
    const limits = outlierLimits({ ...all, sizeAt: (i) => sizes[i] })!;
    expect(limits.least(at)).toBeLessThanOrEqual(limits.at(at));
    return limits.at(at);
  };

  test("an element that errs a thousand times as much as the others is one", () => {
    const errors = fill((i) => 1e-5 * Math.abs(normal(1, 1, i)));
    const limit = limitOf({ errors });
    expect(limit).toBeGreaterThan((100 * Math.max(...errors)) / 4);
    expect(limit).toBeLessThan(1000 * 1e-5);
  });

  test("where most err by nothing at all, an element may err by what its additions may, one after another", () => {
    const errors = fill((i) => (i % 20 === 0 ? 64 * u : 0));
    const limit = limitOf({ errors });
    expect(limit).toBe(TAU * u * Math.sqrt(4096));
  });

  test("an element twice as large in the units of either scale may err twice as much", () => {
    const errors = fill((i) => 1e-4 * Math.abs(normal(1, 2, i)));
    const base = limitOf({ errors }, 7);
    for (const scale of ["bounds", "sizes"] as const) {
      const limit = limitOf({ errors, [scale]: given[scale].with(7, 2) }, 7);
      expect(limit).toBe(2 * base); // a factor of 2 rounds nothing
    }
  });

  test("an element whose truth cancels is none, whatever the others err", () => {
    // dq of the first query, which sees one key: dP − D is 0, and float32 leaves a rounding of dP. All others are rounded once, from float64.
    const errors = fill((i) => (i === 0 ? 2 ** -24 : 2 ** -26 * Math.abs(normal(1, 7, i))));
    const bounds = fill((i) => (i === 0 ? 2 ** -20 : 2 ** -10));
    const want = given.want.with(0, 0);
    const limitAt = (size: number) => limitOf({ want, bounds, sizes: given.sizes.with(0, size), errors });
    for (const size of [0, 2 ** -60, 2 ** -20]) expect(errors[0]).toBeLessThan(limitAt(size));
    // The same with terms of the size that its bound suggests, and an error of as much as its bound.
    expect(limitAt(2 ** -10)).toBeLessThan(bounds[0]);
  });

  test("a truncating device may add a few elements one after another, and the others in a tree", () => {
    // 16,384 products with even signs, each addition truncated to 24 bits.
    const length = 16384;
    const truncated = (x: number): number => {
      const nearest = Math.fround(x);
      return Math.abs(nearest) <= Math.abs(x) ? nearest : nextTowardsZero(nearest);
    };
    let [sum, exact, squares] = [0, 0, 0];
    for (let k = 0; k < length; k++) {
      const t = Math.fround(normal(3, 4, k) * normal(3, 6, k));
      sum = truncated(sum + t);
      exact += t;
      squares += t * t;
    }
    const errors = fill((i) =>
      i === 0 ? Math.abs(sum - exact) / Math.sqrt(squares) : 2 * u * Math.abs(normal(1, 5, i)),
    );
    const limit = (target: Target) => limitOf({ bounds: fill(() => 0.1), inOrder: inOrder(length, target), errors });
    expect(errors[0]).toBeGreaterThan(100 * u);
    expect(errors[0]).toBeLessThan(limit(targets.wgsl));
  });

  test("few elements say nothing", () => {
    const errors = fill(() => 0);
    expect(outlierLimits({ ...given, sizeAt: () => 1, errors, others: [1, 2, 3] })).toBeUndefined();
  });
});

test("a proof beats it, it beats all else, and its status is that of a finding", () => {
  const of = (verdict: "FAIL" | "inconclusive" | "pass") => withImprobable({ verdict, reasons: [] }, true).verdict;
  expect([of("FAIL"), of("inconclusive"), of("pass")]).toEqual(["FAIL", "improbable", "improbable"]);
  const all = (["pass", "improbable", "inconclusive"] as const).map((verdict) => ({ verdict, reasons: [] }));
  expect(concludeAll(all).verdict).toBe("improbable");
  expect(statusOfVerdict("improbable")).toBe(1);
});

test("short sums that cancel, as dx of an rmsnorm of one number, are not held to each other", () => {
  const op = operations.get("rmsnorm.backward")!;
  const judged = (columns: number) => {
    const sizes = { R: 200, C: columns, eps: "1e-5" };
    const problem = buildCase(judgeRows.get(op.name)!, { op: op.name, sizes, profile: "unit", seed: 1 });
    const exact = op.evaluate(problem.inputs, problem.scalars, Float64Array);
    const allowed = op.bound(problem.inputs, problem.scalars, targets.ieee);
    // Each sixteenth row is off by a tenth of its bound, as a float32 kernel may be, and the others are computed in float64.
    const rowOf = (i: number): number => Math.floor(i / columns);
    const off = (i: number): number => (rowOf(i) % 16 === 5 ? allowed.dx.data[i] / 10 : 0);
    const dx = { data: Float32Array.from(exact.dx.data, (v, i) => v + off(i)), shape: exact.dx.shape };
    const { comparisons } = judgeOutputs(op, { ...exact, dx } as Outputs, problem, ieeeTerms);
    return comparisons.find(({ output }) => output === "dx")!.improbable!;
  };
  expect(judged(1)).toEqual({ tests: 0, beyond: 0 });
  expect(judged(64).tests).toBe(200 * 64);
  expect(judged(64).beyond).toBe(0);
});

describe("a suspicion is tried again on fresh numbers", () => {
  const [chosen] = chosenWithin(choose(["linear.forward"]), `R=1 O=12 C=${C}`);
  /** Correct, but on calls that are chosen each element of ordinary size is 1 % too large. */
  const kernel = (isWrong: (call: number) => boolean, later = 1.01): Candidate => {
    let calls = 0;
    return candidate((inputs) => {
      const { y } = linear.evaluate(inputs, {}, Float32Array) as { y: Tensor };
      const isTypical = (v: number): boolean => Math.abs(v) > 40 && Math.abs(v) < 80;
      const isDense = inputs.x.data.every((v: number) => v !== 0);
      if (!isDense || !y.data.some(isTypical) || !isWrong(calls++)) return { y };
      const factor = calls === 1 ? 1.01 : later;
      return { y: { data: Float32Array.from(y.data, (v) => (isTypical(v) ? factor * v : v)), shape: y.shape } };
    });
  };
  const searched = (isWrong: (call: number) => boolean) =>
    campaign(chosen, kernel(isWrong), ieeeTerms, { runs: 8, seed: 4 });

  test("one that comes again is a finding, with its probability and the line that shows it", async () => {
    const { improbable, failures } = await searched(() => true);
    expect(failures).toEqual([]);
    expect(improbable.findings).toHaveLength(1);
    expect(improbable.findings[0].message).toContain("within its bound");
    expect(improbable.findings[0].replay).toContain(`C=${C} profile=`);
    expect(improbable.probability).toBe((improbable.tests / MOST_TESTS) * RUN);
  });

  test("one that is outside its bound on those is a failure, whose line shows it", async () => {
    const { failures } = await campaign(
      chosen,
      kernel(() => true, 3),
      ieeeTerms,
      { runs: 8, seed: 4 },
    );
    expect(failures).toHaveLength(1);
    const { got, want, bound } = failures[0].worst!;
    // Three times a value within its bound, rounded once more, by less than the bound of the value allows.
    expect(Math.abs(got - 3 * want)).toBeLessThanOrEqual(6 * bound);
    expect(failures[0].replay).toContain(`C=${C} profile=`);
  });

  test("one that does not, of a kernel that is wrong in one call of three, is a note", async () => {
    const { improbable, notes, failures } = await searched((call) => call % 3 === 1);
    expect(failures).toEqual([]);
    expect(improbable.findings).toEqual([]);
    expect(notes.join()).toContain("but not again on fresh numbers");
  });
});
