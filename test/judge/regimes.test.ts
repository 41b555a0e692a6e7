// A library that computes whole tiles in another precision than a few rows has two classes, and the report says where.
import { expect, test } from "vitest";
import { classLines, isDivided } from "../../cli/check-precision.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { measurePrecision } from "../../judge/precision.ts";
import { precisionProbes } from "../../judge/probes.ts";
import { type Precision, summarise } from "../../judge/regimes.ts";
import { formats, round } from "../../reference/dtype.ts";
import type { Inputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats } from "../../reference/tensor.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { candidate } from "./candidates.ts";

const TERMS = 1024;
const TILE = 32;

/** The reference, with inputs read as TF32 from a number of rows or queries on. */
function gated(op: string, rowsOf: (inputs: Inputs) => number): Promise<readonly Precision[]> {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const tried = candidate((inputs, scalars) => {
    const low = Object.entries(inputs).map(([name, t]) => [
      name,
      { data: (t.data as Floats).map((x) => round(x, formats.tf32)) as Floats, shape: t.shape },
    ]);
    const given = rowsOf(inputs) < TILE ? inputs : (Object.fromEntries(low) as Inputs);
    return operation.evaluate(given, scalars, Float32Array);
  });
  const setup = { operation, spec, evaluations: evaluationsOf(op), target: targets.wgsl, seed: 3 };
  const measured = measurePrecision(tried, precisionProbes(spec, TERMS), { ...setup, dtype: "float32" });
  return measured.then(({ precision }) => precision);
}

test("linear.forward: TF32 from 32 rows on", async () => {
  const precision = await gated("linear.forward", ({ x }) => x.shape[0]);
  expect(precision[0].regimes.map((one) => one.class)).toEqual(["float32", "tf32 inputs", "tf32 inputs"]);
  expect(summarise(precision)!.class).toBe("tf32 inputs");
  expect(classLines(precision)[0]).toMatch(
    /^y is float32 at R=3 O=20 C=1024, tf32 inputs at R=\d+ O=\d+ C=1024 and at R=\d+ O=\d+ C=1024, its errors \S+ × those of float32 there$/,
  );
});

test("a class that is one of those left elsewhere is no second one", () => {
  const sizes = { R: 3 };
  const of = (name: "float32" | "tf32 inputs", ...between: (typeof name)[]) =>
    ({ sizes, class: between.length > 0 ? "undecidable" : name, between, measured: 1, predictions: [] }) as const;
  const undecided = of("float32", "float32", "tf32 inputs");
  expect(isDivided({ regimes: [of("float32"), undecided] })).toBe(false);
  expect(isDivided({ regimes: [of("float32"), of("tf32 inputs")] })).toBe(true);
});

test("attention.forward: TF32 from 32 queries on", async () => {
  const precision = await gated("attention.forward", ({ q }) => q.shape[1]);
  const { regimes } = precision.find(({ output }) => output === "y")!;
  expect(regimes[0].class).toBe("float32");
  for (const one of regimes.slice(1)) expect([one.class, ...one.between].join()).toMatch(/tf32 inputs/);
});
