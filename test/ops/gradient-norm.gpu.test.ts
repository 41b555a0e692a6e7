import { expect, test } from "vitest";
import { fill } from "../../judge/profile.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("gradient-norm.forward");

const operation = operations.get("gradient-norm.forward")!;

test("so many elements that each lane of all workgroups takes several", async () => {
  const inputs = { g: fill("unit", 1, "g", [200_003]) };
  const { findings } = await judgeProblem(
    operation,
    await kernelCandidate(operation.name),
    { inputs, scalars: {} },
    wgslTerms,
  );
  expect(findings).toEqual([]);
});

test("any number of lanes adds up, and twice the same", async () => {
  const inputs = { g: fill("unit", 1, "g", [1000]) };
  for (const WG of [1, 2, 3, 7, 63, 100, 256]) {
    const candidate = await kernelCandidate(operation.name, { overrides: { WG } });
    const { findings } = await judgeProblem(operation, candidate, { inputs, scalars: {} }, wgslTerms);
    expect(findings, `WG=${WG}`).toEqual([]);
    const [first, second] = [await candidate.run(inputs, {}), await candidate.run(inputs, {})];
    expect(first.outputs.norm.data).toEqual(second.outputs.norm.data);
  }
});

test("zero gradients have the norm 0", async () => {
  const { outputs } = await (
    await kernelCandidate(operation.name)
  ).run({ g: { data: new Float32Array(5), shape: [5] } }, {});
  expect(outputs.norm.data[0]).toBe(0);
});
