import { expect, test } from "vitest";
import { fill } from "../../judge/profile.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("clip.forward");

const operation = operations.get("clip.forward")!;
const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] });

test("more than 65,535 workgroups", async () => {
  const problem = { inputs: { g: fill("unit", 1, "g", [65_601]), norm: scalar(256) }, scalars: { maxNorm: 1 } };
  const candidate = await kernelCandidate("clip.forward", { overrides: { WG: 1 } });
  const { findings } = await judgeProblem(operation, candidate, problem, wgslTerms);
  expect(findings).toEqual([]);
});

test("below the limit every bit of g stays", async () => {
  const g = fill("unit", 1, "g", [70]);
  const { outputs } = await (await kernelCandidate("clip.forward")).run({ g, norm: scalar(8) }, { maxNorm: 8.5 });
  expect(outputs.g.data).toEqual(g.data);
});
