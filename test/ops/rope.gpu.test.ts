import { expect, test } from "vitest";
import { fill } from "../../judge/profile.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import * as ropeTable from "../../reference/ops/rope-table.ts";
import { operations } from "../../reference/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("rope.forward");
testKernel("rope.backward");

test("more than 65,535 workgroups", async () => {
  const shape = [2, 17, 11, 352]; // 65,824 pairs, one a workgroup
  const { cos, sin } = ropeTable.forward(10000, shape[3], 0, shape[1]);
  const problem = { inputs: { x: fill("unit", 1, "x", shape), cos, sin }, scalars: { layout: "half-split" } };
  const candidate = await kernelCandidate("rope.forward", { overrides: { WG: 1 } });
  const { findings } = await judgeProblem(operations.get("rope.forward")!, candidate, problem, wgslTerms);
  expect(findings).toEqual([]);
});
