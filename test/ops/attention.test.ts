import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { widen } from "../../judge/verdict.ts";
import { bits } from "../../reference/random.ts";
import { operations } from "../../reference/ops/index.ts";
import * as attention from "../../reference/ops/attention.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";
import { testErrors } from "../errors.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";
import { CENTRAL_DIFFERENCE, CENTRAL_DIFFERENCE_FLOOR, CENTRAL_DIFFERENCE_STEP } from "../thresholds.ts";

testBound("attention.forward");
testBound("attention.backward");
testErrors("attention.forward");
testErrors("attention.backward");
testShapes("attention.forward");
testShapes("attention.backward");

const problemOf = (op: string, sizes: Record<string, number>) => judgeRows.get(op)!.build(sizes, "unit", 1);

test("by hand: scores 0 and 0 give the mean, and a single key gives its value", () => {
  const q = tensor(new Float64Array([2, 0]), [1, 2, 1, 1]);
  const k = tensor(new Float64Array([3, 5]), [1, 2, 1, 1]);
  const v = tensor(new Float64Array([8, 16]), [1, 2, 1, 1]);
  const { y, lse } = attention.forward(q, k, v);
  expect([...y.data]).toEqual([8, 12]);
  expect(lse.data[0]).toBe(6);
  // P = [[1, .], [1/2, 1/2]], dy = (1, 4): dP = [[8, .], [32, 64]], D = (8, 48), dS = [[0, .], [-8, 8]]
  const half = tensor(new Float64Array([6, lse.data[1]]), [1, 1, 2]);
  const dy = tensor(new Float64Array([1, 4]), [1, 2, 1, 1]);
  const { dq, dk, dv } = attention.backward(dy, q, k, v, y, half);
  expect([...dq.data]).toEqual([0, -8 * 3 + 8 * 5]);
  expect([...dk.data]).toEqual([0, 0]); // the second query is 0
  expect([...dv.data]).toEqual([1 + 2, 2]);
});

test("the largest score is found at every key", () => {
  const scores = [-1000, 1000, -1000];
  for (const place of [0, 1, 2]) {
    const keys = scores.map((_, j) => scores[(j + 1 + place) % 3]);
    const k = tensor(Float64Array.from(keys), [1, 3, 1, 1]);
    const v = tensor(Float64Array.of(2, 3, 5), [1, 3, 1, 1]);
    const { y, lse } = attention.forward(tensor(Float64Array.of(1), [1, 1, 1, 1]), k, v);
    expect([y.data[0], lse.data[0]]).toEqual([v.data[keys.indexOf(1000)], 1000]); // e^−2000 is 0
  }
});

test("the backward is the forward's derivative, by central differences", () => {
  const sizes = { B: 2, NKV: 2, groups: 2, T: 4, S: 3, HS: 3 };
  const { inputs } = problemOf("attention.backward", sizes);
  const { dy, q, k, v } = widen(inputs) as Record<string, Tensor<Float64Array>>;
  const { y, lse } = attention.forward(q, k, v);
  const gradients = attention.backward(dy, q, k, v, y, lse);
  const loss = (): number => attention.forward(q, k, v).y.data.reduce((sum, x, i) => sum + x * dy.data[i], 0);
  for (const [x, gradient] of [
    [q, gradients.dq],
    [k, gradients.dk],
    [v, gradients.dv],
  ] as const) {
    for (let i = 0; i < x.data.length; i++) {
      const kept = x.data[i];
      x.data[i] = kept + CENTRAL_DIFFERENCE_STEP;
      const above = loss();
      x.data[i] = kept - CENTRAL_DIFFERENCE_STEP;
      const below = loss();
      x.data[i] = kept;
      const error = Math.abs((above - below) / (2 * CENTRAL_DIFFERENCE_STEP) - gradient.data[i]);
      expect(error).toBeLessThan(CENTRAL_DIFFERENCE * (Math.abs(gradient.data[i]) + CENTRAL_DIFFERENCE_FLOOR));
    }
  }
});

/** Each element off by its error, up or down. */
function moved(t: Tensor<Float64Array>, by: Tensor, stream: number): Tensor<Float64Array> {
  const data = t.data.map((x, i) => x + (bits(1, stream, i) % 2 === 0 ? 1 : -1) * by.data[i]);
  return { data, shape: t.shape };
}

function boundOf(op: string, inputs: Record<string, Tensor>, target: Target = targets.wgsl) {
  return operations.get(op)!.bound(inputs, {}, target);
}

/** [1, count, 1, 1] of one number. */
function vectors(count: number, x: number): Tensor<Float64Array> {
  return tensor(new Float64Array(count).fill(x), [1, count, 1, 1]);
}

/** One query, two keys, all alike: the bound of y. */
function boundOfY(q: number, k: number, v: number): number {
  return boundOf("attention.forward", { q: vectors(1, q), k: vectors(2, k), v: vectors(2, v) }).y.data[0];
}

/** NaN from element 4 on. */
function spoilt({ data, shape }: Tensor): Tensor {
  return { data: Float64Array.from(data, (x, i) => (i < 4 ? x : NaN)), shape };
}

