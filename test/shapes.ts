// Tensors whose shapes do not go together are refused, by the op and by its bound.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryCase } from "../judge/case.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { widen } from "../judge/verdict.ts";
import { axesOf, type Inputs } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";
import { targets } from "../reference/targets.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";

/** Each input of an op with another length of each of its axes that another input shares, and with an axis more. */
export function testShapes(op: string): void {
  describe(`${op}: shapes`, () => {
    const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
    const isFilled = (sizes: Record<string, unknown>): boolean => Object.values(sizes).every((n) => n !== 0);
    const [{ sizes }] = fc.sample(
      arbitraryCase(spec, false).filter((c) => isFilled(c.sizes)),
      { numRuns: 1, seed: 1 },
    );
    const problem = spec.build(sizes, "unit", 1);
    const inputs = widen(problem.inputs);
    const wrong = Object.entries(operation.inputs).flatMap(([name, axes]) =>
      misshapen(inputs[name] as Tensor)
        // An op of numbers one by one takes any shape, unless another input has the same.
        .filter(
          (_, i) =>
            (i === axesOf(axes).length && axes !== "N") || isShared(operation.inputs, name, i % axesOf(axes).length),
        )
        .map((t) => ({ name, shape: t.shape, given: { ...inputs, [name]: t } as Inputs })),
    );
    test.each(wrong)("$name of shape $shape is refused", ({ given }) => {
      expect(() => operation.evaluate(given, problem.scalars, Float64Array)).toThrow(RangeError);
      expect(() => operation.bound(given, problem.scalars, targets.wgsl)).toThrow(RangeError);
    });
  });
}

/** Each axis longer by 2, and one more axis: an even length stays even. */
function misshapen({ data, shape }: Tensor): Tensor[] {
  const shapes = [...shape.map((length, i) => shape.with(i, length + 2)), [...shape, 1]];
  const Storage = data.constructor as new (length: number) => typeof data;
  return shapes.map((other) => {
    const more = new Storage(sizeOf(other));
    more.set(data);
    return { data: more, shape: other };
  });
}

function isShared(inputs: Readonly<Record<string, string>>, name: string, i: number): boolean {
  const axis = axesOf(inputs[name])[i];
  const others = Object.entries(inputs).filter(([other]) => other !== name);
  return others.some(([, axes]) => axesOf(axes).some((one) => one.split("/")[0] === axis.split("/")[0]));
}
