// A kernel that is low at some sizes only looks low in a case of those sizes, and its precision is measured there.
import { expect, test } from "vitest";
import { comparing } from "../../judge/campaign.ts";
import type { Case } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { measureProbe } from "../../judge/precision.ts";
import { secondLook } from "../../judge/second-look.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { formats, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { candidate } from "./candidates.ts";

const terms = { target: targets.wgsl, dtype: "float32" } as const;

/** The reference, with a change to its outputs. */
function changed(op: string, to: (outputs: Record<string, Tensor>, inputs: Record<string, Tensor>) => void): Candidate {
  const operation = operations.get(op)!;
  return candidate((inputs, scalars) => {
    const outputs = operation.evaluate(inputs, scalars, Float32Array) as Record<string, Tensor>;
    to(outputs, inputs as Record<string, Tensor>);
    return outputs;
  });
}

async function lowOutputs(c: Case, tried: Candidate, target: Target = targets.wgsl): Promise<string[]> {
  const [operation, spec] = [operations.get(c.op)!, judgeRows.get(c.op)!];
  const problem = spec.build(c.sizes, "unit", c.seed);
  const { comparisons } = await judgeProblem(operation, tried, problem, { ...terms, target }, comparing(spec, c, true));
  return comparisons.filter(({ looksLow }) => looksLow).map(({ output }) => output);
}

async function classThere(c: Case, output: string, tried: Candidate, target: Target = targets.wgsl): Promise<string> {
  const [operation, spec] = [operations.get(c.op)!, judgeRows.get(c.op)!];
  const setup = { ...terms, target, operation, spec, evaluations: evaluationsOf(c.op), seed: 1 };
  const look = secondLook(setup, { case: c, output })!;
  const [{ named }] = await measureProbe(tried, look.probe, look.setup, []);
  return named.class;
}

/** The last terms of each sum are added up in float32, and their sum is rounded to float16. */
const lowTail = changed("linear.forward", ({ y }, { x, w }) => {
  const [C, O, FULL] = [x.shape[1], w.shape[0], 4096];
  for (const i of y.data.keys()) {
    let tail = 0;
    for (let k = FULL; k < C; k++) tail += x.data[Math.floor(i / O) * C + k] * w.data[(i % O) * C + k];
    y.data[i] = y.data[i] - tail + round(tail, formats.float16);
  }
});

test("linear.forward: a part of sums of more than 4,096 terms in float16", async () => {
  const c: Case = { op: "linear.forward", sizes: { R: 4, O: 9, C: 4352 }, profile: "unit", seed: 5 };
  expect(
    await lowOutputs(
      c,
      changed(c.op, () => {}),
    ),
  ).toEqual([]);
  expect(await lowOutputs(c, lowTail)).toEqual(["y"]);
  expect(await classThere(c, "y", lowTail)).not.toMatch(/float32$|float32, truncating|undecidable/);
});

test.each(["dq", "dk", "dv"])(
  "attention.backward: %s stored in bfloat16 where a group has four heads",
  async (name) => {
    const sizes = { B: 1, NKV: 2, groups: 4, T: 16, S: 18, HS: 8 };
    const c: Case = { op: "attention.backward", sizes, profile: "unit", seed: 5 };
    const low = changed(c.op, ({ [name]: { data } }) => {
      for (const i of data.keys()) data[i] = round(data[i], formats.bfloat16);
    });
    expect(
      await lowOutputs(
        c,
        changed(c.op, () => {}),
      ),
    ).toEqual([]);
    expect(await lowOutputs(c, low)).toEqual([name]);
    expect(await classThere(c, name, low)).toBe("bfloat16 outputs");
  },
);

test("cross-entropy.forward: logits read as bfloat16, whose roundings a long sum averages out", async () => {
  const op = "cross-entropy.forward";
  const c: Case = { op, sizes: { R: 3, V: 2050, ignored: "none", ignoreIndex: -100 }, profile: "unit", seed: 5 };
  const operation = operations.get(op)!;
  const reading = (to: (x: number) => number): Candidate =>
    candidate(({ logits, ...others }, scalars) => {
      const read = { data: Float32Array.from(logits.data, to), shape: logits.shape };
      return operation.evaluate({ ...others, logits: read }, scalars, Float32Array) as Record<string, Tensor>;
    });
  const [plain, low] = [reading((x) => x), reading((x) => round(x, formats.bfloat16))];
  // (WGSL's exponential may err by as much where it rescales a running sum at each class.)
  expect(await lowOutputs(c, plain, targets.ieee)).toEqual([]);
  expect(await lowOutputs(c, low, targets.ieee)).toEqual(["lse"]);
  expect(await classThere(c, "lse", low, targets.ieee)).toBe("bfloat16 inputs");
});
