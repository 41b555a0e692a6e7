// The one rule of verdicts: FAIL beats inconclusive beats pass, and more findings or less judged never make a run greener.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge } from "../../judge/api/judge.ts";
import { matchers } from "../../judge/api/matchers.ts";
import { compare } from "../../judge/api/oracle.ts";
import { check } from "../../judge/check.ts";
import { choose } from "../../judge/choose.ts";
import { Deadline } from "../../judge/deadline.ts";
import { customTarget } from "../../reference/custom-target.ts";
import type { Inputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { float32 } from "../terms.ts";
import { candidate } from "./candidates.ts";
import {
  conclude,
  concludeAll,
  type Part,
  PartSums,
  partsUnder,
  type Tried,
  type Word,
} from "../../judge/conclusion.ts";
import { NO_POWER } from "../../judge/power.ts";

const part: fc.Arbitrary<Part> = fc
  .tuple(fc.string(), fc.nat(1000), fc.nat(1000))
  .map(([name, a, b]) => ({ name, offered: Math.max(a, b), judged: Math.min(a, b) }));
const tried: fc.Arbitrary<Tried> = fc.record(
  {
    hasFindings: fc.boolean(),
    parts: fc.array(part, { maxLength: 4 }),
    allowUnjudged: share(),
    interrupted: fc.boolean(),
  },
  { requiredKeys: ["hasFindings", "parts"] },
);
const green: Record<Word, number> = { FAIL: 0, improbable: 1, inconclusive: 2, pass: 3 };

function share(): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 0.1, 1), fc.double({ min: 0, max: 1, noNaN: true }));
}

const whole = { name: "y", offered: 10, judged: 10 };

describe("the rule", () => {
  test.each<[string, Tried, Word]>([
    ["everything judged", { hasFindings: false, parts: [whole] }, "pass"],
    ["a finding", { hasFindings: true, parts: [whole] }, "FAIL"],
    ["a finding, and nothing else judged", { hasFindings: true, parts: [] }, "FAIL"],
    ["a finding, then a signal", { hasFindings: true, parts: [whole], interrupted: true }, "FAIL"],
    ["a signal", { hasFindings: false, parts: [whole], interrupted: true }, "inconclusive"],
    ["no part", { hasFindings: false, parts: [] }, "inconclusive"],
    ["no element", { hasFindings: false, parts: [whole, { name: "z", offered: 0, judged: 0 }] }, "inconclusive"],
    ["none judged", { hasFindings: false, parts: [whole, { name: "z", offered: 9, judged: 0 }] }, "inconclusive"],
    [
      "none judged, all allowed",
      { hasFindings: false, parts: [{ ...whole, judged: 0 }], allowUnjudged: 1 },
      "inconclusive",
    ],
    ["a tenth unjudged", { hasFindings: false, parts: [{ ...whole, judged: 9 }] }, "pass"],
    ["a fifth unjudged", { hasFindings: false, parts: [{ ...whole, judged: 8 }] }, "inconclusive"],
    ["a fifth unjudged, allowed", { hasFindings: false, parts: [{ ...whole, judged: 8 }], allowUnjudged: 0.2 }, "pass"],
    [
      "one unjudged, none allowed",
      { hasFindings: false, parts: [{ ...whole, judged: 9 }], allowUnjudged: 0 },
      "inconclusive",
    ],
  ])("%s: %o is %s", (_, given, verdict) => {
    expect(conclude(given).verdict).toBe(verdict);
  });

  test("reasons name the part, both figures and the limit", () => {
    const parts = [
      { name: "attention.backward dq", offered: 1000, judged: 883 },
      { name: "cast.forward y", offered: 5, judged: 0 },
      { name: "add.forward y", offered: 0, judged: 0 },
    ];
    expect(conclude({ hasFindings: false, parts, interrupted: true }).reasons).toEqual([
      "interrupted",
      "attention.backward dq: 117 of 1000 elements have no finite bound (11.7 %), expected at most 10 %",
      "cast.forward y: none of 5 elements has a finite bound",
      "add.forward y: no element was judged",
    ]);
  });
});

describe("whatever the tallies", () => {
  test("a finding is FAIL; a pass has no reason; anything inconclusive has one", () => {
    fc.assert(
      fc.property(tried, (given) => {
        const { verdict, reasons } = conclude(given);
        expect(verdict === "FAIL").toBe(given.hasFindings);
        if (verdict === "pass") expect(reasons).toEqual([]);
        if (verdict === "FAIL") expect(reasons).toEqual(given.interrupted === true ? ["interrupted"] : []);
        if (verdict === "inconclusive") expect(reasons.length).toBeGreaterThan(0);
      }),
    );
  });

  test("a pass has judged an element of every part, and enough of each", () => {
    fc.assert(
      fc.property(tried, (given) => {
        if (conclude(given).verdict !== "pass") return;
        expect(given.parts.length).toBeGreaterThan(0);
        for (const { offered, judged } of given.parts) {
          expect(judged).toBeGreaterThan(0);
          expect((offered - judged) / offered).toBeLessThanOrEqual(given.allowUnjudged ?? 0.1);
        }
      }),
    );
  });

  test("one more part, a judged element less, a stricter limit, a signal or a finding never make it greener", () => {
    fc.assert(
      fc.property(tried, part, fc.nat(), share(), (given, another, which, limit) => {
        fc.pre(given.parts.length > 0);
        const before = green[conclude(given).verdict];
        const i = which % given.parts.length;
        const less = given.parts.map((one, at) => (at === i ? { ...one, judged: Math.max(0, one.judged - 1) } : one));
        const worse: Tried[] = [
          { ...given, parts: [...given.parts, another] },
          { ...given, parts: less },
          { ...given, allowUnjudged: Math.min(limit, given.allowUnjudged ?? 0.1) },
          { ...given, interrupted: true },
          { ...given, hasFindings: true },
        ];
        for (const one of worse) expect(green[conclude(one).verdict]).toBeLessThanOrEqual(before);
      }),
    );
  });

  test("a run is as green as its least green kernel, and no kernel is no pass", () => {
    fc.assert(
      fc.property(fc.array(tried), (list) => {
        const each = list.map(conclude);
        const expected =
          each.length === 0 ? green.inconclusive : Math.min(...each.map(({ verdict }) => green[verdict]));
        const all = concludeAll(each);
        expect(green[all.verdict]).toBe(expected);
        expect(new Set(all.reasons).size).toBe(all.reasons.length);
      }),
    );
  });
});

