// Each class of precision is named as such where a proof alone would let it pass: sums of 4,096 products of random numbers.
import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { measurePrecision, type Measured } from "../../judge/precision.ts";
import { summarise } from "../../judge/regimes.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { LONG } from "../../judge/probes.ts";
import { orders } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { candidate, fewRows, mistaken, scenesFor, type Zoo, zooCandidate } from "./candidates.ts";
import { float32 } from "../terms.ts";

const SEED = 7;

function measure(op: string, tried: Candidate, n = LONG, target: Target = targets.wgsl): Promise<Measured> {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const scenes = scenesFor(op, target.name);
  const setup = { operation, spec, evaluations: evaluationsOf(op), target, seed: SEED, scenes };
  const terms = { ...setup, dtype: "float32" } as const;
  return measurePrecision(tried, fewRows(spec, n), terms);
}

async function classOf(op: string, zoo: Zoo): Promise<string> {
  const { precision } = await measure(op, zooCandidate(op, zoo));
  const { class: name, between } = summarise(precision)!;
  return name === "undecidable" ? between.join(" or ") : name;
}

describe(`linear.forward, sums of ${LONG} products`, () => {
  const op = "linear.forward";

  test.each(orders)("float32 to nearest, %s", async (order) => {
    expect(await classOf(op, { habits: { order } })).toBe("float32");
  });

  test("float32, fused", async () => {
    expect(await classOf(op, { habits: { order: "sequential", fused: true } })).toBe("float32");
  });

  test.each(["sequential", "reversed", "shuffled"] as const)("truncation is not taken for TF32, %s", async (order) => {
    expect(await classOf(op, { habits: { order, rounding: "truncating" } })).toBe("float32, truncating");
  });

  test.each(["tf32", "bfloat16", "float16"] as const)("inputs read as %s, rounded or cut off", async (format) => {
    const reading = { order: "blocked", operands: format } as const;
    expect(await classOf(op, { habits: reading, inputs: format })).toBe(`${format} inputs`);
    const cut = { ...reading, narrowing: "truncating" } as const;
    expect(await classOf(op, { habits: cut, inputs: format })).toBe(`${format} inputs`);
  });

  test("inputs read as TF32 and sums truncated, as a matrix unit does", async () => {
    const unit = { order: "blocked", operands: "tf32", narrowing: "truncating", rounding: "truncating" } as const;
    expect(await classOf(op, { habits: unit, inputs: "tf32" })).toBe("tf32 inputs");
  });

  test.each(["bfloat16", "float16"] as const)(
    "sums in %s, one after another, in blocks and in pairs",
    async (format) => {
      for (const order of ["sequential", "blocked", "pairwise"] as const) {
        expect(await classOf(op, { habits: { order, accumulator: format } })).toBe(`${format} accumulation`);
      }
    },
  );

  test.each(["bfloat16", "float16"] as const)("results stored as %s", async (format) => {
    expect(await classOf(op, { outputs: format })).toBe(`${format} outputs`);
  });

  test("a whole product in one low format is not float32", async () => {
    const all = { habits: { operands: "bfloat16", accumulator: "bfloat16" }, inputs: "bfloat16" } as const;
    expect(await classOf(op, { ...all, outputs: "bfloat16" })).toBe("bfloat16 accumulation");
  });

  test("TF32 inputs, which a proven bound lets pass, are named", async () => {
    const { findings, precision } = await measure(
      op,
      zooCandidate(op, { habits: { operands: "tf32" }, inputs: "tf32" }),
    );
    expect(findings).toEqual([]);
    expect(precision.map((p) => p.class)).toEqual(["tf32 inputs"]);
  });

  test("TF32 inputs of short sums are rejected, unless they are declared", async () => {
    const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
    const tf32 = zooCandidate(op, { habits: { operands: "tf32" }, inputs: "tf32" });
    const problem = spec.build({ R: 3, O: 5, C: 7 }, "unit", SEED);
    const findingsFor = async (target: Target) =>
      (await judgeProblem(operation, tf32, problem, float32(target))).findings;
    expect(await findingsFor(targets.wgsl)).not.toEqual([]);
    expect(await findingsFor({ ...targets.wgsl, stores: { x: "tf32", w: "tf32" } })).toEqual([]);
  });

  test("errors worse than every class belong to none, and neither does NaN", async () => {
    const wrong = mistaken(op, ({ y }) => y.data.fill(1e6));
    const { precision, findings } = await measure(op, wrong);
    expect(precision[0].class).toBe("coarser than every class");
    expect(findings).not.toEqual([]);
    const nan = await measure(
      op,
      mistaken(op, ({ y }) => y.data.fill(NaN)),
    );
    expect(nan.precision[0].class).toBe("undecidable");
    expect(nan.findings).not.toEqual([]);
  });

  test("an output that is missing is a finding, not a class", async () => {
    const { precision, findings } = await measure(
      op,
      candidate(() => ({})),
    );
    expect(precision).toEqual([]);
    expect(findings.map(({ message }) => message)).toEqual(["output y is missing"]);
  });

  test("for a target that rounds to nearest, too", async () => {
    const named = async (zoo: Zoo) =>
      (await measure(op, zooCandidate(op, zoo), LONG, targets.cuda)).precision.map((p) => p.class);
    expect(await named({})).toEqual(["float32"]);
    expect(await named({ habits: { operands: "tf32" }, inputs: "tf32" })).toEqual(["tf32 inputs"]);
    expect(await named({ habits: { order: "sequential", rounding: "truncating" } })).toEqual(["float32, truncating"]);
  });
});

describe("other ops", () => {
  test.each(["rmsnorm.forward", "attention.forward", "cross-entropy.forward", "swiglu.backward"])(
    "%s: float32, and inputs read as TF32, bfloat16 and float16",
    async (op) => {
      expect(await classOf(op, { habits: { order: "strided" }, variant: 1 })).toBe("float32");
      for (const format of ["tf32", "bfloat16", "float16"] as const) {
        const named = await classOf(op, { habits: { operands: format }, inputs: format, variant: 1 });
        expect(named).toBe(`${format} inputs`);
      }
    },
  );
});
