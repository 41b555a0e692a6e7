// Kernels that compute in float16: what is judged, what is not, and which ops and dtypes are refused.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge, oracle } from "../index.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { buildCase } from "../judge/campaign.ts";
import { arbitraryCase, exampleCases } from "../judge/case.ts";
import { choose } from "../judge/choose.ts";
import { suitedTo } from "../judge/half-cases.ts";
import { judgeOutputs, roundProblem, truth } from "../judge/verdict.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import { dtypes, round } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";
import { Arithmetic } from "../reference/rounding.ts";
import { targets } from "../reference/targets.ts";
import { type Tensor, tensor } from "../reference/tensor.ts";
import { Float32Arithmetic } from "../zoo/arithmetic.ts";
import { evaluationsOf } from "../zoo/index.ts";

const target = targets["wgsl-f16"];
const inFloat16Too = new Set(
  ["add.forward", "linear.forward", "linear.backward", "embedding.forward", "embedding.backward"].concat([
    "rmsnorm.forward",
    "softmax.forward",
    "softmax.backward",
    "swiglu.forward",
    "swiglu.backward",
  ]),
);
const half = (x: number): number => round(x, dtypes.float16);

test("a sum is bounded up to 1,023 terms", () => {
  const totalOf = (n: number): number => {
    const sum = new Arithmetic(target).sum(n);
    for (let i = 0; i < n; i++) sum.add(1 / 64);
    return sum.total().error;
  };
  expect(totalOf(1023)).toBeLessThan(Infinity);
  expect(totalOf(1026)).toBe(Infinity); // 1,025 additions of 2⁻¹⁰ each
});

test("a float32 number that float16 does not hold is one of its neighbours", () => {
  const a = new Arithmetic(target);
  expect(a.exact(0.75).error).toBe(0);
  expect(a.exact(0.1).error).toBe(0.1 * target.u);
  expect(new Arithmetic(targets.wgsl).exact(0.1).error).toBe(0);
});

test.each([
  ["add.forward", { N: 60 }],
  ["linear.forward", { R: 4, O: 5, C: 6 }],
  ["swiglu.forward", { R: 3, F: 30 }],
  ["swiglu.backward", { R: 3, F: 30 }],
  ["rmsnorm.forward", { R: 4, C: 6, eps: 1e-3 }],
] as const)("%s: worst cases are within the bound and reach half of it", (op, sizes) => {
  const operation = operations.get(op)!;
  const spec = judgeRows.get(op)!;
  const problem = roundProblem(operation, spec.build({ ...spec.ordinary, ...sizes }, "unit", 1, "float16"), "float16");
  let worst = 0;
  for (const evaluation of evaluationsOf(op)) {
    for (const seed of [0, 1, 5]) {
      const f = new Float32Arithmetic(target, {
        rounding: "adversarial",
        order: "sequential",
        fused: false,
        flushes: false,
        functions: "high",
        seed,
      });
      const outputs = Object.fromEntries(
        Object.entries(evaluation.evaluate(f, problem.inputs, problem.scalars)).map(([name, { data, shape }]) => [
          name,
          { data: data.map(half), shape },
        ]),
      );
      const { findings, comparisons } = judgeOutputs(operation, outputs, problem, { target, dtype: "float16" });
      expect(findings).toEqual([]);
      for (const comparison of comparisons) worst = Math.max(worst, comparison.worst);
    }
  }
  expect(worst).toBeGreaterThanOrEqual(0.5);
});

/** y = x · wᵀ, products and sums rounded to float16. */
function inFloat16({ x, w }: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const [[R, C], [O]] = [x.shape, w.shape];
  const y = new Float32Array(R * O);
  for (let r = 0; r < R; r++) {
    for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let c = 0; c < C; c++) sum = half(sum + half(x.data[r * C + c] * w.data[o * C + c]));
      y[r * O + o] = sum;
    }
  }
  return { y: tensor(y, [R, O]) };
}

describe("linear in float16", () => {
  const spec = judgeRows.get("linear.forward")!;
  const operation = operations.get("linear.forward")!;
  const problem = roundProblem(operation, spec.build({ R: 6, O: 7, C: 200 }, "unit", 2, "float16"), "float16");
  const outputs = inFloat16(problem.inputs as Record<string, Tensor>);
  test("is right there, and wrong for a target that computes in float32", () => {
    expect(judgeOutputs(operation, outputs, problem, { target, dtype: "float16" }).findings).toEqual([]);
    expect(judgeOutputs(operation, outputs, problem, { target: targets.wgsl, dtype: "float16" }).findings).not.toEqual(
      [],
    );
  });
  test("one product too many is found", () => {
    const y = { ...outputs.y, data: outputs.y.data.map((v, i) => (i === 3 ? half(v * 4 + 20) : v)) };
    expect(judgeOutputs(operation, { y }, problem, { target, dtype: "float16" }).findings).toHaveLength(1);
  });
});

const computed = [...operations.values()].filter(({ name }) => inFloat16Too.has(name));
test.each(computed.map(({ name }) => name))("%s: a check judges at least 95 % of what it draws for float16", (op) => {
  const { operation, spec } = suitedTo(target, choose([op])[0]);
  const drawn = fc.sample(arbitraryCase(spec, false), { numRuns: 8, seed: 1 });
  const counts: Record<string, { offered: number; judged: number }> = {};
  for (const c of [...exampleCases(spec, 1, target), ...drawn]) {
    const problem = roundProblem(operation, buildCase(spec, c, "float16"), "float16");
    const { comparisons } = judgeOutputs(operation, truth(operation, problem), problem, { target, dtype: "float16" });
    for (const { output, elements, judged } of comparisons) {
      const count = (counts[output] ??= { offered: 0, judged: 0 });
      count.offered += elements;
      count.judged += judged;
    }
  }
  for (const { offered, judged } of Object.values(counts)) expect(judged / offered).toBeGreaterThan(0.95);
});

test("softmax in float16: weights far below the largest have a bound near 0", () => {
  const x = tensor(
    Float32Array.from({ length: 67 }, (_, i) => (i === 5 ? 150 : Math.sin(i))),
    [1, 67],
  );
  const { y } = oracle({ op: "softmax.forward", inputs: { x }, scalars: {} }, { target, dtype: "float16" });
  for (const [i, bound] of y.bound.data.entries()) if (i !== 5) expect(bound).toBeLessThan(powerOfTwo(-10));
});

test("other ops, and tensors of another dtype, are refused in one line", async () => {
  const lse = tensor(Float32Array.of(0), [1]);
  const problem = {
    op: "cross-entropy.backward",
    inputs: {
      dloss: tensor(Float32Array.of(1), []),
      logits: tensor(Float32Array.of(0), [1, 1]),
      targets: tensor(Int32Array.of(0), [1]),
      lse,
    },
    scalars: { ignoreIndex: -100 },
  } as const;
  expect(() => oracle(problem, { target, dtype: "float16" })).toThrow(
    /wgsl-f16 computes in float16, for which cross-entropy\.backward has no bound, expected one of add\.forward, /,
  );
  await expect(judge("add.forward", ({ a }) => ({ y: a }), { target })).rejects.toThrow(
    "wgsl-f16 computes in float16, expected tensors of dtype float16, not float32",
  );
});
