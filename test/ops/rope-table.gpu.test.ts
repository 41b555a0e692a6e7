import { expect, test } from "vitest";
import { exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { float32, wgslTerms } from "../terms.ts";

const op = "rope-table.forward";
const operation = operations.get(op)!;

testKernel(op);

// WGSL with a sine and cosine within two and a half units in the last place of 1, in any range.
const { sin, cos } = targets.cuda.functions;
const precise: Target = { ...targets.wgsl, name: "precise sine", functions: { ...targets.wgsl.functions, sin, cos } };

test("the kernel needs nothing of the device's sine and cosine", async () => {
  const candidate = await kernelCandidate(op);
  const spec = judgeRows.get(op)!;
  for (const start of [0, 100, 4000, 131072, 1000000]) {
    for (const theta of [10000, 500000, 2]) {
      const problem = spec.build({ theta, HS: 46, start, T: 21 }, "unit", 1);
      const { findings } = await judgeProblem(operation, candidate, problem, float32(precise));
      expect(findings, `theta=${theta} start=${start}`).toEqual([]);
    }
  }
  for (const c of exampleCases(spec, 1)) {
    const { findings } = await judgeProblem(operation, candidate, spec.build(c.sizes, "unit", 1), float32(precise));
    expect(findings).toEqual([]);
  }
});

test("more than 65,535 workgroups", async () => {
  const candidate = await kernelCandidate(op, { overrides: { WG: 1 } });
  const scalars = { theta: 10000, HS: 256, start: 0, T: 515 }; // 65,920 angles, one a workgroup
  const { findings } = await judgeProblem(operation, candidate, { inputs: {}, scalars }, wgslTerms);
  expect(findings).toEqual([]);
});

test("an odd head size is refused before anything runs", async () => {
  const candidate = await kernelCandidate(op);
  await expect(candidate.run({}, { theta: 10000, HS: 5, start: 0, T: 2 })).rejects.toThrow(/HS\/2 with HS=5/);
});
