// A fused kernel is judged by the composed bound: a correct one inside, one that loses precision between its parts outside.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { correctEvaluations } from "../../judge/examination.ts";
import { fuseOperations, type Fused } from "../../judge/fused.ts";
import { fuseRows } from "../../judge/fused-row.ts";
import { inspectHygiene } from "../../judge/hygiene.ts";
import { measurePrecision } from "../../judge/precision.ts";
import { summarise } from "../../judge/regimes.ts";
import { precisionProbes } from "../../judge/probes.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import type { Trial } from "../../judge/relations/relation.ts";
import { judgeOutputs, roundScalars } from "../../judge/verdict.ts";
import { Float32Arithmetic, type Habits } from "../../zoo/arithmetic.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { candidate, scenesFor } from "./candidates.ts";
import { ieeeTerms } from "../terms.ts";

const op = (name: string) => operations.get(name)!;
const fused = (a: string, b: string) => {
  const operation = fuseOperations(op(a), op(b));
  return { operation, spec: fuseRows(operation, judgeRows.get(a)!, judgeRows.get(b)!) };
};

/** Both ops in float32, with a change to the tensor that passes between them. */
function twoSteps(inputs: Inputs, scalars: Scalars, between: (x: number) => number): Outputs {
  const { x, "rmsnorm.w": gain, "linear.w": w } = inputs;
  const { y } = op("rmsnorm.forward").evaluate({ x, w: gain }, scalars, Float32Array);
  const passed: Tensor = { data: y.data.map((one) => between(one)) as Floats, shape: y.shape };
  return op("linear.forward").evaluate({ x: passed, w }, {}, Float32Array);
}

describe("rmsnorm.forward+linear.forward", () => {
  const { operation, spec } = fused("rmsnorm.forward", "linear.forward");
  const drawn = [
    ...exampleCases(spec, 1).slice(0, 40),
    ...fc.sample(arbitraryCase(spec, false), { numRuns: 40, seed: 1 }),
  ];
  const findings = (between: (x: number) => number): string[] =>
    drawn.flatMap((c) => {
      const { inputs, scalars } = spec.build(c.sizes, c.profile as "unit", c.seed);
      const problem = { inputs, scalars: roundScalars(operation, scalars) };
      const outputs = twoSteps(inputs, problem.scalars, between);
      return judgeOutputs(operation, outputs, { ...problem, profile: c.profile }, ieeeTerms).findings;
    });

  test("names that both use become distinct, and axes of one length become one", () => {
    expect(operation.inputs).toEqual({ x: "R,C", "rmsnorm.w": "C", "linear.w": "O,C" });
    expect(operation.outputs).toEqual({ y: "R,O" });
    expect(operation.scalars).toEqual({ eps: "real" });
  });

  test("accepts two correct float32 kernels one after another", () => {
    expect(findings((x) => x)).toEqual([]);
  });

  test("rejects bfloat16 between them", () => {
    expect(findings((x) => round(x, dtypes.bfloat16)).length).toBeGreaterThan(0);
  });
});

/** The n-th correct evaluation of a fused op, under habits. */
function evaluation(
  operation: Fused,
  n: number,
  habits: Partial<Habits>,
  change?: (inputs: Inputs) => Inputs,
): Candidate {
  return candidate((inputs, scalars) => {
    const usual = { rounding: "nearest", order: "shuffled", fused: false, flushes: false, functions: "low" } as const;
    const f = new Float32Arithmetic(targets.wgsl, { ...usual, seed: 20_230_227, ...habits });
    const outputs = correctEvaluations(operation)[n].evaluate(f, change?.(inputs) ?? inputs, scalars);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, t]) => [name, { data: Float32Array.from(t.data), shape: t.shape }]),
    );
  });
}

const pairs = [
  ["rmsnorm.forward", "linear.forward"],
  ["swiglu.forward", "linear.forward"],
  ["linear.forward", "swiglu.forward"],
  ["linear.forward", "linear.forward"],
  ["embedding.forward", "rmsnorm.forward"],
  ["rope.forward", "attention.forward"],
] as const;

function trial(pair: readonly [string, string], tried: Candidate): Trial {
  const { operation, spec } = fused(...pair);
  const sizes = spec.ordinary;
  return {
    operation,
    spec,
    candidate: tried,
    target: targets.wgsl,
    dtype: "float32",
    sizes,
    seed: 3,
    deterministic: true,
  };
}

