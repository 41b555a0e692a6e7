// What stands out among the elements of an output by their own sizes.
import { describe, expect, it } from "vitest";
import { Outliers } from "../../../judge/projection/outliers.ts";
import { fill } from "../../../judge/profile.ts";
import { dtypes, round } from "../../../reference/dtype.ts";

const [R, O] = [96, 83];
const random = (): Float32Array => fill("unit", 4, "y", [R, O]).data;
const outliers = (data: Float32Array): Outliers => new Outliers({ data, shape: [R, O] }, 6);
const row = Array.from({ length: O }, (_, j) => 41 * O + j);
const tile = Array.from({ length: 256 }, (_, k) => (32 + (k >> 4)) * O + 48 + (k % 16));

describe("of random numbers", () => {
  it.each([
    ["one element of 0", [1234], (): number => 0],
    ["one element with the value of the next", [1234], (i: number): number => random()[i + 1]],
    ["one that is too large", [1234], (): number => 9],
    ["a row of zeros", row, (): number => 0],
    ["a row with the values of the next", row, (i: number): number => random()[i + O]],
    ["a row with those of a row far away", row, (i: number): number => random()[i + 40 * O]],
    ["a row that is constant", row, (): number => 0.25],
    ["a row of twice the size", row, (i: number): number => 2 * random()[i]],
    ["a row that was stopped early", row, (i: number): number => random()[i] / 4],
    ["a tile of zeros", tile, (): number => 0],
    ["a tile with the values of the next", tile, (i: number): number => random()[i + 16]],
    ["a tile with those of a tile above", tile, (i: number): number => random()[i - 32 * O]],
    ["a tile that is constant", tile, (): number => -1.5],
    ["a tile of garbage", tile, (i: number): number => 1e10 * (i % 7)],
  ])("%s is among the suspects", (_, at, by) => {
    const data = random();
    const wrong = at.map(by);
    for (const [n, i] of at.entries()) data[i] = wrong[n];
    const { suspects } = outliers(data);
    expect(suspects.some((i) => at.includes(i))).toBe(true);
    expect(suspects.length).toBeLessThan(300);
  });

  it("the suspects are few, different and ascending where nothing is odd", () => {
    const { suspects } = outliers(random());
    expect(suspects.length).toBeLessThan(80);
    expect(suspects.every((i, n) => n === 0 || i > suspects[n - 1])).toBe(true);
  });

  it("whether a fault would be seen is as it is said", () => {
    const quiet = outliers(random());
    const zero = quiet.after([1234], [0], false);
    expect(zero(0)).toBe(1);
    const values = tile.map((i) => random()[i + 16]);
    const copied = quiet.after(tile, values, true);
    expect(tile.filter((_, n) => copied(n) > 0).length).toBe(32);
    expect(copied(0)).toBeGreaterThan(0.7);
    expect(
      quiet.after(
        tile,
        Array.from(tile.keys(), (k) => k + 2.5),
        false,
      )(0),
    ).toBe(0);
  });
});

describe("where an oddity is ordinary", () => {
  it("a few of the many are suspects, and a fault among them is seen with that probability", () => {
    const data = random().map((x, i) => (i % 3 === 0 ? 0 : x));
    const quiet = outliers(data);
    const { suspects } = quiet;
    expect(suspects.filter((i) => data[i] === 0).length).toBeLessThan(100);
    const zeros = Math.ceil((R * O) / 3);
    let seen = 0;
    const places = Array.from({ length: 300 }, (_, k) => 1 + 24 * k);
    for (const i of places) {
      const wrong = data.slice();
      wrong[i] = 0;
      if (outliers(wrong).suspects.includes(i)) seen++;
    }
    const said = quiet.after([1], [0], false)(0);
    expect(said).toBe(48 / (zeros + 1));
    expect(Math.abs(seen - said * places.length)).toBeLessThan(3.3 * Math.sqrt(said * places.length) + 3);
  });

  it("equal neighbours in 16 bits are drawn, and runs are not among them", () => {
    const data = random().map((x) => round(x, dtypes.bfloat16));
    expect(outliers(data).suspects.length).toBeLessThan(130);
  });

  it.each([0, NaN, 3])("an output of %s throughout has suspects", (x) => {
    const { suspects } = outliers(random().fill(x));
    expect(suspects.length > 0 || Number.isNaN(x)).toBe(true);
  });

  it.each([[[0, 5]], [[5, 0]], [[]], [[7]], [[1, 1, 3]]])("shape [%s] is taken", (shape) => {
    const data = new Float32Array(shape.reduce((n, length) => n * length, 1)).fill(2);
    expect(new Outliers({ data, shape }, 1).suspects.every((i) => i < data.length)).toBe(true);
  });
});
