// touchstone invariance: exit statuses, what is printed within 80 columns, the JSON, bad input; and check --bitwise on the same kernel.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-invariance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** A product that is sequential for one row, and split in four for more. */
writeFileSync(
  at("split.mjs"),
  `export default ({ x, w }) => {
    const [[R, C], O] = [x.shape, w.shape[0]];
    const data = new Float32Array(R * O);
    const width = R === 1 ? C : Math.ceil(C / 4);
    for (let r = 0; r < R; r++) for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let from = 0; from < C; from += width) {
        let part = 0;
        for (let c = from; c < Math.min(C, from + width); c++) {
          part = Math.fround(part + Math.fround(x.data[r * C + c] * w.data[o * C + c]));
        }
        sum = Math.fround(sum + part);
      }
      data[r * O + o] = sum;
    }
    return { y: { data, shape: [R, O] } };
  };`,
);

writeFileSync(at("none.mjs"), "export default () => undefined;");

const line = (...more: string[]): string[] => [
  "invariance",
  "linear.forward",
  "--kernel",
  at("split.mjs"),
  "--seed",
  "1",
  "--sizes",
  "C=256 O=16 R<=33",
  ...more,
];

const { columns } = process.stdout;
afterEach(() => void (process.stdout.columns = columns));

test("bits that change are said, and a finding only where they are promised", async () => {
  process.stdout.columns = 80;
  const { code, out } = await inProcess(line());
  expect(code).toBe(0);
  expect(out).toContain("  number of R: O=16 C=256\n    bits  R: 1 | 2–33\n    apart up to ");
  expect(out).toContain("1 of 1 kernel with bits that depend on what surrounds them: linear.forward\n");
  expect(Math.max(...out.split("\n").map((text) => text.length))).toBeLessThanOrEqual(80);
  const promised = await inProcess(line("--bitwise"));
  expect(promised.code).toBe(1);
  expect(promised.out).toMatch(/^FAIL linear\.forward: number of R, O=16 C=256: R 2: y\[0,\d+\]: /m);
  expect(promised.out).toContain("touchstone invariance linear.forward --seed 1 with the same options");
});

test("the JSON has the maps", async () => {
  const { code } = await inProcess(line("--json", at("maps.json")));
  const { report, seed, sizes, verdict, kernels } = JSON.parse(readFileSync(at("maps.json"), "utf8"));
  expect([code, report, seed, sizes, verdict]).toEqual([0, "touchstone invariance", 1, "C=256 O=16 R<=33", "pass"]);
  const [{ op, repeatable, maps }] = kernels;
  expect([op, repeatable]).toEqual(["linear.forward", true]);
  expect(maps[0]).toMatchObject({
    relation: "number of R",
    sizes: { O: 16, C: 256 },
    isPromised: true,
    same: false,
    ranges: [
      { from: 1, to: 1, bits: 0, tried: 1 },
      { from: 2, to: 33, bits: 1 },
    ],
  });
});

test("a check with --bitwise rejects the kernel, and without it takes a note", async () => {
  const check = ["check", "--kernel", at("split.mjs")];
  const drawn = ["--op", "linear.forward", "--seed", "1", "--runs", "1"];
  const { code, out } = await inProcess([...check, ...drawn, "--bitwise"]);
  expect([code, out]).toEqual([1, expect.stringMatching(/^FAIL linear\.forward: .*number of R/m)]);
  const [, replay] = /check --replay '(linear\.forward [^']*, another number of R)'/.exec(out)!;
  const again = await inProcess([...check, "--replay", replay, "--bitwise"]);
  expect([again.code, again.out]).toEqual([1, expect.stringContaining("rounded: ")]);
  const loose = await inProcess([...check, "--replay", replay]);
  expect([loose.code, loose.out]).toEqual([0, expect.stringContaining("rounded: ")]);
});

test("the last line says of no kernel that it failed, or declared that bits differ, that its bits stay", async () => {
  const declared = await inProcess(line("--nondeterministic"));
  expect([declared.code, declared.out]).toEqual([
    0,
    expect.stringMatching(/^1 kernel: equal runs may differ, so no bits/m),
  ]);
  const { code, out } = await inProcess(["invariance", "linear.forward", "--kernel", at("none.mjs"), "--seed", "1"]);
  expect([code, out]).toEqual([1, expect.stringMatching(/^1 of 1 kernel failed: linear\.forward$/m)]);
  expect(`${declared.out}${out}`).not.toContain("no bit depends");
});

describe("bad input and nothing to compare", () => {
  test.each<[string[], number, RegExp]>([
    [["invariance", "nothing"], 2, /no op is named "nothing"/],
    [["invariance", "--exec", "true"], 2, /\[op\.\.\.\] is missing: which op does the candidate compute\?/],
    [line("--sizes", "Q=3"), 2, /"Q" is no size, nearest: /],
    [
      line("--sizes", "R=100000 O=100000 C=9"),
      2,
      /sizes: the smallest run of linear\.forward is R=100000 O=100000 C=9, /,
    ],
    [line("--sizes", "7B 13B"), 2, /7B and 13B, expected one model/],
    [
      line("--bitwise", "--nondeterministic"),
      2,
      /'--nondeterministic' cannot be used with option '--bitwise'|--nondeterministic.*--bitwise/,
    ],
    [["invariance", "rope-table.forward", "--kernel", at("split.mjs")], 4, /nothing to compare: rope-table\.forward/],
    [line("--budget", "0"), 2, /expected a whole number/],
  ])("%j", async (words, status, says) => {
    const { code, out, err } = await inProcess(words);
    expect([code, `${out}${err}`]).toEqual([status, expect.stringMatching(says)]);
  });
});
