// The format in which a kernel with 16-bit inputs and outputs accumulates: it is named where any probe shows it, undecidable
// where none does, and a kernel that accumulates in float32 is never named otherwise.
import { storageOf } from "../../reference/operation.ts";
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../reference/candidate.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import type { PrecisionClass } from "../../judge/emulation.ts";
import { measurePrecision } from "../../judge/precision.ts";
import { type Precision, summarise } from "../../judge/regimes.ts";
import { Float32Arithmetic, type Habits } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { candidate, fewRows, scenesFor } from "./candidates.ts";

/** Shorter sums than those of `touchstone check`, which take a quarter of the time. */
const TERMS = 1024;

const low = ["bfloat16", "float16"] as const;
type Low = (typeof low)[number];

/** A correct evaluation under habits, its outputs stored in the dtype. */
function stored(op: string, dtype: Low, variant: number, habits: Partial<Habits>): Candidate {
  const operation = operations.get(op)!;
  return candidate((inputs, scalars) => {
    const usual = {
      rounding: "nearest",
      order: "shuffled",
      fused: false,
      flushes: false,
      functions: "random",
    } as const;
    const f = new Float32Arithmetic(targets.wgsl, { ...usual, seed: 20_230_227, ...habits });
    const outputs = evaluationsOf(op)[variant].evaluate(f, inputs, scalars);
    const formatOf = (name: string) => dtypes[storageOf(operation, name, dtype)];
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data, shape }]) => [
        name,
        { data: Float32Array.from(data, (x) => round(x, formatOf(name))), shape },
      ]),
    );
  });
}

async function measured(op: string, dtype: Low, tried: Candidate): Promise<readonly Precision[]> {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const scenes = scenesFor(op, dtype);
  const terms = { operation, spec, evaluations: evaluationsOf(op), target: targets.wgsl, dtype, seed: 5, scenes };
  return (await measurePrecision(tried, fewRows(spec, TERMS, dtype), terms)).precision;
}

async function classOf(op: string, dtype: Low, habits: Partial<Habits>, variant = 0): Promise<string> {
  const { class: name, between } = summarise(await measured(op, dtype, stored(op, dtype, variant, habits)))!;
  return name === "undecidable" ? between.join(" or ") : name;
}

describe.each(low)("%s in and out", (dtype) => {
  const sums = ["linear.forward", "embedding.backward", "rmsnorm.forward", "gradient-norm.forward"];

  test.each(sums)("%s: sums in either 16-bit format, in every order", async (op) => {
    for (const format of low) {
      for (const order of ["sequential", "blocked", "pairwise"] as const) {
        const name = await classOf(op, dtype, { order, accumulator: format });
        expect(name, `${format}, ${order}`).toBe(`${format} accumulation`);
      }
    }
  });

  test.each([...operations.keys()])("%s: float32 is not named as another class", async (op) => {
    const variants = evaluationsOf(op).length;
    for (const [i, order] of (["sequential", "strided"] as const).entries()) {
      const tried = stored(op, dtype, (2 * i + 1) % variants, { order, fused: i === 0 });
      for (const { output, class: name, between } of await measured(op, dtype, tried)) {
        const names: readonly string[] = name === "undecidable" ? between : [name];
        expect(names, `${output}, ${order}: ${names.join(" or ")}`).toContain("float32");
      }
    }
  });

  test("a truncating adder shows where a sum is 0", async () => {
    expect(await classOf("linear.forward", dtype, { order: "sequential", rounding: "truncating" })).toBe(
      "float32, truncating",
    );
  });

  test("numbers that pass from step to step, and P before its product", async () => {
    const steps: PrecisionClass = `${dtype} intermediates`;
    for (const op of ["swiglu.forward", "swiglu.backward", "rope.forward", "rmsnorm.forward"]) {
      expect(await classOf(op, dtype, { intermediates: dtype }), op).toBe(steps);
    }
    expect(await classOf("attention.forward", dtype, { operands: dtype })).toBe(`${dtype} operands`);
  });

  test("sums of an attention and of its gradients", async () => {
    for (const op of ["attention.forward", "attention.backward"]) {
      expect(await classOf(op, dtype, { order: "pairwise", accumulator: dtype }), op).toBe(`${dtype} accumulation`);
    }
  });

  test("where float32 itself may differ by as much, the report says so", async () => {
    // The saved y is rounded to the dtype, so D from it and D from Σ P · dP are as far apart as a rounded P makes them.
    const precision = await measured("attention.backward", dtype, stored("attention.backward", dtype, 0, {}));
    const dk = precision.find(({ output }) => output === "dk")!;
    expect(dk.class).toBe("undecidable");
    expect(dk.between).toContain("float32");
    expect(dk.between.every((name) => name === "float32" || name.startsWith(dtype))).toBe(true);
  });

  test("a copy has no class other than float32, and NaN has none at all", async () => {
    expect((await measured("embedding.forward", dtype, stored("embedding.forward", dtype, 0, {})))[0].class).toBe(
      "float32",
    );
    const nan = candidate(({ x, w }) => ({
      y: { data: new Float32Array(x.shape[0] * w.shape[0]).fill(NaN), shape: [x.shape[0], w.shape[0]] },
    }));
    const [{ class: name, between }] = await measured("linear.forward", dtype, nan);
    expect(name).toBe("undecidable");
    expect(between.length).toBeGreaterThan(2);
  });
});

test("float16 inputs read as bfloat16, and results stored as bfloat16, are no float16", async () => {
  const rounded = (x: number): number => round(x, dtypes.bfloat16);
  const of = (name: "inputs" | "outputs") =>
    candidate((inputs, scalars) => {
      const bring = (t: (typeof inputs)[string]) => ({ data: Float32Array.from(t.data, rounded), shape: t.shape });
      const given =
        name === "inputs" ? Object.fromEntries(Object.entries(inputs).map(([key, t]) => [key, bring(t)])) : inputs;
      const { y } = operations.get("linear.forward")!.evaluate(given, scalars, Float32Array);
      const last = dtypes[name === "inputs" ? "float16" : "bfloat16"];
      return { y: { data: y.data.map((x) => round(x, last)), shape: y.shape } };
    });
  for (const what of ["inputs", "outputs"] as const) {
    const precision = await measured("linear.forward", "float16", of(what));
    expect(summarise(precision)!.class).toBe(`bfloat16 ${what}`);
  }
});
