// The bound of a sum of products next to what Gappa (Daumas and Melquiond 2010) proves of one order, from one term after another.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { operations } from "../reference/ops/index.ts";
import { targets } from "../reference/targets.ts";
import { tensor } from "../reference/tensor.ts";
import { program } from "./needs.ts";

const LENGTH = 128;
/** What Gappa 1.4.1 proves of the sequential sum of 128 products of numbers from −1 to 1, in u: `node` wrote its input as below. */
const PROVED = 5525;
/** So much wider may a bound for every order be. */
const MOST = 1.6;

const gappa = program("gappa");

/** The sequential sum of n products, each operation rounded to nearest, less the exact one. */
function question(n: number): string {
  const each = (of: (i: number) => string, from = 0): string[] =>
    Array.from({ length: n - from }, (_, i) => of(i + from));
  const ranges = each((i) => `a${i} in [-1,1] /\\ b${i} in [-1,1]`).join(" /\\ ");
  return [
    "@rnd = float<ieee_32, ne>;",
    ...each((i) => `p${i} rnd= a${i} * b${i};`),
    "s0 = p0;",
    ...each((i) => `s${i} rnd= s${i - 1} + p${i};`, 1),
    "e0 = a0 * b0;",
    ...each((i) => `e${i} = e${i - 1} + a${i} * b${i};`, 1),
    `{ ${ranges} -> s${n - 1} - e${n - 1} in ? }`,
  ].join("\n");
}

/** How far the sum may lie from the exact one, in u. */
function provedBy(n: number): number {
  const { stderr, stdout } = spawnSync("gappa", { input: question(n), encoding: "utf8" });
  const found = /in \[-(\d+)b-(\d+)/.exec(stderr + stdout)!;
  return Number(found[1]) * 2 ** (24 - Number(found[2]));
}

/** The bound of the same sum at its largest, in any order, in u. */
function boundOf(n: number): number {
  const ones = tensor(new Float32Array(n).fill(1), [1, n]);
  return operations.get("linear.forward")!.bound({ x: ones, w: ones }, {}, targets.ieee).y.data[0] * 2 ** 24;
}

test(`the bound of ${LENGTH} products, for every order, is at most ${MOST} times Gappa's proof of one`, () => {
  expect(boundOf(LENGTH) / PROVED).toBeLessThanOrEqual(MOST);
  expect(boundOf(LENGTH)).toBeGreaterThan(PROVED);
});

test.skipIf(gappa.absent)(
  `Gappa proves what is recorded${gappa.note}`,
  () => expect(provedBy(LENGTH)).toBe(PROVED),
  60_000,
);
