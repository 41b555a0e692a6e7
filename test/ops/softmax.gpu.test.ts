import { expect, test } from "vitest";
import { cases } from "../../judge/ops/index.ts";
import { judge } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("softmax.forward");
testKernel("softmax.backward");

test.each([1, 2, 7, 256])("softmax: workgroups of %d", async (WG) => {
  for (const op of ["softmax.forward", "softmax.backward"]) {
    const candidate = await kernelCandidate(op, { overrides: { WG } });
    const problem = cases.get(op)!.build({ R: 30, C: 319 }, "unit", 1);
    const { findings } = await judge(operations.get(op)!, candidate, problem, wgslTerms);
    expect(findings).toEqual([]);
  }
});
