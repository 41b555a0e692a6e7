// touchstone plan: its numbers, its files, its refusals.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { PlanOptions } from "../../cli/plan-run.ts";
import { planOf } from "../../cli/plan-run.ts";
import { draw } from "../../cli/plan-svg.ts";
import { describe as inWords } from "../../cli/plan-text.ts";
import { binary, decimal, quantity } from "../../cli/numbers.ts";
import { devices } from "../../reference/planning/devices.ts";
import { cli } from "../command.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-plan-"));
afterAll(() => rmSync(folder, { recursive: true }));

function plan(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [cli, "plan", ...args], { encoding: "utf8" });
}

describe("counts", () => {
  test.each([
    ["1.4T", decimal, 1_400_000_000_000],
    ["1T", decimal, 1e12],
    ["0.5B", decimal, 5e8],
    ["2048", decimal, 2048],
    ["4M", binary, 4_194_304],
    ["0.5M", binary, 524_288],
    ["1.5K", binary, 1536],
    ["4000000", binary, 4_000_000],
    ["9007199254740991", decimal, Number.MAX_SAFE_INTEGER],
  ])("%s", (text, units, value) => expect(quantity(units)(text)).toBe(value));

  test.each([
    "",
    "0",
    "0M",
    "-1",
    "+1",
    "1e6",
    "1,000",
    "4m",
    "1.4 T",
    " 4M",
    "T",
    ".5M",
    "5.M",
    "1.4",
    "0.0001K",
    "4G",
    "NaN",
    "Infinity",
    "0x10",
    "9007199254740992",
    "99999T",
    "1.40000000000000001T",
    "4constructor",
  ])("%j is none", (text) => {
    expect(() => quantity(decimal)(text)).toThrow(/expected a whole number/);
  });
});

describe("the command", () => {
  const [svg, json] = [join(folder, "plan.svg"), join(folder, "plan.json")];

  test("the paper's run: figures, a picture, and the same in JSON", () => {
    const { status, stdout, stderr } = plan(
      ..."--model 65B --gpus 2048 --gpu a100-80gb --tokens 1.4T --batch-tokens 4M --tensor 8".split(" "),
      "--svg",
      svg,
      "--json",
      json,
    );
    expect(stderr).toMatch(/plan\.svg written\n.*plan\.json written\n/);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^65B on 2,048 × a100-80gb: 256 data × 8 tensor ranks, ZeRO stage 1/);
    expect(stdout).toContain("65,285,660,672");
    expect(stdout).toContain("1,044.6 GB");
    expect(stdout).toMatch(/1,022,362 GPU-hours, 449 MWh, 173 tCO2e; the formula gives 449\.8 and 173\.2/);
    const figures = JSON.parse(readFileSync(json, "utf8"));
    expect(figures.trainingState.total).toBe(16 * figures.parameters);
    expect(figures.memory.map(({ policy }: { policy: string }) => policy)).toEqual(["none", "selective", "full"]);
    expect(figures.block.overlapped.tasks.length).toBeGreaterThan(20);
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
  });

  test("what cannot be: one line, status 2, nothing written", () => {
    const file = join(folder, "none.svg");
    const { status, stdout, stderr } = plan("--model", "33B", "--tensor", "8", "--svg", file);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: "touchstone: 52 heads are not divisible by the tensor size 8; nearest legal: tensor size 4\n",
    });
    expect(() => readFileSync(file)).toThrow(/ENOENT/);
  });
});

const sound: PlanOptions = {
  model: "65B",
  gpus: 2048,
  gpu: "a100-80gb",
  batchTokens: 2048 * 2048,
  tensor: 8,
  sequenceParallel: false,
  recompute: "selective",
  microBatch: 1,
  dtype: "bfloat16",
};
const shown: [string, Partial<PlanOptions>][] = [
  ["the paper's", {}],
  ["sequence parallelism, everything sharded", { sequenceParallel: true, zero: 3, recompute: "full" }],
  ["no stage that fits", { gpus: 8, zero: 0, batchTokens: 2048 }],
  ["one GPU", { model: "7B", gpus: 1, tensor: 1, batchTokens: 2048 }],
  ["a long list to save", { recompute: "q,k,v,gate,up,attention.y,attention.lse" }],
  ["a slow network between consumer cards", { model: "7B", gpu: "rtx-4090", gpus: 64, tensor: 2, network: 10 }],
  ["a model of the size of a test", { model: "tiny", tokens: 1e9, tensor: 1, gpus: 16 }],
];

describe("what is shown", () => {
  test.each(shown)("%s", (_, changes) => {
    const planned = planOf({ ...sound, ...changes });
    const picture = draw(planned);
    for (const text of [picture, inWords(planned)]) expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
    const [, width, height] = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(picture)!;
    const number = (tag: string, name: string): number => Number(new RegExp(` ${name}="([^"]*)"`).exec(tag)![1]);
    const boxes = picture.match(/<rect x=[^>]*>/g)!;
    expect(boxes.length).toBeGreaterThan(20);
    for (const box of boxes) {
      expect(number(box, "width"), box).toBeGreaterThanOrEqual(0);
      expect(number(box, "x") + number(box, "width"), box).toBeLessThanOrEqual(Number(width));
      expect(number(box, "y") + number(box, "height"), box).toBeLessThanOrEqual(Number(height));
    }
    for (const [, x, y] of picture.matchAll(/<text x="([^"]*)" y="([^"]*)"/g)) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(x)).toBeLessThan(Number(width));
      expect(Number(y)).toBeLessThan(Number(height));
    }
  });

  test("a plan that does not fit says so in both", () => {
    const planned = planOf({ ...sound, gpus: 8, zero: 0, batchTokens: 2048 });
    expect(inWords(planned)).toContain("DOES NOT FIT");
    expect(draw(planned)).toContain("does not fit");
  });

  test("devices name where their figures are from", () => {
    for (const device of Object.values(devices)) {
      expect(device.source).toMatch(/data sheet|whitepaper/);
      expect(device.products.source).not.toBe("");
    }
  });
});
