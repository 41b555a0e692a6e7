// What a target file can say, and docs/targets.md: its examples load, its tables list every field, and functions with an absolute error are judged.
import { describe, expect, test } from "vitest";
import { suiting } from "../cli/terms.ts";
import { judgeRows } from "../judge/ops/index.ts";
import type { Problem } from "../judge/case.ts";
import { judgeOutputs } from "../judge/verdict.ts";
import { customTarget } from "../reference/custom-target.ts";
import { dtypes } from "../reference/dtype.ts";
import { exp, powerOfTwo } from "../reference/elementary.ts";
import { operations } from "../reference/ops/index.ts";
import { functionNames, type Region, type Target, targets } from "../reference/targets.ts";
import { tensor } from "../reference/tensor.ts";
import { Float32Arithmetic, type Habits } from "../zoo/arithmetic.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { statedEvaluations } from "../zoo/swiglu-stated.ts";
import { textOf } from "./docs/markdown.ts";

const { max: MAX } = dtypes.float32;
const page = textOf("docs/targets.md");
const [example] = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
  ([, json]) => JSON.parse(json) as Record<string, unknown>,
);

describe("docs/targets.md", () => {
  test("its example loads as it reads", () => {
    const target = customTarget(example);
    expect(target).toMatchObject({ name: "my-device", u: powerOfTwo(-24), expOfZero: true, stores: { P: "bfloat16" } });
    expect(target.functions.exp2).toEqual([
      { from: -powerOfTwo(127), to: powerOfTwo(127), ulp: 3, absolute: powerOfTwo(-127) },
    ]);
    expect(target.functions.pow).toEqual([]);
  });

  test("has the figures of HIP with half a unit for the rounding that they count from", () => {
    const ulps = ["exp", "exp2", "log", "log2", "sin", "cos"].map(
      (name) => targets.hip.functions[name as "exp"][0].ulp,
    );
    expect(ulps).toEqual([1, 1, 2, 1, 2, 2].map((measured) => measured + 0.5));
    expect(page).toMatch(/expf 1, exp2f 1, logf 2, log2f 1, sinf and cosf 2/);
  });

  test("its tables have every field, function and target", () => {
    const fields = [
      "name",
      "source",
      "u",
      "flushes",
      "promisesNonFinite",
      "fusedSums",
      "expOfZero",
      "arithmetic",
      "functions",
      "stores",
    ];
    const rows = [...page.matchAll(/^\| `([\w-]+)`/gm)].map(([, name]) => name);
    expect(rows).toEqual(
      expect.arrayContaining([...fields, ...Object.keys(targets), "ulp", "ulpPerArgument", "absolute", "relative"]),
    );
    expect(() => customTarget({ other: 1 })).toThrow(
      `expected only ${["name", "source", "u", "flushes", "promisesNonFinite", "functions", "stores", "fusedSums", "expOfZero", "arithmetic"].join(", ")}`,
    );
    for (const name of functionNames) expect(page).toContain(`\`${name}\``);
    const said = [...page.matchAll(/^\| `([\w-]+)` .*\| (yes|not said) +\|$/gm)].map(([, name, word]) => [
      name,
      word === "yes",
    ]);
    expect(Object.fromEntries(said)).toEqual(
      Object.fromEntries(Object.values<Target>(targets).map(({ name, expOfZero }) => [name, expOfZero === true])),
    );
  });
});

const everywhere = (figures: Omit<Region, "from" | "to">): readonly Region[] => [{ from: -MAX, to: MAX, ...figures }];
const withFunctions = (functions: Partial<Target["functions"]>): Target => ({
  ...targets.ieee,
  name: "stated",
  functions: { ...targets.ieee.functions, ...functions },
});
const byTanh = withFunctions({ exp: [], exp2: [], tanh: everywhere({ relative: powerOfTwo(-11) }) });
const bySigmoid = withFunctions({ exp: [], exp2: [], sigmoid: everywhere({ absolute: powerOfTwo(-22) }) });
const stopping = withFunctions({ exp: [], exp2: everywhere({ ulp: 2, absolute: powerOfTwo(-127) }) });

/** The largest error ÷ bound of evaluations whose every operation errs as far as it may; each is within its bound. */
function worstOf(
  op: string,
  problem: Problem,
  target: Target,
  isCovered: (covers: readonly string[]) => boolean,
): number {
  const operation = operations.get(op)!;
  let worst = 0;
  for (const evaluation of [...evaluationsOf(op), ...(statedEvaluations[op] ?? [])]) {
    if (!isCovered(evaluation.covers)) continue;
    for (const seed of [0, 1, 5]) {
      const habits: Habits = {
        rounding: "adversarial",
        order: "sequential",
        fused: false,
        flushes: false,
        functions: "high",
        seed,
      };
      const outputs = evaluation.evaluate(new Float32Arithmetic(target, habits), problem.inputs, problem.scalars);
      const { findings, comparisons } = judgeOutputs(operation, outputs, problem, { target, dtype: "float32" });
      expect(findings).toEqual([]);
      for (const comparison of comparisons) {
        expect(comparison.unjudged).toBe(0);
        worst = Math.max(worst, comparison.worst);
      }
    }
  }
  return worst;
}

