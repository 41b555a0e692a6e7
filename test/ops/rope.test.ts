import { expect, test } from "vitest";
import { fill } from "../../judge/profile.ts";
import * as ropeTable from "../../reference/ops/rope-table.ts";
import { backward, forward, layouts } from "../../reference/ops/rope.ts";
import { type Tensor, toStorage } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("rope.forward");
testBound("rope.backward");
testErrors("rope.forward");
testErrors("rope.backward");
testShapes("rope.forward");
testShapes("rope.backward");

// One quarter turn of the first pair, none of the second: (x1, x2) → (−x2, x1).
const x = { data: Float64Array.of(1, 2, 3, 4), shape: [1, 1, 1, 4] };
const cos = { data: Float64Array.of(0, 1), shape: [1, 2] };
const sin = { data: Float64Array.of(1, 0), shape: [1, 2] };

test("adjacent pairs are (0, 1) and (2, 3); half-split pairs are (0, 2) and (1, 3)", () => {
  expect([...forward(x, cos, sin, "adjacent").y.data]).toEqual([-2, 1, 3, 4]);
  expect([...forward(x, cos, sin, "half-split").y.data]).toEqual([-3, 2, 1, 4]);
});

test("the backward of an integer turn is its inverse", () => {
  for (const layout of layouts) {
    const { y } = forward(x, cos, sin, layout);
    expect([...backward(y, cos, sin, layout).dx.data]).toEqual([...x.data]);
  }
});

test("the backward is the transpose of the forward: ⟨dy, forward(x)⟩ = ⟨backward(dy), x⟩ on the integer lattice", () => {
  const shape = [2, 3, 2, 6];
  const [given, dy] = [lattice("x", shape), lattice("dy", shape)];
  const [c, s] = [lattice("cos", [3, 3]), lattice("sin", [3, 3])];
  for (const layout of layouts) {
    const { y } = forward(given, c, s, layout);
    const { dx } = backward(dy, c, s, layout);
    expect(dot(dy.data, y.data)).toBe(dot(dx.data, given.data));
  }
});

test("a table of another length, or of another half, is refused", () => {
  const table = ropeTable.forward(10000, 4, 0, 2);
  expect(() => forward(x as never, table.cos as never, table.sin as never, "adjacent")).toThrow(
    /cos has shape \[2,2\]/,
  );
  const narrow = ropeTable.forward(10000, 2, 0, 1, Float64Array);
  expect(() => forward(x, narrow.cos, narrow.sin, "adjacent")).toThrow(/HS/);
});

function lattice(name: string, shape: readonly number[]): Tensor<Float64Array> {
  return toStorage(fill("lattice", 1, name, shape), Float64Array);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
