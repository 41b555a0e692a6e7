// Low inputs are named, or listed with float32, where their errors lie below those that a target's functions may have.
import { expect, test } from "vitest";
import { nameClass, type NamedClass } from "../../judge/classify.ts";
import type { PrecisionClass } from "../../judge/emulation.ts";
import { bits } from "../../reference/random.ts";

const N = 16;
/** Errors without a pattern, of this size. */
const errorsOf = (size: number, seed: number, n = N): number[] =>
  Array.from({ length: n }, (_, i) => (bits(seed, 0, i) / 2 ** 31 - 1) * size * Math.sqrt(3));
const sum = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + b[i]);

function named(
  errors: readonly number[],
  low: readonly number[],
  functions: readonly number[],
  name: PrecisionClass = "tf32 inputs",
): NamedClass {
  const float32 = [errorsOf(1, 1, errors.length), [...functions]];
  return nameClass({
    errors,
    emulated: new Map<PrecisionClass, number[][]>([
      ["float32", float32],
      [name, [[...low]]],
    ]),
    grid: { format: undefined, classes: new Set(), others: new Set() },
    luck: 0,
    isExactly: () => false,
  });
}

const functions = errorsOf(20, 2);
const low = errorsOf(8, 3);

test("errors that low inputs explain almost wholly have their class", () => {
  expect(named(sum(low, errorsOf(0.2, 4)), low, functions).class).toBe("tf32 inputs");
});

test("where a fourth is left, float32 is possible as well", () => {
  const { class: name, between } = named(sum(low, errorsOf(2, 4)), low, functions);
  expect([name, between]).toEqual(["undecidable", ["float32", "tf32 inputs"]]);
});

test("errors of the same size that low inputs do not explain are float32's, and so are its functions' own", () => {
  for (let seed = 5; seed < 200; seed++) expect(named(errorsOf(8, seed), low, functions).class).toBe("float32");
  expect(named(functions, sum(functions, errorsOf(2, 4)), functions).class).toBe("float32");
});

test("a function that errs as far as it may is float32, though a source has nearly its errors", () => {
  const source = sum(functions, errorsOf(1, 4));
  expect(named(functions, source, functions, "bfloat16 intermediates (exp)").class).toBe("float32");
  expect(named(source, source, errorsOf(20, 6), "bfloat16 intermediates (exp)").class).toMatch(/intermediates/);
});

test("three elements are too few to tell", () => {
  const [three, wide] = [low.slice(0, 3), functions.slice(0, 3)];
  expect(named(sum(three, errorsOf(2, 4, 3)), three, wide).class).toBe("float32");
});