describe.each(["swiglu.forward", "swiglu.backward"])("%s", (op) => {
  test.each([
    ["tanh", byTanh, ["sigma-by-tanh", "silu-by-tanh"]],
    ["sigmoid", bySigmoid, ["sigma-by-function"]],
  ] as const)("by %s: worst cases are within the bound and reach half of it", (_, target, names) => {
    const problem = judgeRows.get(op)!.build({ R: 3, F: 40 }, "unit", 2);
    const worst = worstOf(op, problem, target, (covers) =>
      covers.some((name) => (names as readonly string[]).includes(name)),
    );
    expect(worst).toBeGreaterThanOrEqual(0.5);
  });
});

/** ONNX Runtime's MlasLogisticKernel: a quotient of polynomials on [−18, 18], in float32. */
function mlasLogistic(x: number): number {
  const f = Math.fround;
  const z = Math.max(-18, Math.min(18, x));
  const square = f(z * z);
  const horner = (coefficients: readonly number[]): number =>
    coefficients.map(f).reduce((sum, c) => f(f(sum * square) + c));
  const p = f(
    z *
      horner([
        4.37031012579801e-11, 1.15627324459942e-7, 6.08574864600143e-5, 8.51377133304701e-3, 2.48287947061529e-1,
      ]),
  );
  const q = horner([
    6.10247389755681e-13, 5.76102136993427e-9, 6.2910678501704e-6, 1.70198817374094e-3, 1.16817656904453e-1,
    9.9315192102318e-1,
  ]);
  return Math.max(0, Math.min(1, f(f(p / q) + 0.5)));
}

test("ONNX Runtime's rational σ lies within an absolute 2⁻²², and its silu passes with that figure and fails without", () => {
  let worst = 0;
  for (let x = -30; x < 30; x += 1 / 1024) worst = Math.max(worst, Math.abs(mlasLogistic(x) - 1 / (1 + exp(-x))));
  expect(worst).toBeLessThanOrEqual(powerOfTwo(-22));
  const gate = tensor(
    Float32Array.from({ length: 401 }, (_, i) => (i - 200) / 10),
    [1, 401],
  );
  const up = tensor(
    gate.data.map(() => 1),
    gate.shape,
  );
  const problem = { inputs: { gate, up }, scalars: {} };
  const y = Float32Array.from(gate.data, (z) => z * mlasLogistic(z));
  const findings = (target: Target): readonly string[] =>
    judgeOutputs(operations.get("swiglu.forward")!, { y: tensor(y, gate.shape) }, problem, { target, dtype: "float32" })
      .findings;
  expect(findings(bySigmoid)).toEqual([]);
  expect(findings(targets.ieee)).not.toEqual([]);
});

describe("an exponential that stops at 2⁻¹²⁷", () => {
  const rows = [
    ["softmax.forward", { R: 2, C: 30 }],
    ["cross-entropy.forward", { R: 2, V: 30, ignored: "none", ignoreIndex: -100 }],
    ["attention.forward", { B: 1, NKV: 1, groups: 1, T: 2, S: 20, HS: 4 }],
    ["attention.backward", { B: 1, NKV: 1, groups: 1, T: 2, S: 12, HS: 4 }],
  ] as const;
  test.each(rows)("%s: every element is judged, and worst cases are within the bound", (op, sizes) => {
    const inBase2 = (covers: readonly string[]): boolean => covers.some((name) => name.includes("base-2"));
    expect(worstOf(op, judgeRows.get(op)!.build(sizes, "unit", 3), stopping, inBase2)).toBeGreaterThanOrEqual(1 / 15);
  });

  test("softmax: a share of e^−200 is 2⁻¹²⁷ there, at least half of what is allowed, and a finding elsewhere", () => {
    const x = tensor(Float32Array.of(0, -200), [1, 2]);
    const problem = { inputs: { x }, scalars: {} };
    const y = tensor(Float32Array.of(1, powerOfTwo(-127)), [1, 2]);
    const judged = (target: Target) =>
      judgeOutputs(operations.get("softmax.forward")!, { y }, problem, { target, dtype: "float32" });
    expect(judged(stopping).findings).toEqual([]);
    expect(judged(targets.ieee).findings[0]).toMatch(/^y\[0,1\]/);
    const { y: allowed } = operations.get("softmax.forward")!.bound({ x }, {}, stopping);
    expect(powerOfTwo(-127)).toBeGreaterThanOrEqual(allowed.data[1] / 2);
  });

  test("a function that is promised on a part of the line judges no softmax beyond it", () => {
    const near = withFunctions({ exp: [{ from: -50, to: 50, ulp: 1 }], exp2: [] });
    const errorsOf = (low: number): number[] => [
      ...operations.get("softmax.forward")!.bound({ x: tensor(Float32Array.of(0, low), [1, 2]) }, {}, near).y.data,
    ];
    expect(errorsOf(-40).every((error) => error < Infinity)).toBe(true);
    expect(errorsOf(-60)).toEqual([Infinity, Infinity]);
  });
});

test("an intermediate that no op has is refused, and one of another op is not", () => {
  const storing = (name: string): Target => customTarget({ ...example, stores: { [name]: "bfloat16" } });
  const swiglu = [operations.get("swiglu.forward")!];
  expect(suiting(storing("P"), swiglu).stores).toEqual({ P: "bfloat16" });
  expect(() => suiting(storing("p"), swiglu)).toThrow(
    /^--target my-device: "p" is not an intermediate or input of these ops, expected one of .*gate, up$/,
  );
});
