import { expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { kernelOf, kernels } from "../../kernels-gpu/index.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { kernelCandidate, testDevice } from "../device.ts";
import { testKernel } from "../rows.ts";
import { wgslTerms } from "../terms.ts";

testKernel("cross-entropy.forward");
testKernel("cross-entropy.backward");

const both = ["cross-entropy.forward", "cross-entropy.backward"];
const common = { ignored: "some", ignoreIndex: -100 };

test.each(both)("%s: a vocabulary of 32,003", async (op) => {
  const candidate = await kernelCandidate(op);
  for (const profile of ["unit", "large"] as const) {
    const problem = judgeRows.get(op)!.build({ R: 3, V: 32_003, ...common }, profile, 1);
    const { findings } = await judgeProblem(operations.get(op)!, candidate, { ...problem, profile }, wgslTerms);
    expect(findings).toEqual([]);
  }
});

test.each([1, 2, 7, 256])("cross-entropy: workgroups of %d", async (WG) => {
  for (const op of both) {
    const candidate = await kernelCandidate(op, { overrides: { WG } });
    const problem = judgeRows.get(op)!.build({ R: 300, V: 19, ...common }, "unit", 1);
    const { findings } = await judgeProblem(operations.get(op)!, candidate, problem, wgslTerms);
    expect(findings).toEqual([]);
  }
});

test("cross-entropy: more than 65,535 workgroups", async () => {
  const R = 65_537;
  const logits: Tensor<Float32Array> = { data: new Float32Array(2 * R).fill(3), shape: [R, 2] };
  const classes: Tensor<Int32Array> = { data: Int32Array.from({ length: R }, (_, r) => r % 2), shape: [R] };
  const dloss: Tensor<Float32Array> = { data: Float32Array.of(R), shape: [] };
  const given: Record<string, Record<string, Tensor<Float32Array | Int32Array>>> = {
    "cross-entropy.forward": { logits, targets: classes },
    "cross-entropy.backward": {
      dloss,
      logits,
      targets: classes,
      lse: { data: new Float32Array(R).fill(4), shape: [R] },
    },
  };
  for (const op of both) {
    const options = { overrides: { WG: 1 } };
    const { outputs, hygiene } = await launch(
      await testDevice(),
      kernelOf(op)!,
      given[op],
      { ignoreIndex: -1 },
      options,
    );
    expect(hygiene).toEqual({ writtenBeyondEnd: [], inputsChanged: [], neverWritten: [] });
    const problem = { inputs: given[op], scalars: { ignoreIndex: -1 } };
    const want = operations.get(op)!.evaluate(problem.inputs, problem.scalars, Float64Array);
    const allowed = operations.get(op)!.bound(problem.inputs, problem.scalars, targets.wgsl);
    for (const [name, { data }] of Object.entries(outputs)) {
      const outside = data.findIndex((y, i) => !(Math.abs(y - want[name].data[i]) <= allowed[name].data[i]));
      expect(outside).toBe(-1);
    }
  }
});

test("cross-entropy.forward: two runs give the same bits", async () => {
  const { inputs, scalars } = judgeRows.get("cross-entropy.forward")!.build({ R: 200, V: 50, ...common }, "unit", 1);
  const device = await testDevice();
  const run = async () => (await launch(device, kernels["cross-entropy.forward"], inputs, scalars as never)).outputs;
  const first = await run();
  const second = await run();
  expect(second.loss.data).toEqual(first.loss.data);
  expect(second.lse.data).toEqual(first.lse.data);
});
