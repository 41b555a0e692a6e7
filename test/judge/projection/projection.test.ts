// The projection of a product: what it suspects, and with which probability it suspects in vain.
import { describe, expect, it } from "vitest";
import type { MadeUp } from "../../../judge/profile.ts";
import { suspectElements } from "../../../judge/projection/closer.ts";
import {
  matrixOf,
  rowOf,
  squaresTimes,
  sumsAndSizes,
  timesVectors,
  transpose,
  VECTORS,
} from "../../../judge/projection/matrix.ts";
import { type Measured, Projection, tailAt } from "../../../judge/projection/projection.ts";
import { dtypes, round } from "../../../reference/dtype.ts";
import { bits } from "../../../reference/random.ts";
import { type Computed, compute, dots } from "./products.ts";

const SHAPE = [70, 90, 128] as const;
const project = ({ product, got, measured }: Computed, u = dtypes.float32.u): Projection =>
  new Projection(product, got, { measured: measured(), u }, 5);

const errorOf = ({ got, exact }: Computed, i: number): number => Math.abs(got.data[i] - exact[i]);

/** The computed product with other numbers at some places. */
function spoilt(computed: Computed, at: readonly number[], by: (right: number, i: number) => number): Computed {
  const data = computed.got.data.slice();
  for (const i of at) data[i] = by(data[i], i);
  return { ...computed, got: { ...computed.got, data } };
}

describe("matrices times vectors", () => {
  const m = matrixOf({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });

  it("are sums along each row, of a transpose along each column", () => {
    expect([...squaresTimes(m, Float64Array.of(1, 10, 100))]).toEqual([941, 3866]);
    expect([...squaresTimes(transpose(m), Float64Array.of(1, 10))]).toEqual([161, 254, 369]);
    const [{ sums, sizes }, other] = [
      sumsAndSizes(m, Float64Array.of(1, -10, 100)),
      sumsAndSizes(transpose(m), Float64Array.of(1, -10)),
    ];
    expect([[...sums], [...sizes]]).toEqual([
      [281, 554],
      [321, 654],
    ]);
    expect([[...other.sums], [...other.sizes]]).toEqual([
      [-39, -48, -57],
      [41, 52, 63],
    ]);
    const v = Float64Array.from({ length: 3 * VECTORS }, (_, i) =>
      i % VECTORS === 2 ? 10 ** Math.floor(i / VECTORS) : 0,
    );
    expect([...timesVectors(m, v)]).toEqual([0, 0, 321, 0, 0, 0, 654, 0]);
    const u = Float64Array.from({ length: 2 * VECTORS }, (_, i) =>
      i % VECTORS === 3 ? 10 ** Math.floor(i / VECTORS) : 0,
    );
    expect([...timesVectors(transpose(m), u)]).toEqual([0, 0, 0, 41, 0, 0, 0, 52, 0, 0, 0, 63]);
    expect([[...rowOf(m, 1)], [...rowOf(transpose(m), 1)]]).toEqual([
      [4, 5, 6],
      [2, 5],
    ]);
  });
});

describe("the probability of a false suspicion", () => {
  it.each([
    ["even", (): number => 1],
    ["in two elements", (j: number): number => Number(j < 2)],
    ["falling", (j: number): number => 1 / (j + 1)],
  ])("is at most what is derived, with errors that are %s", (_name, error) => {
    const errors = Array.from(Array(40).keys(), error);
    const norm = Math.hypot(...errors);
    const q = Array.from(Array(4000).keys(), (trial) => {
      const sums = Array.from({ length: VECTORS }, (_, n) =>
        errors.reduce((sum, e, j) => sum + e * (2 * (bits(trial, n, j) & 1) - 1), 0),
      );
      return Math.hypot(...sums) / Math.sqrt(VECTORS) / norm;
    });
    for (const p of [0.5, 0.1, 0.01]) {
      const over = q.filter((x) => x > tailAt(p)).length;
      expect(over).toBeLessThan(4000 * p + 3.3 * Math.sqrt(4000 * p));
    }
  });

  it("is the inverse of its formula", () => {
    for (const p of [0.1, 1e-3, 1e-7]) {
      const t = tailAt(p);
      const above = (x: number): boolean => (VECTORS / 2) * (Math.log(x * x) + 1 - x * x) > Math.log(p);
      // Sixty halvings of the interval from 1 to 1,000 leave it this wide.
      expect([above(t - 2 * 999 * 2 ** -60), above(t)]).toEqual([true, false]);
    }
  });
});

describe("a correct kernel", () => {
  const profiles: MadeUp[] = ["unit", "tiny", "subnormal", "constant", "cancelling", "sorted", "one-hot", "lattice"];

  it.each(profiles)("of %s numbers has no suspect, whatever its order and its format", (profile) => {
    for (const dot of [dots.float32, dots.lanes]) {
      expect(project(compute(SHAPE, { dot, profile })).isQuiet, "float32").toBe(true);
      for (const format of ["bfloat16", "float16"] as const) {
        const stored = (x: number): number => round(x, dtypes[format]);
        const { u } = dtypes[format];
        expect(project(compute(SHAPE, { dot, profile, stored }), u).isQuiet, format).toBe(true);
      }
    }
    if (profile !== "sorted") expect(project(compute(SHAPE, { dot: dots.tf32, profile })).isQuiet, "tf32").toBe(true);
  });
});

