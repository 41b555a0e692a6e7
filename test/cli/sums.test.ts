// --sum: what is refused, and how a verdict says the order.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compare, judge, ops, oracle, tensor } from "../../index.ts";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-sums-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, json: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(json));
  return path;
};
const check = (op: string, sum: string, ...rest: string[]) =>
  inProcess(["check", "--op", op, "--adapter", "software", "--runs", "1", "--target", "ieee", "--sum", sum, ...rest]);

describe("refused in one line", () => {
  test.each<[op: string, sum: string, message: RegExp]>([
    ["linear.forward", "blocked:0", /--sum blocked:0: "blocked:0": expected blocked: and a whole number from 1 to/],
    ["linear.forward", "blocked", /"blocked": expected blocked: and a whole number/],
    ["linear.forward", "blokced:64", /"blokced" is not an order, nearest: blocked, expected blocked:K, pairwise/],
    ["linear.forward", "depth:1.5", /"depth:1\.5": expected depth: and a whole number/],
    ["linear.forward", "pairwise:", /"pairwise:": expected pairwise: and a whole number/],
    ["linear.forward", "fused:16", /ieee adds two numbers at a time, expected blocked:K/],
    ["linear.forward", "tree:", /names no file, expected tree:FILE/],
    ["linear.forward", "tree:/nowhere/tree.json", /\/nowhere\/tree\.json: cannot be read/],
    ["linear.backward", "dv=pairwise", /"dv" is not a sum of these ops, nearest: d[xw], expected one of dx, dw/],
    ["linear.backward", "dx=pairwise,dx=blocked:4", /"dx" is declared twice, expected once/],
    ["linear.backward", "pairwise,blocked:4", /an order of all sums is declared twice, expected once/],
    ["swiglu.forward", "pairwise", /swiglu\.forward has no sum whose order could be declared: sums of two terms/],
  ])("%s --sum %s", async (op, sum, message) => {
    const { code, err } = await check(op, sum);
    expect(code).toBe(2);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toMatch(message);
  });

  const report = (...sums: [sum: string, ...trees: object[]][]): object => ({
    kernels: [{ sums: sums.map(([sum, ...trees]) => ({ sum, trees: trees.map((tree) => ({ tree })) })) }],
  });
  const pair = { terms: 2, additions: [[0, 1]] };
  test.each<[file: string, json: unknown, sum: string, message: RegExp]>([
    [
      "twice",
      report([
        "y",
        {
          terms: 3,
          additions: [
            [0, 1],
            [3, 1],
          ],
        },
      ]),
      "",
      /1 is added a second time, expected once/,
    ],
    ["empty", {}, "", /empty\.json: has no tree, expected one, as `touchstone order --json` writes it/],
    ["null", null, "", /null\.json: has no tree/],
    ["strange", { kernels: [null, { sums: [{ sum: "y", trees: [null] }] }] }, "", /terms: got nothing/],
    ["others", report(["dx", pair], ["dw", pair]), "", /has 2 trees, expected one of a sum, such as dx=tree:FILE/],
    ["places", report(["y", pair, pair]), "y=", /has 2 trees of y, expected one, as/],
    ["dx", report(["dx", pair]), "y=", /has no tree of y, expected/],
  ])("a file without a tree: %s", async (name, json, sum, message) => {
    const { code, err } = await check("linear.forward", `${sum}tree:${file(`${name}.json`, json)}`);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("a target that adds in another way", async () => {
    const matrix = await check("linear.forward", "blocked:4", "--target", "matrix-units");
    expect(matrix.err).toMatch(/matrix-units adds several terms at once, expected fused:K or tree:FILE/);
  });

  test("a report never replaces the tree that the run reads", async () => {
    const tree = file("tree.json", report(["y", pair]));
    const { code, err } = await check("linear.forward", `y=tree:${tree}`, "--json", tree, "--overwrite");
    expect(code).toBe(2);
    expect(err).toMatch(/is the input .*tree\.json, expected another file/);
  });
});

test("the verdict says the order, in text, JSON and a replay", async () => {
  const json = join(folder, "report.json");
  const { code, out } = await check("linear.forward", "blocked:64", "--json", json, "--sizes", "R<=4 O<=4 C<=200");
  expect(out).toMatch(/1 kernel within its bound under the declared order blocked:64, \d+ elements judged/);
  expect(code).toBe(0);
  const report = JSON.parse(readFileSync(json, "utf8"));
  expect(report.declarations.sums).toEqual({ y: "blocked:64" });
  expect(report.kernels[0].order).toBe("the declared order blocked:64");
  const line = "linear.forward R=2 C=9 O=2 profile=unit seed=1";
  const again = await inProcess(["check", "--adapter", "software", "--replay", line, "--sum", "pairwise"]);
  expect(again.out).toMatch(/target wgsl, under the declared order pairwise/);
});

test("ops NAME lists the sums", async () => {
  expect((await inProcess(["ops", "linear.backward"])).out).toMatch(/--sum NAME=blocked:64\)\n {2}dx +dy · w, over O/);
  expect((await inProcess(["ops", "add.forward"])).out).toMatch(/--sum NAME=blocked:64\)\n {2}none: two terms/);
});

