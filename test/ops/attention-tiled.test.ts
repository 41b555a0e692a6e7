// Attention by tiles against the plain one, in float64: both are correct evaluations, so each lies within the bound of a
// target whose arithmetic is float64, and their difference within twice that.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { widen } from "../../judge/verdict.ts";
import { ELEMENTARY_ULPS } from "../../reference/elementary.ts";
import { operations } from "../../reference/ops/index.ts";
import * as attention from "../../reference/ops/attention.ts";
import * as tiled from "../../reference/ops/attention-tiled.ts";
import { functionNames, type Target, targets } from "../../reference/targets.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";

const u = 2 ** -53;
const everywhere = [{ from: -Infinity, to: Infinity, relative: 2 * ELEMENTARY_ULPS * u }];
const float64: Target = {
  ...targets.ieee,
  name: "float64",
  source: "IEEE 754-2019, section 4.3; reference/elementary.ts",
  u,
  functions: Object.fromEntries(functionNames.map((name) => [name, everywhere])) as unknown as Target["functions"],
};

type Named = Record<string, Tensor<Float64Array>>;

/** The first element that is further off than both evaluations may be together. */
function firstBeyond(got: Named, want: Named, bound: Record<string, Tensor>): string | undefined {
  for (const [name, { data }] of Object.entries(want)) {
    for (const [i, x] of data.entries()) {
      const same = got[name].data[i] === x; // −∞, where no key is seen
      const error = same ? 0 : Math.abs(got[name].data[i] - x);
      if (!(error <= 2 * bound[name].data[i])) return `${name}[${i}]: ${got[name].data[i]}, plain ${x}`;
    }
  }
  return undefined;
}

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly S: number;
  readonly NKV: number;
  readonly groups: number;
  readonly HS: number;
}

function bothDirections(sizes: Sizes, tile: tiled.Tile, seed: number) {
  const { inputs } = judgeRows.get("attention.backward")!.build({ ...sizes }, "unit", seed);
  const { dy, q, k, v } = widen(inputs) as Named;
  const { y, lse } = attention.forward(q, k, v);
  const forward = tiled.forward(q, k, v, tile);
  const backward = tiled.backward(dy, q, k, v, y, lse, tile);
  return { inputs: { dy, q, k, v, y, lse }, forward, backward };
}

const length = fc.integer({ min: 1, max: 9 });
const anySizes = fc.record({
  B: fc.integer({ min: 1, max: 2 }),
  T: length,
  S: length,
  NKV: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 3 }),
  HS: fc.integer({ min: 1, max: 5 }),
});

test("equals the plain one within its own rounding, for every tile", () => {
  fc.assert(
    fc.property(anySizes, fc.nat(1000), (sizes, seed) => {
      const plain = bothDirections(sizes, { queries: 1, keys: 1 }, seed);
      const { dy, q, k, v, y, lse } = plain.inputs;
      const want = { y, lse, ...attention.backward(dy, q, k, v, y, lse) };
      const bound = {
        ...operations.get("attention.forward")!.bound({ q, k, v }, {}, float64),
        ...operations.get("attention.backward")!.bound({ dy, q, k, v, y, lse }, {}, float64),
      } as Record<string, Tensor>;
      for (let queries = 1; queries <= sizes.T; queries++) {
        for (let keys = 1; keys <= sizes.S; keys++) {
          const { forward, backward } = bothDirections(sizes, { queries, keys }, seed);
          const got = { ...forward, ...backward } as unknown as Named;
          expect(firstBeyond(got, want, bound), `${queries} × ${keys}`).toBeUndefined();
        }
      }
    }),
    { numRuns: 30, seed: 1 },
  );
});

