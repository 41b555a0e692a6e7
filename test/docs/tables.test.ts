// The tables of docs/bounds.md that commands make: some of their lines again. The campaigns named there make all of them.
import { expect, test } from "vitest";
import { lengthsOf } from "../../golden/fixtures/scale.ts";
import { targets } from "../../reference/targets.ts";
import { sightLines } from "../sight.ts";
import { tableLine } from "../second-derivation/table.ts";
import { CASES, tightnessLine } from "../tightness.ts";
import { sectionsOf } from "./page.ts";

const text = sectionsOf("docs/bounds.md").get("17. How tight the bounds are, and what they see")!;
/** Cells without the padding of a formatted table. */
const lines = new Set(text.split("\n").map((line) => line.replaceAll(/ +\|/g, " |").replaceAll(/\| +/g, "| ")));

test.each(["clip.forward", "cast.forward", "gradient-norm.forward"])("bound ÷ the worst evaluation, %s", (op) => {
  expect([...lines]).toContain(tightnessLine(op, targets.ieee, CASES).replaceAll(/ +\|/g, " |"));
});

test("bound ÷ the worst evaluation of the second derivation, swiglu.forward", () => {
  expect([...lines]).toContain(tableLine("swiglu.forward", true).replaceAll(/ +\|/g, " |"));
});

test.each(["softmax.backward", "rope.forward"])("what is seen at 65B's shapes, %s", (op) => {
  for (const line of sightLines(op, lengthsOf("65B"))) expect([...lines]).toContain(line.replaceAll(/ +\|/g, " |"));
});
