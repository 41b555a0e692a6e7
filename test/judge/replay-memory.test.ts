// A line is refused by what its tensors take, which is counted before anything is made.
import { expect, test } from "vitest";
import { real } from "../../cli/numbers.ts";
import { numbersOfCase } from "../../judge/case-memory.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { parseReplay } from "../../judge/replay.ts";
import { outputShapes } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { customTarget } from "../../reference/custom-target.ts";
import { sizeOf } from "../../reference/tensor.ts";

test.each([...judgeRows.values()])("the numbers of a case of $op are those that it has", (row) => {
  const operation = operations.get(row.op)!;
  const { inputs, scalars } = row.build(row.ordinary, "unit", 1);
  const shapes = [
    ...Object.values(inputs).map(({ shape }) => shape),
    ...Object.values(outputShapes(operation, inputs, scalars)),
  ];
  expect(numbersOfCase(operation, row.ordinary)).toBe(shapes.reduce((n, shape) => n + sizeOf(shape), 0));
});

test.each([
  "linear.forward R=535 O=1024 C=1024",
  "linear.backward R=2048 O=1024 C=1024",
  "attention.forward B=1 NKV=32 groups=1 T=512 S=512 HS=128",
  "cross-entropy.forward R=128 V=128256 ignored=none ignoreIndex=-100",
])("%s is taken", (line) => {
  expect(parseReplay(`${line} profile=unit seed=1`).case.op).toBe(line.split(" ")[0]);
});

test.each([
  "softmax.forward R=16384 C=16384",
  "swiglu.forward R=1000000 F=1000",
  "attention.forward B=1024 NKV=32 groups=4 T=512 S=1 HS=128",
  "linear.forward R=1048576 O=1048576 C=1",
])("%s is refused, with what would fit", (line) => {
  expect(() => parseReplay(`${line} profile=unit seed=1`)).toThrow(
    /^replay: tensors of \d+ numbers together, about [\d.]+ GiB of memory, expected at most (67108864|369098752) \(3 GiB\)$/,
  );
});

test("a million digits are read in one pass", () => {
  const digits = "1".repeat(1_000_000);
  expect(() => real(0)(`${digits}x`)).toThrow("expected a number");
  expect(() => customTarget({ name: "mine", u: `${digits}x` })).toThrow(/u|name/);
});
