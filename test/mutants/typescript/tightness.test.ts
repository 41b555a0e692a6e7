// Bounds are as tight as the table says. Of ops whose trials take long, npm run mutants asks that. TOUCHSTONE_UPDATE_TIGHTNESS=1 writes the table.
import { expect, test } from "vitest";
import { operations } from "../../../reference/ops/index.ts";
import { Bench } from "./bench.ts";
import { type Figures, stateTightness, statedTightness } from "./tightness.ts";

const SLOW = /^(attention|adamw|rope-table|rmsnorm|softmax|swiglu)|^(cross-entropy|embedding|linear).backward/;
const ops = [...operations.keys()];

if (process.env.TOUCHSTONE_UPDATE_TIGHTNESS === "1") {
  test("the table is written anew", { timeout: 300_000 }, () => {
    stateTightness(Object.fromEntries(ops.map((op): [string, Figures] => [op, new Bench(op).tightness])));
  });
} else {
  test.each(ops.filter((op) => !SLOW.test(op)))("%s is as tight as stated", (op) => {
    expect(Object.keys(statedTightness(op))).not.toEqual([]);
    expect(new Bench(op).unstated).toEqual([]);
  });
}