describe("the bound", () => {
  test("is 0 where a query sees no key, and finite elsewhere", () => {
    const { inputs } = problemOf("attention.backward", { B: 1, NKV: 1, groups: 2, T: 5, S: 3, HS: 2 });
    const { y } = boundOf("attention.forward", inputs as never);
    const { dq } = boundOf("attention.backward", inputs as never);
    for (const { data } of [y, dq]) {
      expect([...data].map((x) => (x === 0 ? 0 : x < Infinity ? 1 : 2))).toEqual([
        ...Array.from({ length: 8 }, () => 0),
        ...Array.from({ length: 12 }, () => 1),
      ]);
    }
  });

  test("does not look at keys and values that are masked", () => {
    const sizes = { B: 1, NKV: 1, groups: 1, T: 3, S: 3, HS: 2 };
    const { k, v, ...rest } = problemOf("attention.forward", sizes).inputs as Record<string, Tensor>;
    const clean = boundOf("attention.forward", { ...rest, k, v });
    const { y, lse } = boundOf("attention.forward", { ...rest, k: spoilt(k), v: spoilt(v) });
    expect([...y.data.subarray(0, 4)]).toEqual([...clean.y.data.subarray(0, 4)]);
    expect([...y.data.subarray(4)]).toEqual([Infinity, Infinity]);
    expect([...lse.data.subarray(0, 2)]).toEqual([...clean.lse.data.subarray(0, 2)]);
  });

  test("there is none where a score or a value may overflow", () => {
    const huge = 2 ** 127;
    expect(boundOfY(huge, huge, 1)).toBe(Infinity);
    expect(boundOfY(1, 1, huge)).toBe(Infinity); // with unlucky maxima, both keys weigh 1 before they are divided by 2
    expect(boundOfY(1, 1, huge / 2)).toBeLessThan(huge);
  });

  test.each([
    ["attention.forward", "S"],
    ["attention.forward", "P"],
    ["attention.backward", "S"],
    ["attention.backward", "P"],
    ["attention.backward", "dP"],
    ["attention.backward", "dS"],
  ])("%s covers %s stored as bfloat16", (op, name) => {
    expect(Object.keys(operations.get(op)!.stores)).toContain(name);
    const { inputs } = problemOf(op, { B: 1, NKV: 1, groups: 1, T: 4, S: 6, HS: 3 });
    const usual = boundOf(op, inputs as never);
    const wide = boundOf(op, inputs as never, { ...targets.wgsl, stores: { [name]: "bfloat16" } });
    const sum = (allowed: typeof usual): number =>
      Object.values(allowed).reduce((total, { data }) => total + data.reduce((x, y) => x + y, 0), 0);
    expect(sum(wide)).toBeGreaterThan(sum(usual));
    expect(sum(wide)).toBeLessThan(Infinity);
  });

  test("covers a saved lse and y that are off by as much as their forward may be", () => {
    const sizes = { B: 1, NKV: 2, groups: 2, T: 7, S: 9, HS: 5 };
    const { dy, q, k, v } = widen(problemOf("attention.backward", sizes).inputs) as Record<
      string,
      Tensor<Float64Array>
    >;
    const { y, lse } = attention.forward(q, k, v);
    const want = attention.backward(dy, q, k, v, y, lse);
    const errors = operations.get("attention.forward")!.bound({ q, k, v }, {}, targets.wgsl);
    const got = attention.backward(dy, q, k, v, moved(y, errors.y, 1), moved(lse, errors.lse, 2));
    const allowed = operations.get("attention.backward")!.bound({ dy, q, k, v, y, lse }, {}, targets.wgsl) as Record<
      string,
      Tensor
    >;
    for (const name of ["dq", "dk", "dv"] as const) {
      got[name].data.forEach((x, i) => {
        expect(Math.abs(x - want[name].data[i])).toBeLessThanOrEqual(allowed[name].data[i]);
      });
    }
  });
});

/** Both directions with T queries and S keys, one of which is 0. */
function nothing(T: number, S: number) {
  const q = tensor(new Float32Array(6 * T), [1, T, 2, 3]);
  const k = tensor(new Float32Array(3 * S), [1, S, 1, 3]);
  const { y, lse } = attention.forward(q, k, k);
  return { y, lse, ...attention.backward(q, q, k, k, y, lse) };
}

test("no queries: dk and dv are 0; no keys: y and dq are 0, lse is -Infinity", () => {
  expect([...nothing(0, 2).dk.data, ...nothing(0, 2).dv.data]).toEqual(Array.from({ length: 12 }, () => 0));
  expect([...nothing(2, 0).y.data, ...nothing(2, 0).dq.data]).toEqual(Array.from({ length: 24 }, () => 0));
  expect([...nothing(2, 0).lse.data]).toEqual([-Infinity, -Infinity, -Infinity, -Infinity]);
});

test("heads that do not share keys evenly are refused, by both directions; no heads at all are not", () => {
  const of = (heads: number) => tensor(new Float64Array(2 * heads), [1, 2, heads, 1]);
  const lse = (heads: number) => tensor(new Float64Array(2 * heads), [1, heads, 2]);
  for (const [NH, NKV] of [
    [3, 2],
    [1, 2],
    [2, 0],
  ]) {
    const message = `${NH} query heads cannot share ${NKV} key/value heads`;
    expect(() => attention.forward(of(NH), of(NKV), of(NKV))).toThrow(message);
    expect(() => attention.backward(of(NH), of(NH), of(NKV), of(NKV), of(NH), lse(NH))).toThrow(message);
  }
  for (const NKV of [0, 2]) {
    expect(attention.forward(of(0), of(NKV), of(NKV)).y.data).toHaveLength(0);
    expect(attention.backward(of(0), of(0), of(NKV), of(NKV), of(0), lse(0)).dq.data).toHaveLength(0);
  }
});
