// The promise that exp(0) is exactly 1: what it tightens, what it does not, and that a device which breaks it is seen.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Sizes } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeOutputs } from "../../judge/verdict.ts";
import { powerOfTwo } from "../../reference/elementary.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { risesAfter } from "../../reference/ops/softmax.rises.bound.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";

const silent = (target: Target): Target => ({ ...target, expOfZero: false });
const promising = Object.values(targets).filter(({ expOfZero }: Target) => expOfZero === true);

test("it is promised where a document says so", () => {
  expect(promising.map(({ name }) => name).toSorted()).toEqual(["cuda", "ieee", "matrix-units", "opencl", "triton"]);
});

describe("rises of a running maximum", () => {
  const few = fc.constantFrom(-2, -1, -0, 0, 1, 2, -Infinity);
  test("without errors, one for each greater value", () => {
    fc.assert(
      fc.property(fc.array(few, { maxLength: 9 }), (row) => {
        const greater = row.map((x) => new Set(row.filter((y) => y > x)).size);
        expect([...risesAfter(row)]).toEqual(greater);
      }),
    );
  });

  test("with errors, at least those of any numbers within them, in any order", () => {
    const element = fc.record({
      x: fc.integer({ min: -4, max: 4 }),
      e: fc.constantFrom(0, 0.5, 1.5),
      at: fc.double({ min: -1, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 9 }), (row) => {
        const rises = risesAfter(
          row.map(({ x }) => x),
          row.map(({ e }) => e),
        );
        let max = -Infinity;
        const seen = row.map(() => 0);
        row.forEach(({ x, e, at }, i) => {
          const computed = x + at * e;
          if (computed > max) for (let j = 0; j < i; j++) seen[j]++;
          max = Math.max(max, computed);
        });
        for (const [i, count] of seen.entries()) expect(count).toBeLessThanOrEqual(rises[i]);
        for (const [i, { x, e }] of row.entries()) {
          expect(rises[i]).toBe(row.filter((other, j) => j !== i && other.x + other.e > x - e).length);
        }
      }),
    );
  });
});

const head = { B: 1, NKV: 1, groups: 1 };
const all = { ignored: "none", ignoreIndex: -100 };
/** Each op with a size at which the promise tells, and a small one. */
const shapes = [
  ["attention.forward", { ...head, T: 1, S: 128, HS: 16 }, { ...head, T: 2, S: 24, HS: 3 }],
  ["attention.backward", { ...head, T: 8, S: 64, HS: 8 }, { ...head, T: 3, S: 12, HS: 3 }],
  ["softmax.forward", { R: 2, C: 600 }, { R: 1, C: 24 }],
  ["cross-entropy.forward", { R: 2, V: 600, ...all }, { R: 1, V: 24, ...all }],
  ["cross-entropy.backward", { R: 2, V: 600, ...all }, { R: 1, V: 24, ...all }],
] as const;

function boundOf(op: string, inputs: Inputs, scalars: Scalars, target: Target): number[] {
  const allowed = operations.get(op)!.bound(inputs as never, scalars, target);
  return Object.values(allowed).flatMap(({ data }) => Array.from(data));
}

test.each(shapes)("%s: no element's bound grows by the promise, and most are smaller", (op, sizes) => {
  const { inputs, scalars } = judgeRows.get(op)!.build(sizes, "unit", 1);
  for (const target of [targets.ieee, targets.cuda]) {
    const tight = boundOf(op, inputs, scalars, target);
    const wide = boundOf(op, inputs, scalars, silent(target));
    for (const [i, bound] of tight.entries()) expect(bound).toBeLessThanOrEqual(wide[i]);
    expect(tight.filter((bound, i) => bound < wide[i]).length).toBeGreaterThan(tight.length / 2);
  }
});

/** The largest error ÷ bound of every evaluation in the zoo, when each of its operations errs as far as it may. */
function worstOf(op: string, sizes: Sizes, target: Target): number {
  const operation = operations.get(op)!;
  let worst = 0;
  for (const [n, profile] of (["unit", "sorted", "small-scores"] as const).entries()) {
    const problem = judgeRows.get(op)!.build(sizes, profile, n);
    for (const evaluation of evaluationsOf(op)) {
      for (const seed of [0, 1, 7]) {
        const f = new Float32Arithmetic(target, {
          rounding: "adversarial",
          order: "sequential",
          fused: seed === 7,
          flushes: false,
          functions: "high",
          seed,
        });
        const outputs = evaluation.evaluate(f, problem.inputs, problem.scalars);
        const { findings, comparisons } = judgeOutputs(operation, outputs, problem, { target, dtype: "float32" });
        expect(findings).toEqual([]);
        for (const comparison of comparisons) worst = Math.max(worst, comparison.worst);
      }
    }
  }
  return worst;
}

test.each(shapes)("%s: a worst case is within it, and reaches a fifteenth", (op, _, sizes) => {
  for (const target of [targets.ieee, targets.opencl]) {
    expect(worstOf(op, sizes, target)).toBeGreaterThanOrEqual(1 / 15);
  }
});

// Every form of a softmax of one number 0 takes e⁰, and lse is its logarithm.
const one = tensor(Float32Array.of(0), [1, 1]);
const key = tensor(Float32Array.of(0), [1, 1, 1, 1]);
const value = tensor(Float32Array.of(0.75), [1, 1, 1, 1]);
const seen = [
  ["cross-entropy.forward", { logits: one, targets: tensor(Int32Array.of(0), [1]) }, { ignoreIndex: -100 }, []],
  ["attention.forward", { q: key, k: key, v: value }, {}, [1, 1]],
] as const;

test.each(seen)("%s shows a device whose e⁰ is not 1", (op, inputs, scalars, lead) => {
  const operation = operations.get(op)!;
  const findings = (lse: number, target: Target): readonly string[] => {
    const outputs = {
      ...operation.evaluate(inputs, scalars as never, Float64Array),
      lse: tensor(Float32Array.of(lse), [...lead, 1]),
    };
    return judgeOutputs(operation, outputs, { inputs, scalars }, { target, dtype: "float32" }).findings;
  };
  const ulp = powerOfTwo(-23); // log(1 + 2⁻²³), of an e⁰ that is the next number after 1
  expect(findings(0, targets.cuda)).toEqual([]);
  expect(findings(ulp, targets.cuda)[0]).toMatch(/^lse/);
  expect(findings(ulp, targets.cuda)[0]).toMatch(
    /without expOfZero, the promise of cuda that exp\(0\) is 1, as if exp\(0\) were 1\.00000012: .*"expOfZero": false/,
  );
  expect(findings(-ulp / 2, targets.cuda)[0]).toMatch(/as if exp\(0\) were 0\.99999994/);
  expect(findings(0.5, targets.cuda)[0]).not.toMatch(/expOfZero/);
  expect(findings(ulp, silent(targets.cuda))).toEqual([]); // within 2.5 units in the last place
});