describe("relations that follow from those of the parts", () => {
  test("row-wise parts make a row-wise op, and a row-wise part before a causal one makes a causal op", () => {
    const names = (pair: readonly [string, string]) => {
      const { operation, spec } = fused(...pair);
      return relationsOf(operation, spec).map(({ name }) => name);
    };
    expect(names(["rmsnorm.forward", "linear.forward"])).toEqual([
      "the rest of R",
      "the rest of O",
      "another number of R",
      "another number of O",
      "another order of R",
      "another order of C",
      "another order of O",
      "x times 8, eps times 64",
      "rmsnorm.w times 8",
      "linear.w times 8",
      "another order of calls",
    ]);
    // Zeros after the end of a sum: within the first part, and within the second where the first makes zeros of zeros.
    expect(names(["linear.forward", "rmsnorm.forward"])).toContain("another length of C");
    expect(names(["swiglu.forward", "linear.forward"])).toContain("another length of F");
    expect(names(["linear.forward", "cross-entropy.forward"])).toEqual(
      expect.arrayContaining(["another length of C", "another length of R"]),
    );
    expect(names(["rmsnorm.forward", "linear.forward"])).not.toContain("another length of C");
    expect(names(["rope.forward", "attention.forward"])).toContain("later tokens");
    // Along C the norm sees all, whatever the product would keep.
    expect(names(["linear.forward", "rmsnorm.forward"])).not.toContain("the rest of O");
  });

  test.each(pairs)("%s+%s: correct ones keep them", async (...pair) => {
    const { operation, spec } = fused(...pair);
    const variants = correctEvaluations(operation).length;
    for (const [i, order] of (["sequential", "pairwise", "strided"] as const).entries()) {
      const tried = trial(pair, evaluation(operation, (3 * i) % variants, { order }));
      for (const { name, run } of relationsOf(operation, spec)) {
        const { state, message } = await run(tried);
        expect(state, `${name}, ${order}: ${message}`).not.toBe("broken");
      }
      const { findings, swallowed } = await inspectHygiene(tried);
      expect([...findings, ...swallowed]).toEqual([]);
    }
  });

  test("a row that sees its neighbour, a token that sees the next one, and a part left out", async () => {
    const says = async (pair: readonly [string, string], name: string, change: (inputs: Inputs) => Inputs) => {
      const { operation, spec } = fused(...pair);
      const relation = relationsOf(operation, spec).find((one) => one.name === name)!;
      return (await relation.run(trial(pair, evaluation(operation, 0, {}, change)))).state;
    };
    const shifted = (input: string, by: number) => (inputs: Inputs) => {
      const { data, shape } = inputs[input] as Tensor;
      const moved = data.map((_, i) => data[Math.min(data.length - 1, i + by)]) as Floats;
      return { ...inputs, [input]: { data: moved, shape } };
    };
    const norm = ["rmsnorm.forward", "linear.forward"] as const;
    expect(await says(norm, "the rest of R", shifted("x", 70))).toBe("broken");
    const turned = ["rope.forward", "attention.forward"] as const;
    const next = 2 * 10; // NKV · HS of the ordinary case
    expect(await says(turned, "later tokens", shifted("k", next))).toBe("broken");
    const unit = (inputs: Inputs): Inputs => {
      const w = inputs["rmsnorm.w"] as Tensor;
      return { ...inputs, "rmsnorm.w": { data: w.data.map(() => 1) as Floats, shape: w.shape } };
    };
    expect(await says(norm, "rmsnorm.w times 8", unit)).toBe("broken");
    const tail = (inputs: Inputs): Inputs => {
      const { data, shape } = inputs.up as Tensor;
      const [, F] = shape;
      const isLost = (i: number): boolean => i % F >= F - (F % 32);
      return { ...inputs, up: { data: data.map((x, i) => (isLost(i) ? 0 : x)) as Floats, shape } };
    };
    expect(await says(["swiglu.forward", "linear.forward"], "another length of F", tail)).toBe("broken");
  });
});

describe("the precision of rmsnorm.forward+linear.forward", () => {
  const { operation, spec } = fused("rmsnorm.forward", "linear.forward");
  const classOf = async (n: number, habits: Partial<Habits>) => {
    const evaluations = correctEvaluations(operation);
    const scenes = scenesFor(operation.name);
    const terms = { operation, spec, evaluations, target: targets.wgsl, dtype: "float32", seed: 7, scenes } as const;
    const tried = evaluation(operation, n, habits);
    const { precision } = await measurePrecision(tried, precisionProbes(spec), terms);
    const { class: name, between } = summarise(precision)!;
    return name === "undecidable" ? between.join(" or ") : name;
  };

  test.each(["sequential", "blocked", "pairwise"] as const)("float32, %s", async (order) => {
    expect(await classOf(3, { order })).toBe("float32");
  });

  test("the tensor between the parts in TF32 and in bfloat16, and sums in bfloat16", async () => {
    expect(await classOf(1, { operands: "tf32" })).toBe("tf32 operands");
    expect(await classOf(1, { operands: "bfloat16" })).toBe("bfloat16 operands");
    expect(await classOf(1, { accumulator: "bfloat16" })).toBe("bfloat16 accumulation");
  });
});

test("the two matrices of two products have names of their own", () => {
  const { operation, spec } = fused("linear.forward", "linear.forward");
  expect(operation.inputs).toEqual({ x: "R,C", "linear.w": "O,C", "linear2.w": "O2,O" });
  const { inputs, scalars } = spec.build({ R: 2, C: 3, O: 4, O2: 5 }, "unit", 1);
  expect(operation.evaluate(inputs, scalars, Float64Array).y.shape).toEqual([2, 5]);
});

test("three ops fuse as two do, and a second matrix gets an axis of its own", () => {
  const first = fuseOperations(op("rmsnorm.forward"), op("linear.forward"));
  const { inputs, outputs } = fuseOperations(first, op("linear.forward"));
  expect(Object.values(inputs).at(-1)).toBe("O2,O");
  expect(outputs).toEqual({ y: "R,O2" });
});

test("ops that do not fit are refused", () => {
  expect(() => fused("linear.forward", "attention.forward")).toThrow(/does not fit/);
  expect(() => fused("rmsnorm.backward", "linear.forward")).toThrow(/only forward ops can be fused/);
});
