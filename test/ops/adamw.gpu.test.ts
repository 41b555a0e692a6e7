import { expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { kernelCandidate } from "../device.ts";
import { testKernel } from "../rows.ts";

testKernel("adamw.forward");

const zeros = () => ({ data: new Float32Array(3), shape: [3] });

test("zero moments and no gradient leave a gain as it is", async () => {
  const { scalars } = judgeRows.get("adamw.forward")!.build({ N: 3, step: 1, parameter: "gain" }, "unit", 1);
  const w = { data: Float32Array.of(1, -2, 0), shape: [3] };
  const candidate = await kernelCandidate("adamw.forward");
  const { outputs } = await candidate.run({ w, g: zeros(), m: zeros(), v: zeros() }, scalars);
  expect([...outputs.w.data]).toEqual([1, -2, 0]);
  expect([...outputs.m.data, ...outputs.v.data]).toEqual([0, 0, 0, 0, 0, 0]);
});
