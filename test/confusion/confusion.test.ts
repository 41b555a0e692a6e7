// A sample of the confusion matrix: no candidate of known precision gets a wrong word. `npm run campaign:confusion` has the rest.
import { expect, test } from "vitest";
import type { Sizes } from "../../judge/case.ts";
import type { Scene } from "../../judge/sample.ts";
import type { Line } from "./line.ts";
import { lines } from "./lines.ts";
import { entriesFor, told } from "./matrix.ts";

/** Of attention, TF32 and float16 are told apart by several runs more. */
const isDear = ({ op, truth }: Line): boolean => op.startsWith("attention") && /^(tf32|float16) inputs/.test(truth[0]);
/** Each class once, in one of its implementations, in float32. */
const sample = [
  ...new Map(
    lines
      .filter((line) => !isDear(line) && line.dtype === undefined)
      .map((line) => [[line.op, line.dtype, line.truth[0], line.outputs].join(), line]),
  ).values(),
];

/** In the probe of attention.backward there are n / 128 queries and keys. */
const lengthFor = (op: string): number => (op === "attention.backward" ? 1024 : 256);

/** Outputs of 128 × 128 take four times as long as those of 64 × 64. */
const isTried = (sizes: Sizes): boolean => Object.values(sizes).filter((length) => length === 128).length < 2;

test.each([...new Set(sample.map(({ op }) => op))])("%s: no wrong word", async (op) => {
  const scenes = new Map<string, Scene>();
  const wrong: string[] = [];
  for (const line of sample.filter((one) => one.op === op)) {
    const entries = await entriesFor(line, { n: lengthFor(op), seed: 3, isTried, scenes });
    wrong.push(...entries.filter(({ mark }) => mark === "wrong" || mark === "unlisted").map(told));
  }
  expect(wrong).toEqual([]);
});
