import { expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("softmax.forward");
testKernel("softmax.backward");

test.each([1, 2, 7, 256])("softmax: workgroups of %d", async (WG) => {
  for (const op of ["softmax.forward", "softmax.backward"]) {
    const candidate = await kernelCandidate(op, { overrides: { WG } });
    const problem = judgeRows.get(op)!.build({ R: 30, C: 319 }, "unit", 1);
    const { findings } = await judgeProblem(operations.get(op)!, candidate, problem, wgslTerms);
    expect(findings).toEqual([]);
  }
});
