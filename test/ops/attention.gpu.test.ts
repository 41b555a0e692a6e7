import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { kernelOf } from "../../kernels-gpu/index.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { testDevice } from "../device.ts";
import { testKernel } from "../rows.ts";
import { findings } from "./findings.ts";

testKernel("attention.forward");
testKernel("attention.backward");

type Tensors = Record<string, Tensor<Float32Array>>;

async function outputsOf(op: string, inputs: Tensors): Promise<Tensors> {
  const { outputs, hygiene } = await launch(await testDevice(), kernelOf(op)!, inputs);
  expect(hygiene).toEqual({ writtenBeyondEnd: [], inputsChanged: [], neverWritten: [] });
  return outputs;
}

/** Elements [B, length, heads, HS] of which only the first `count` along the length stay; the others become NaN. */
function spoilt({ data, shape }: Tensor<Float32Array>, isSpoilt: (at: number) => boolean): Tensor<Float32Array> {
  const [, length, heads, HS] = shape;
  return { data: data.map((x, i) => (isSpoilt(Math.floor(i / (heads * HS)) % length) ? NaN : x)), shape };
}

/** The rows along the second axis for which the predicate holds. */
function rows({ data, shape }: Tensor<Float32Array>, isWanted: (at: number) => boolean): number[] {
  const [, length, heads, HS] = shape;
  return [...data].filter((_, i) => isWanted(Math.floor(i / (heads * HS)) % length));
}

describe("masked numbers have no effect", () => {
  // Tiles of 16 keys: beyond the 20th there is a part of a tile, whole tiles, and the last one, which is not full.
  const [T, S, FIRST] = [45, 50, 20];
  const sizes = { B: 2, NKV: 2, groups: 2, T, S, HS: 6 };
  const sees = (t: number): boolean => t + S - T >= FIRST; // one of the keys that are spoilt
  const blind = (t: number): boolean => !sees(t);

  test("NaN in keys and values that a query does not see does not reach y, lse and dq", async () => {
    const { dy, ...rest } = judgeRows.get("attention.backward")!.build(sizes, "unit", 1).inputs as Tensors;
    const { q, k, v, y, lse } = rest;
    const bad = { k: spoilt(k, (j) => j >= FIRST), v: spoilt(v, (j) => j >= FIRST) };
    const clean = await outputsOf("attention.forward", { q, k, v });
    const masked = await outputsOf("attention.forward", { q, ...bad });
    expect(rows(masked.y, blind)).toEqual(rows(clean.y, blind));
    expect([...masked.lse.data].filter((_, i) => blind(i % T))).toEqual(
      [...clean.lse.data].filter((_, i) => blind(i % T)),
    );
    expect(rows(masked.y, sees).every(Number.isNaN)).toBe(true); // those who see one pass it on

    const before = await outputsOf("attention.backward", { dy, q, k, v, y, lse });
    const after = await outputsOf("attention.backward", { dy, q, ...bad, y, lse });
    expect(rows(after.dq, blind)).toEqual(rows(before.dq, blind));
    expect(rows(after.dq, sees).every(Number.isNaN)).toBe(true);
  });

  test("NaN in queries that do not see a key does not reach dk and dv", async () => {
    const { dy, q, k, v, y, lse } = judgeRows.get("attention.backward")!.build(sizes, "unit", 1).inputs as Tensors;
    const bad = { dy: spoilt(dy, blind), q: spoilt(q, blind), y: spoilt(y, blind) };
    const before = await outputsOf("attention.backward", { dy, q, k, v, y, lse });
    const after = await outputsOf("attention.backward", { ...bad, k, v, lse });
    for (const name of ["dk", "dv"] as const) {
      expect(rows(after[name], (j) => j >= FIRST)).toEqual(rows(before[name], (j) => j >= FIRST));
      expect(rows(after[name], (j) => j < FIRST).every(Number.isNaN)).toBe(true);
    }
  });
});

test("a query that sees no key: y = 0, lse = -Infinity, dq = 0", async () => {
  const sizes = { B: 2, NKV: 1, groups: 2, T: 23, S: 3, HS: 4 };
  const { dy, q, k, v, y, lse } = judgeRows.get("attention.backward")!.build(sizes, "unit", 1).inputs as Tensors;
  const outputs = await outputsOf("attention.forward", { q, k, v });
  const gradients = await outputsOf("attention.backward", { dy, q, k, v, y, lse });
  for (const t of [outputs.y, gradients.dq]) {
    expect(rows(t, (at) => at < 20).every((x) => x === 0)).toBe(true);
    expect(rows(t, (at) => at >= 20).some((x) => x !== 0)).toBe(true);
  }
  expect([...outputs.lse.data].every((x, i) => (x === -Infinity) === i % 23 < 20)).toBe(true);
});

test.each([
  { ROWS: 1, TILE: 1 },
  { ROWS: 3, TILE: 5 },
  { ROWS: 16, TILE: 16 },
])("any tiles stay within the bound (ROWS $ROWS, TILE $TILE)", async (overrides) => {
  for (const op of ["attention.forward", "attention.backward"]) {
    expect(await findings(op, { B: 2, NKV: 2, groups: 2, T: 9, S: 18, HS: 7 }, { overrides })).toEqual([]);
    expect(await findings(op, { B: 1, NKV: 1, groups: 2, T: 18, S: 17, HS: 3 }, { overrides })).toEqual([]);
  }
});

test("more than 65,535 workgroups", async () => {
  const overrides = { ROWS: 1, TILE: 1 };
  const one = { B: 1, NKV: 1, groups: 1, HS: 1 };
  for (const op of ["attention.forward", "attention.backward"]) {
    expect(await findings(op, { ...one, T: 70_000, S: 1 }, { overrides })).toEqual([]);
  }
  expect(await findings("attention.backward", { ...one, T: 1, S: 70_000 }, { overrides })).toEqual([]);
});

test("two runs give the same bits", async () => {
  const sizes = { B: 2, NKV: 2, groups: 3, T: 40, S: 40, HS: 20 };
  const { dy, q, k, v, y, lse } = judgeRows.get("attention.backward")!.build(sizes, "unit", 1).inputs as Tensors;
  expect(await outputsOf("attention.forward", { q, k, v })).toEqual(await outputsOf("attention.forward", { q, k, v }));
  const inputs = { dy, q, k, v, y, lse };
  expect(await outputsOf("attention.backward", inputs)).toEqual(await outputsOf("attention.backward", inputs));
});