test("the comparison notices a key that is left out, and NaN", () => {
  const { inputs, forward } = bothDirections(
    { B: 1, T: 6, S: 6, NKV: 1, groups: 1, HS: 3 },
    { queries: 2, keys: 2 },
    1,
  );
  const { q, k, v, y, lse } = inputs;
  const bound = operations.get("attention.forward")!.bound({ q, k, v }, {}, float64) as Record<string, Tensor>;
  const without = (t: Tensor<Float64Array>): Tensor<Float64Array> => ({
    data: t.data.subarray(0, 15),
    shape: [1, 5, 1, 3],
  });
  const fewer = tiled.forward(q, without(k), without(v));
  expect(firstBeyond(fewer as unknown as Named, { y, lse }, bound)).toMatch(/^y\[/);
  const spoilt = { y: { ...forward.y, data: forward.y.data.map((x, i) => (i === 7 ? NaN : x)) }, lse: forward.lse };
  expect(firstBeyond(spoilt, { y, lse }, bound)).toMatch(/^y\[7\]: NaN/);
});

describe("its cost", () => {
  const one = { B: 1, NKV: 1, groups: 1, HS: 4 };
  test.each([1, 2, 3, 7, 16, 40])("T(T+1)/2 scores for each sequence and head, by tiles of %i", (side) => {
    const T = 33;
    const sizes = { B: 2, NKV: 2, groups: 3, HS: 2, T, S: T };
    const { forward, backward } = bothDirections(sizes, { queries: side, keys: side }, 1);
    const heads = 2 * 2 * 3;
    const across = Math.ceil(T / side);
    for (const { cost } of [forward, backward]) {
      expect(cost.scores).toBe((heads * T * (T + 1)) / 2);
      expect(cost.tiles).toBe((heads * across * (across + 1)) / 2);
    }
  });

  test("no tile for queries that see no key", () => {
    const { forward } = bothDirections({ ...one, T: 9, S: 2 }, { queries: 3, keys: 3 }, 1);
    expect(forward.cost).toMatchObject({ tiles: 1, scores: 1 + 2 });
  });

  test("bytes are linear in T", () => {
    const tile = { queries: 8, keys: 8 };
    const bytes = (T: number): number[] => {
      const { forward, backward } = bothDirections({ ...one, T, S: T }, tile, 1);
      return [forward.cost.bytes, backward.cost.bytes];
    };
    const [a, b, c] = [bytes(32), bytes(64), bytes(96)];
    for (const i of [0, 1]) expect(c[i] - b[i]).toBe(b[i] - a[i]);
  });
});

test("NaN and infinities go where the plain one lets them", () => {
  const numbers = (list: number[]): Tensor<Float64Array> => ({
    data: new Float64Array(list),
    shape: [1, list.length, 1, 1],
  });
  const [q, v] = [numbers([1, 1, 1, 1]), numbers([1, 2, 3, 4])];
  for (const k of [
    [-Infinity, 0, 1, 0],
    [-Infinity, -Infinity, 2, 0],
    [0, 1, Infinity, 2],
    [0, NaN, 1, 2],
  ]) {
    const want = attention.forward(q, numbers(k), v);
    for (const keys of [1, 2, 3, 4]) {
      const got = tiled.forward(q, numbers(k), v, { queries: 2, keys });
      for (const [t, x] of want.y.data.entries())
        expect([k, t, Number.isNaN(got.y.data[t])]).toEqual([k, t, Number.isNaN(x)]);
    }
  }
});

test("no queries, no keys, and bad tiles", () => {
  const vectors = (count: number): Tensor<Floats> => ({ data: new Float32Array(3 * count), shape: [1, count, 1, 3] });
  const { y, lse } = tiled.forward(vectors(2), vectors(0), vectors(0));
  expect([[...y.data], [...lse.data]]).toEqual([
    [0, 0, 0, 0, 0, 0],
    [-Infinity, -Infinity],
  ]);
  const none = tiled.forward(vectors(0), vectors(2), vectors(2));
  const { dk, dv } = tiled.backward(vectors(0), vectors(0), vectors(2), vectors(2), none.y, none.lse);
  expect([...dk.data, ...dv.data]).toEqual(Array.from({ length: 12 }, () => 0));
  expect(() => tiled.forward(vectors(2), vectors(2), vectors(2), { queries: 0, keys: 1 })).toThrow(
    "tile: queries is 0, expected a positive integer",
  );
});
