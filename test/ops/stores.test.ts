// What libraries store low on the way, op by op as their eager mode does: covered once it is declared, and not before.
import { describe, expect, test } from "vitest";
import { compareOutput } from "../../judge/compare.ts";
import type { FormatName } from "../../reference/dtype.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { bits } from "../../reference/random.ts";
import { targets } from "../../reference/targets.ts";
import type { Scalars } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";

const low = (x: number): number => round(x, dtypes.bfloat16);
/** bfloat16 numbers between −2 and 2. */
const drawn = (stream: number, ...shape: number[]): Tensor<Float64Array> => {
  const length = shape.reduce((n, axis) => n * axis, 1);
  return { data: Float64Array.from({ length }, (_, i) => low(bits(5, stream, i) / 2 ** 30 - 2)), shape };
};

/** How many elements of each output are outside, for a kernel that declares these stores. */
function outside(
  op: string,
  inputs: Record<string, Tensor<Float64Array>>,
  got: Record<string, Float64Array>,
  stored: string[],
  scalars: Scalars = {},
) {
  const operation = operations.get(op)!;
  for (const name of stored) expect(Object.keys(operation.stores)).toContain(name);
  const stores = Object.fromEntries(stored.map((name): [string, FormatName] => [name, "bfloat16"]));
  const want = operation.evaluate(inputs, scalars, Float64Array);
  const allowed = operation.bound(inputs, scalars, { ...targets.ieee, stores });
  return Object.entries(got).map(([name, data]) => {
    const { shape } = want[name];
    return compareOutput(
      name,
      { data, shape },
      { want: want[name], allowed: allowed[name] },
      { target: targets.ieee, dtype: "bfloat16" },
    ).outside;
  });
}

describe("rmsnorm.backward, whose forward rounds x · rstd before the gain", () => {
  const [R, C] = [16, 24];
  const EPS = Math.fround(1e-5);
  const [dy, x, w] = [drawn(1, R, C), drawn(2, R, C), drawn(3, C)];
  const rstd = { data: new Float64Array(R), shape: [R] };
  const dx = new Float64Array(R * C);
  const dw = new Float64Array(C);
  for (let r = 0; r < R; r++) {
    const row = [...x.data.subarray(r * C, (r + 1) * C)];
    const s = (rstd.data[r] = Math.fround(1 / Math.sqrt(row.reduce((sum, a) => sum + a * a, 0) / C + EPS)));
    const dn = row.map((_, c) => low(dy.data[r * C + c] * w.data[c]));
    const mean = row.reduce((sum, a, c) => sum + dn[c] * a * s, 0) / C;
    for (let c = 0; c < C; c++) {
      dx[r * C + c] = low(s * (dn[c] - row[c] * s * mean));
      dw[c] += low(dy.data[r * C + c] * low(row[c] * s));
    }
  }
  const got = { dx, dw: dw.map(low) };
  const count = (...stored: string[]): number[] =>
    outside("rmsnorm.backward", { dy, x, w, rstd }, got, stored, { eps: EPS });

  test("is covered where n, dn and the terms of dw are declared", () =>
    expect(count("n", "dn", "term")).toEqual([0, 0]));
  test("is outside where they are not", () => expect(Math.min(...count())).toBeGreaterThan(0));
  test("needs dn for dx, and n for dw", () => {
    expect(count("n", "term")[0]).toBeGreaterThan(0);
    expect(count("dn")[1]).toBeGreaterThan(0);
  });
  test("a gain that dw overlooks is outside all the same", () => {
    const without = got.dw.map((gain, c) => (c === 3 ? 0 : gain));
    const found = outside("rmsnorm.backward", { dy, x, w, rstd }, { dx, dw: without }, ["n", "dn", "term"], {
      eps: EPS,
    });
    expect(found).toEqual([0, 1]);
  });
});

describe("attention.forward, whose scores are rounded as products, and again when they are divided by √HS", () => {
  const [T, HS] = [16, 8]; // √HS is no power of two
  const [q, k, v] = [drawn(4, 1, T, 1, HS), drawn(5, 1, T, 1, HS), drawn(6, 1, T, 1, HS)];
  const y = new Float64Array(T * HS);
  for (let t = 0; t < T; t++) {
    const scores = Array.from({ length: t + 1 }, (_, s) => {
      let product = 0;
      for (let i = 0; i < HS; i++) product += q.data[t * HS + i] * k.data[s * HS + i];
      return low(low(product) / Math.sqrt(HS));
    });
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
    for (let i = 0; i < HS; i++) {
      y[t * HS + i] = low(scores.reduce((total, score, s) => total + (Math.exp(score) / sum) * v.data[s * HS + i], 0));
    }
  }

  test("is covered where S is declared, and outside where it is not", () => {
    expect(outside("attention.forward", { q, k, v }, { y }, ["S"])).toEqual([0]);
    expect(outside("attention.forward", { q, k, v }, { y }, [])[0]).toBeGreaterThan(0);
  });
});