test("sums over cases: an output that is empty in one case is judged in another; one that never came is a part of 0", () => {
  const sums = new PartSums(["y", "rstd", "never"]);
  sums.add([
    { output: "y", elements: 0, judged: 0 },
    { output: "rstd", elements: 2, judged: 1 },
  ]);
  sums.add([
    { output: "y", elements: 6, judged: 6 },
    { output: "rstd", elements: 3, judged: 3 },
  ]);
  expect(partsUnder("rmsnorm.forward", sums.parts())).toEqual([
    { name: "rmsnorm.forward y", offered: 6, judged: 6, power: NO_POWER, ops: 1 },
    { name: "rmsnorm.forward rstd", offered: 5, judged: 4, power: NO_POWER, ops: 1 },
    { name: "rmsnorm.forward never", offered: 0, judged: 0, power: NO_POWER, ops: 1 },
  ]);
});

describe("whoever judges concludes so", () => {
  const noBound = customTarget({
    name: "gaps",
    source: "a test",
    u: "2^-24",
    flushes: true,
    promisesNonFinite: false,
    functions: {},
  });
  const op = "swiglu.forward";
  const kernel = operations.get(op)!;
  const gate = { data: Float32Array.of(1, 2), shape: [1, 2] };
  const problem = { op, inputs: { gate, up: gate }, scalars: {} } as const;

  test("judge and toPassTouchstone where the target bounds nothing", async () => {
    const options = { runs: 1, target: noBound };
    const zeros = ({ gate: { data, shape } }: { gate: Tensor }) => ({
      y: { data: new Float32Array(data.length), shape },
    });
    const result = await judge(op, zeros, options);
    expect(result).toMatchObject({ passed: false, verdict: "inconclusive", findings: [] });
    expect(result.reasons).toEqual([
      expect.stringMatching(/^swiglu\.forward y: none of \d+ elements has a finite bound$/),
    ]);
    const matched = await matchers.toPassTouchstone(zeros as never, op, options);
    expect([matched.pass, matched.message()]).toEqual([
      false,
      expect.stringMatching(/^swiglu\.forward: inconclusive: /),
    ]);
  });

  test("judge's replay of no elements", async () => {
    const none = { replay: "add.forward N=0 profile=unit seed=1" };
    const sum = operations.get("add.forward")!;
    const right = (inputs: Inputs) => sum.evaluate(inputs, {}, Float32Array) as never;
    expect(await judge("add.forward", right as never, none)).toMatchObject({ passed: false, verdict: "inconclusive" });
  });

  test("compare and toBeWithinBound, with the share that is allowed", () => {
    const outputs = kernel.evaluate(problem.inputs, {}, Float32Array) as { y: Tensor<Float32Array> };
    expect(compare(problem, outputs)).toMatchObject({ passed: true, verdict: "pass", reasons: [] });
    expect(compare(problem, outputs, { target: noBound })).toMatchObject({ passed: false, verdict: "inconclusive" });
    const matched = matchers.toBeWithinBound(outputs, problem, { target: noBound });
    expect([matched.pass, matched.message()]).toEqual([
      false,
      "swiglu.forward: inconclusive: swiglu.forward y: none of 2 elements has a finite bound",
    ]);
    const partly = customTarget({
      ...noBound,
      functions: { exp: [{ from: -1.5, to: 1.5, ulp: 1 }], divide: [...targets.ieee.functions.divide] },
    });
    expect(compare(problem, outputs, { target: partly })).toMatchObject({
      verdict: "inconclusive",
      reasons: ["swiglu.forward y: 1 of 2 elements have no finite bound (50 %), expected at most 10 %"],
    });
    expect(compare(problem, outputs, { target: partly, allowUnjudged: 0.5 }).verdict).toBe("pass");
  });

  test("a budget that ends after the first case, whose outputs are empty", async () => {
    const attention = choose(["attention.forward"])[0];
    const slow = candidate((inputs, scalars) => attention.operation.evaluate(inputs, scalars, Float32Array));
    let time = 0;
    const deadline = new Deadline({ seconds: 1, now: () => (time += 600) });
    const { report, conclusion } = await check(attention, slow, float32(targets.ieee), { runs: 5, seed: 1, deadline });
    expect(report.elements).toBe(0);
    expect(conclusion.verdict).toBe("inconclusive");
    expect(conclusion.reasons).toContain("attention.forward y: no element was judged");
  });
});
