import { expect, test } from "vitest";
import { backward, forward } from "../../reference/ops/linear.ts";
import { tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("linear.forward");
testBound("linear.backward");
testErrors("linear.forward");
testErrors("linear.backward");
testShapes("linear.forward");
testShapes("linear.backward");

test("linear: a hand-computed example", () => {
  const x = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const w = tensor(Float32Array.of(1, 0, -1, 2, 1, 0), [2, 3]);
  const dy = tensor(Float32Array.of(1, 2, 0, -1), [2, 2]);
  expect(forward(x, w).y).toEqual(tensor(Float32Array.of(-2, 4, -2, 13), [2, 2]));
  const { dx, dw } = backward(dy, x, w);
  expect(dx).toEqual(tensor(Float32Array.of(5, 2, -1, -2, -1, 0), [2, 3]));
  expect(dw).toEqual(tensor(Float32Array.of(1, 2, 3, -2, -1, 0), [2, 3]));
});

test("linear: shapes that do not fit are named", () => {
  const x = tensor(new Float32Array(6), [2, 3]);
  const w = tensor(new Float32Array(8), [2, 4]);
  expect(() => forward(x, w)).toThrow(new RangeError("w has shape [2,4], expected [O,C] with C=3"));
});
