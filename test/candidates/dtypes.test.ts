// What is asked of a candidate beside its bound, in the low dtypes: a kernel that computes in double and rounds each output
// once has no finding, and one that computes in the low dtype has.
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../golden/candidates/candidate.ts";
import { cases } from "../../golden/cases/index.ts";
import { campaign } from "../../golden/judge/campaign.ts";
import { examine } from "../../golden/judge/examination.ts";
import { storageOf } from "../../golden/judge/verdict.ts";
import { type DTypeName, dtypes, round } from "../../reference/dtype.ts";
import type { Floats } from "../../reference/tensor.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";

const terms = { seed: 1, nondeterministic: false, bitwise: true };

function rounding(op: string, dtype: DTypeName, factor = 1): Candidate {
  const operation = operations.get(op)!;
  return {
    name: `${op} in ${dtype}`,
    run: async (inputs, scalars) => {
      const outputs = Object.entries(operation.evaluate(inputs, scalars, Float32Array)).map(([name, t]) => {
        const format = dtypes[storageOf(operation, name, dtype)];
        return [name, { data: t.data.map((x) => round(factor * x, format)) as Floats, shape: t.shape }];
      });
      return { outputs: Object.fromEntries(outputs), complaints: [] };
    },
  };
}

describe.each(["bfloat16", "float16"] as const)("in %s", (dtype) => {
  test.each([...cases.keys()])("%s", async (op) => {
    const [operation, spec] = [operations.get(op)!, cases.get(op)!];
    const plan = { runs: 5, seed: 1, dtype };
    const right = rounding(op, dtype);
    for (const target of [targets.ieee, targets.wgsl]) {
      expect((await examine(operation, spec, right, target, { ...terms, dtype })).findings).toEqual([]);
      expect((await campaign(operation, spec, right, target, plan)).failures).toEqual([]);
    }
    const wrong = rounding(op, dtype, 1 + 4 * dtypes[dtype].u); // two units in the last place, or four
    expect((await campaign(operation, spec, wrong, targets.ieee, plan)).failures).toHaveLength(1);
  });
});
