import { expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { kernels } from "../../kernels-gpu/index.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { kernelCandidate, testDevice } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("linear.forward");
testKernel("linear.backward");

test.each([
  { SIDE: 1, DEPTH: 1 },
  { SIDE: 4, DEPTH: 3 },
  { SIDE: 16, DEPTH: 8 },
])("linear: any tile computes the same sums (SIDE $SIDE, DEPTH $DEPTH)", async (overrides) => {
  for (const op of ["linear.forward", "linear.backward"]) {
    const candidate = await kernelCandidate(op, { overrides });
    for (const [sizes, profile] of [
      [{ R: 21, O: 19, C: 18 }, "lattice"],
      [{ R: 65, O: 17, C: 33 }, "unit"],
    ] as const) {
      const problem = judgeRows.get(op)!.build(sizes, profile, 1);
      const { findings } = await judgeProblem(operations.get(op)!, candidate, { ...problem, profile }, wgslTerms);
      expect(findings).toEqual([]);
    }
  }
});

test("linear.forward: more than 65,535 workgroups", async () => {
  // Tiles of 4 × 4, one below the other.
  const R = 4 * 65_537;
  const x: Tensor<Float32Array> = { data: Float32Array.from({ length: R }, (_, r) => r % 1000), shape: [R, 1] };
  const w: Tensor<Float32Array> = { data: Float32Array.of(3), shape: [1, 1] };
  const options = { overrides: { SIDE: 1, DEPTH: 1 } };
  const { outputs, hygiene } = await launch(await testDevice(), kernels["linear.forward"], { x, w }, {}, options);
  expect(hygiene).toEqual({ writtenBeyondEnd: [], inputsChanged: [], neverWritten: [] });
  expect(outputs.y.data.findIndex((y, r) => y !== 3 * (r % 1000))).toBe(-1);
});

test("linear.forward: two runs give the same bits", async () => {
  const { inputs } = judgeRows.get("linear.forward")!.build({ R: 40, O: 41, C: 300 }, "unit", 1);
  const device = await testDevice();
  const [first, second] = [
    await launch(device, kernels["linear.forward"], inputs),
    await launch(device, kernels["linear.forward"], inputs),
  ];
  expect(second.outputs.y.data).toEqual(first.outputs.y.data);
});