describe("a fault", () => {
  const computed = compute(SHAPE);
  const [R, O] = SHAPE;
  const quiet = project(computed);
  const row = Array.from({ length: O }, (_, j) => 31 * O + j);
  const tile = Array.from({ length: 256 }, (_, k) => (16 + (k >> 4)) * O + 32 + (k % 16));

  it.each([
    ["one element of 0", [3000], (): number => 0],
    ["one element that is 1 % too large", [3001], (x: number): number => 1.01 * x],
    ["a row of zeros", row, (): number => 0],
    ["a row that is 0.01 % too large", row, (x: number): number => 1.0001 * x],
    ["a row with the values of the next", row, (_: number, i: number): number => computed.got.data[i + O]],
    ["a tile of zeros", tile, (): number => 0],
    ["a tile with the values of the next", tile, (_: number, i: number): number => computed.got.data[i + 16]],
    ["NaN", [77], (): number => NaN],
  ])("%s: some element of it is to be judged", (what, at, by) => {
    const wrong = spoilt(computed, at, by);
    const elements = suspectElements(project(wrong), wrong.product, wrong.got);
    if (what === "NaN") return expect(elements).toEqual([]); // for other checks; it hides nothing
    expect(elements.some((i) => at.includes(i))).toBe(true);
    expect(elements.length).toBeLessThan(1025);
  });

  it("of one element is seen from the threshold on, and not below it", () => {
    const at = 12 * O + 34;
    for (const sign of [1, -1]) {
      for (const [share, isSeen] of [
        [1.2, true],
        [0.5, false],
      ] as const) {
        const by = sign * share * quiet.rows.threshold(12);
        expect(project(spoilt(computed, [at], (x) => x + by)).rows.suspects.includes(12)).toBe(isSeen);
        expect(quiet.after([at], [by])(0)).toBe(isSeen);
      }
    }
  });

  it("is said to be a suspect exactly where it is one", () => {
    let seen = 0;
    for (let k = 0; k < 60; k++) {
      const start = (k * 97) % (R * O - 8);
      const at = Array.from({ length: 1 + (k % 8) }, (_, j) => start + j);
      const by = at.map((_, j) => ((k % 5) - 2) * 2 ** (-10 - (k % 7) - j));
      const isSaid = quiet.after(at, by);
      const said = at.filter((_, n) => isSaid(n));
      const after = project({ ...spoilt(computed, at, (x, i) => x + by[i - start]), measured: computed.measured });
      const are = at.filter(
        (i) => after.rows.suspects.includes(Math.floor(i / O)) || after.columns.suspects.includes(i % O),
      );
      // The rows' median moves a little with the fault, and the measured errors may have it among them.
      if (said.length === are.length) expect(said).toEqual(are);
      else expect(Math.abs(said.length - are.length)).toBeLessThanOrEqual(2);
      seen += are.length;
    }
    expect(seen).toBeGreaterThan(50);
  });

  it("is hidden neither by a larger one nor by NaN elsewhere", () => {
    const wrong = spoilt(computed, [3000, 5, 9], (x, i) => (i === 3000 ? 0 : i === 5 ? NaN : 1000 * x));
    expect(suspectElements(project(wrong), wrong.product, wrong.got)).toContain(3000);
  });

  it.each([1, 14, 28])("in %d of 70 rows moves no yardstick: these rows are suspects", (rows) => {
    const at = Array.from({ length: rows * O }, (_, i) => i);
    const wrong = spoilt(computed, at, (x, i) => x * (1 + 1e-4 * Math.cos(i)));
    const measured = (): Measured[] => computed.measured().map(({ at: i }) => ({ at: i, error: errorOf(wrong, i) }));
    const { suspects } = project({ ...wrong, measured }).rows;
    expect(suspects.length).toBe(Math.min(16, rows));
    expect(suspects.every((line) => line < rows)).toBe(true);
  });

  it("of the smallest size that is said is seen in 95 % of all rows", () => {
    const norm = (i: number): number => Math.hypot(...computed.got.data.subarray(i * O, (i + 1) * O));
    let seen = 0;
    for (let i = 0; i < R; i++) {
      const at = Array.from({ length: O }, (_, j) => i * O + j);
      const size = (quiet.smallest * norm(i)) / Math.sqrt(O);
      const by = at.map((j) => size * (2 * (bits(9, 9, j) & 1) - 1));
      if (quiet.after(at, by)(0)) seen++;
    }
    expect(seen).toBeGreaterThan(0.86 * R);
  });
});
