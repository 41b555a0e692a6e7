// A test suite outside the tree, with the matchers.
import { ops, type Tensor, tensor } from "touchstone-llama";
import { matchers } from "touchstone-llama/vitest";
import { expect, test } from "vitest";

expect.extend(matchers);

const kernel = ({ gate, up }: { gate: Tensor<Float32Array>; up: Tensor<Float32Array> }) => ({
  y: tensor(
    gate.data.map((z, i) => (z / (1 + Math.exp(-z))) * up.data[i]!),
    gate.shape,
  ),
});

test("swiglu is within its bound", () => {
  const gate = tensor(new Float32Array([1, -2, 3]), [1, 3]);
  const problem = { op: "swiglu.forward", inputs: { gate, up: gate }, scalars: {} } as const;
  expect(kernel(problem.inputs)).toBeWithinBound(problem);
  expect({ y: gate }).not.toBeWithinBound(problem);
});

test("swiglu passes", async () => {
  await expect(kernel).toPassTouchstone("swiglu.forward", { runs: 10 });
  await expect(ops["swiglu.forward"].reference).toPassTouchstone("swiglu.forward", { runs: 10 });
});
