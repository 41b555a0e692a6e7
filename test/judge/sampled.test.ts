// Cases of which the truth of all elements would take minutes: judged at a sample, in the time of the sample.
import { describe, expect, it } from "vitest";
import { cutOut } from "../../judge/around.ts";
import { comparing } from "../../judge/campaign.ts";
import type { Case } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { drawElements, drawRows } from "../../judge/draws.ts";
import { isSampled } from "../../judge/sampled.ts";
import { judgeOutputs, type Verdict } from "../../judge/verdict.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";

const terms = { target: targets.wgsl, dtype: "float32" } as const;

describe("a product of 2,048 × 512 sums of 4,096", () => {
  // Each row of x has three numbers, so that right sums are cheap to make; the judge takes all 4,096 products of each.
  const [R, O, C, PER_ROW] = [2048, 512, 4096, 3];
  const [{ operation, spec }] = choose(["linear.forward"]);
  const c: Case = { op: "linear.forward", sizes: { R, O, C }, profile: "unit", seed: 5 };
  const w: Tensor = {
    data: Float32Array.from({ length: O * C }, (_, i) => ((i * 7919) % 1021) / 512 - 1),
    shape: [O, C],
  };
  const x: Tensor = { data: new Float32Array(R * C), shape: [R, C] };
  const y: Tensor = { data: new Float32Array(R * O), shape: [R, O] };
  for (let r = 0; r < R; r++) {
    const places = Array.from({ length: PER_ROW }, (_, n) => (r * 31 + n * 1361) % C);
    for (const [n, place] of places.entries()) x.data[r * C + place] = (n + 1) / 3;
    for (let o = 0; o < O; o++) {
      for (const place of places) y.data[r * O + o] += Math.fround(x.data[r * C + place] * w.data[o * C + place]);
    }
  }
  const judged = (outputs: Tensor): Verdict =>
    judgeOutputs(operation, { y: outputs }, { inputs: { x, w }, scalars: {} }, terms, [], comparing(spec, c));

  it("passes where it is right, and says how much was not sampled", () => {
    expect(isSampled(spec, c)).toBe(true);
    const { findings, comparisons } = judged(y);
    expect(findings).toEqual([]);
    const [{ elements, judged: held, withoutTruth }] = comparisons;
    expect(held).toBe(elements);
    expect(elements).toBeGreaterThan(R);
    expect(elements + withoutTruth).toBe(R * O);
  });

  it("is rejected where one row beyond a gate is wrong", () => {
    const data = y.data.slice();
    data.fill(0, 1999 * O, 2000 * O);
    expect(judged({ data, shape: y.shape }).findings[0]).toMatch(/^y\[1999,\d+\]: got 0, want/);
  });
});

describe("a sample", () => {
  it("has an element of every row, of every column and of every tile as far as work goes, others for another seed", () => {
    const [rows, columns] = [300, 500];
    const list = drawElements("y", [rows, columns], 4096, 1);
    expect(new Set(list.map((i) => Math.floor(i / columns))).size).toBe(rows);
    expect(new Set(list.map((i) => i % columns)).size).toBe(columns);
    const tiles = new Set(list.map((i) => `${Math.floor(i / columns / 16)} ${Math.floor((i % columns) / 16)}`));
    expect(tiles.size).toBe(19 * 32);
    expect(list).toEqual([...new Set(list)].toSorted((a, b) => a - b));
    expect(drawElements("y", [rows, columns], 4096, 2)).not.toEqual(list);
    expect(drawElements("y", [rows, columns], 1, 1)).toHaveLength(rows * columns); // all, where they cost little
  });

  it("has rows of every band of 16, with one element of each tile where they are long", () => {
    const list = drawRows("y", [2, 500, 4096], 4e6, 1);
    const rows = [...new Set(list.map((i) => Math.floor(i / 4096)))];
    expect(new Set(rows.map((row) => Math.floor(row / 16))).size).toBe(63);
    for (const row of rows) {
      const columns = list.filter((i) => Math.floor(i / 4096) === row).map((i) => i % 4096);
      expect(new Set(columns.map((column) => Math.floor(column / 16))).size).toBe(256);
    }
  });
});

describe("attention of 512 queries and keys with 16 heads of 128", () => {
  const [{ operation, spec }] = choose(["attention.forward"]);
  const sizes = { B: 1, NKV: 16, groups: 1, T: 512, S: 512, HS: 128 };
  const c: Case = { op: "attention.forward", sizes, profile: "unit", seed: 5 };

  it("is rejected where it is zero, from queries with the keys that they see", () => {
    const { inputs, scalars } = spec.build(sizes, "unit", 5);
    const outputs = {
      y: { data: new Float32Array(inputs.q.data.length), shape: inputs.q.shape },
      lse: { data: new Float32Array(16 * 512), shape: [1, 16, 512] },
    };
    const [part] = spec.sampling!.around({ inputs, scalars }, "lse", [7 * 512 + 40]);
    expect(cutOut({ inputs, scalars }, part).inputs.k.shape).toEqual([1, 41, 1, 128]);
    const few = { ...spec, sampling: { ...spec.sampling!, draw: () => [0, 3 * 512 + 17] } };
    const { findings } = judgeOutputs(operation, outputs, { inputs, scalars }, terms, [], comparing(few, c));
    expect(findings.map((line) => line.split("[")[0])).toEqual(["y", "lse"]);
  });
});