describe("in code", () => {
  const R = 2;
  const C = 600;
  const inputs = {
    x: tensor(new Float32Array(R * C).fill(0.1), [R, C]),
    w: tensor(new Float32Array(C).fill(0.1), [1, C]),
  };
  const problem = { op: "linear.forward", inputs, scalars: {} } as const;

  test("oracle, compare and judge take it", async () => {
    const any = oracle(problem).y.bound.data[0];
    expect(oracle(problem, { sums: "pairwise" }).y.bound.data[0]).toBeLessThan(any / 10);
    expect(oracle(problem, { sums: { y: "blocked:32" } }).y.bound.data[0]).toBeLessThan(any / 3);
    // One after another, in float32: not pairwise, and far outside its bound.
    const { fround } = Math;
    let sum = 0;
    for (let i = 0; i < C; i++) sum = fround(sum + fround(fround(0.1) * fround(0.1)));
    const y = tensor(new Float32Array(R).fill(sum), [R, 1]);
    expect(compare(problem, { y })).toMatchObject({ passed: true });
    expect(compare(problem, { y }, { sums: "pairwise" })).toMatchObject({
      passed: false,
      order: "the declared order pairwise",
    });
    const additions = Array.from({ length: C - 1 }, (_, k) => (k === 0 ? [0, 1] : [C + k - 1, k + 1]));
    expect(compare(problem, { y }, { sums: { y: { terms: C, additions } } })).toMatchObject({ passed: true });
    const result = await judge("linear.forward", ops["linear.forward"].reference, { runs: 2, sums: "pairwise" });
    expect(result).toMatchObject({ passed: true, order: "the declared order pairwise" });
  });

  test.each<[unknown, RegExp]>([
    [5, /^terms\.sums: got 5, expected a text such as "blocked:64", or an object of sums$/],
    [{ y: 5 }, /^terms\.sums\.y: got 5, expected a text such as "blocked:64", or a tree \{ terms, additions \}$/],
    [{ y: {} }, /^terms\.sums\.y: terms: got nothing, expected a whole number/],
    [{ y: "blocked" }, /^terms\.sums\.y: "blocked": expected blocked: and a whole number/],
    [{ z: "pairwise" }, /^terms\.sums: "z" is not a sum of these ops, .*expected one of y$/],
    ["tree:a.json", /^terms\.sums: "tree:a\.json": expected the tree itself, \{ terms, additions \}$/],
    [{ y: { terms: 2, additions: [] } }, /^terms\.sums\.y: additions: 0 is never added, expected once$/],
  ])("%j is refused", (sums, message) => {
    expect(() => oracle(problem, { sums } as never)).toThrow(message);
  });
});

describe("touchstone order", () => {
  test("reveals the project's own product, and a check takes the tree", async () => {
    const json = join(folder, "orders.json");
    const sizes = "R=2 O=3 C=24";
    const { code, out } = await inProcess([
      "order",
      "linear.forward",
      "--adapter",
      "software",
      "--sizes",
      sizes,
      "--json",
      json,
    ]);
    expect(out).toMatch(
      /y, 24 terms: R=2 O=3 C=24\n {4}24 terms in turn\n {4}depth 23: --sum depth:23\n {4}at all 6 places/,
    );
    expect(code).toBe(0);
    const [{ sums }] = JSON.parse(readFileSync(json, "utf8")).kernels;
    expect(sums[0]).toMatchObject({
      sum: "y",
      terms: 24,
      places: 6,
      trees: [{ words: "24 terms in turn", depth: 23, atOnce: 2 }],
    });
    const checked = await check("linear.forward", `tree:${json}`, "--sizes", "R<=2 O<=3 C=24");
    expect(checked.out).toMatch(/linear\.forward y: the declared tree fits (\d+) of \1 cases?;/);
    const other = await check("linear.forward", `tree:${json}`, "--sizes", "R<=2 O<=3 C=16");
    expect([other.code, other.out]).toEqual([
      4,
      expect.stringMatching(/inconclusive linear\.forward y: the declared tree has another number of terms than/),
    ]);
    expect(checked.out).toMatch(
      /within its bound under the declared order a tree of 24 terms \(any order where a sum has another number\)/,
    );
    expect(checked.code).toBe(0);
  });

  test.each<[string[], RegExp]>([
    [["swiglu"], /swiglu\.forward has no sum whose order can be revealed, expected one of linear\.forward/],
    [["linear.forward", "--sizes", "Q=3"], /sizes: .*Q/],
    [["linear.forward", "--sizes", "7B"], /sizes: 7B is a model, expected sizes such as/],
    [
      ["linear.forward", "--sizes", "R=100000 O=100000"],
      /sizes: linear\.forward y: R=100000 O=100000 C=256 has .* numbers/,
    ],
    [["linear.forward", "--dtype", "int8"], /--dtype/],
    [["--exec", "true"], /\[op\.\.\.\] is missing/],
    [["linear.forward", "--adapter", "software", "--json", folder], /is not a regular file/],
  ])("%j is refused", async (words, message) => {
    const { code, err } = await inProcess(["order", ...words]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});
