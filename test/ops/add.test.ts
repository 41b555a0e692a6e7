import { expect, test } from "vitest";
import * as bound from "../../reference/ops/add.bound.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { forward } from "../../reference/ops/add.ts";
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

test("any shape is taken, and an equal one of both", () => {
  const of = (...shape: number[]) => tensor(new Float64Array(shape.reduce((n, x) => n * x, 1)).fill(1), shape);
  expect([...forward(of(2, 3), of(2, 3)).y.data]).toEqual([2, 2, 2, 2, 2, 2]);
  expect([...forward(of(), of()).y.data]).toEqual([2]);
  for (const [a, b] of [
    [of(2, 3), of(3, 2)],
    [of(2, 3), of(2, 3, 1)],
    [of(2, 3, 1), of(2, 3)],
    [of(6), of(2, 3)],
    [of(2), of(3)],
    [of(), of(1)],
  ]) {
    expect(() => forward(a, b)).toThrow(RangeError);
  }
});
