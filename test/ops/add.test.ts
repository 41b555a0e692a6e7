import { expect, test } from "vitest";
import * as bound from "../../reference/ops/add.bound.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("add.forward");
testErrors("add.forward");
testShapes("add.forward");

test("the shapes must be equal; a sum that overflows has no bound", () => {
  const [a, b] = [tensor(new Float64Array(6), [2, 3]), tensor(new Float64Array(6), [3, 2])];
  expect(() => bound.forward.bound({ a, b }, {}, targets.wgsl)).toThrow(
    "b has shape [3,2], expected [2,3], the shape of a",
  );
  const largest = tensor(new Float64Array([2 ** 127, 2 ** 126]), [2]);
  expect(Array.from(bound.forward.bound({ a: largest, b: largest }, {}, targets.wgsl).y.data, Number.isFinite)).toEqual(
    [false, true],
  );
});
