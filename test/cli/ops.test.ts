// `touchstone ops --json` has all that an op declares, and all that the listing shows.
import { expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { operations } from "../../reference/ops/index.ts";
import { inProcess } from "./in-process.ts";

test("every field of both rows of every op, and every word of the listing", async () => {
  const { code, out } = await inProcess(["ops", "--json"]);
  expect(code).toBe(0);
  const listed = JSON.parse(out) as Record<string, never>[];
  expect(listed.map(({ name }) => name)).toEqual([...operations.keys()]);
  for (const one of listed) {
    const operation = operations.get(one.name)!;
    const { evaluate: _, bound: __, none, ...declared } = operation;
    expect(one).toMatchObject(JSON.parse(JSON.stringify(declared)));
    const { sizes, profiles, overlooked, none: ofJudge } = judgeRows.get(one.name)!;
    expect(one).toMatchObject({ sizes: Object.keys(sizes), profiles, overlooked, none: { ...none, ...ofJudge } });
    const text = await inProcess(["ops", one.name]);
    const strings = JSON.stringify(one);
    const names = text.out.match(/^ {2}[\w-]+/gm)!.map((word) => word.trim());
    for (const name of names.filter((word) => word !== "none")) expect(strings).toContain(name);
  }
});

test("axes, what may be declared, and the relations", async () => {
  const { out } = await inProcess(["ops", "attention.forward", "rmsnorm.forward+linear.forward", "--json"]);
  const [attention, fused] = JSON.parse(out);
  expect(attention.axes).toEqual(["B", "T", "NH", "HS", "S", "NKV"]);
  expect(Object.keys(attention.declarations.stores)).toEqual(["S", "P", "q", "k", "v"]);
  expect(attention.declarations.formats).toContain("tf32");
  expect(attention.relations.length).toBeGreaterThan(5);
  expect(fused).toMatchObject({ axes: ["R", "C", "O"], atScale: false });
});

test("what the bound does not cover, with the reason", async () => {
  const { out } = await inProcess(["ops", "attention.forward"]);
  expect(out).toMatch(/not covered, and may be outside it\n.*\(FlashAttention 4\):\n +terms exceed 1/s);
});

test("what outputs are where an axis is 0, and for a query that sees no key", async () => {
  const { out } = await inProcess(["ops", "attention.forward"]);
  expect(out).toContain("S = 0: y = 0, lse = −∞\n");
  expect(out).toContain("a query that sees no key, where T > S: y = 0, lse = −∞\n");
  const { inputs, scalars } = judgeRows
    .get("attention.forward")!
    .build({ B: 1, NKV: 1, groups: 1, T: 3, S: 2, HS: 2 }, "unit", 1);
  const { y, lse } = operations.get("attention.forward")!.evaluate(inputs, scalars, Float64Array);
  expect([y.data[0], y.data[1], lse.data[0]]).toEqual([0, 0, -Infinity]);
});
