// A candidate that holds only so many bytes of a tensor: larger cases are not tried and are listed, and sizes of which none fits are bad input.
import { expect, test } from "vitest";
import { check } from "../../judge/check.ts";
import { choose } from "../../judge/choose.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { operations } from "../../reference/ops/index.ts";
import { wgslTerms as terms } from "../terms.ts";

const op = "add.forward";
const operation = operations.get(op)!;
let largest = 0;
const holding = (mostBytes: number): Candidate => ({
  name: "a small device",
  mostBytes,
  run: (inputs, scalars) => {
    for (const { data } of Object.values(inputs)) largest = Math.max(largest, 4 * data.length);
    return Promise.resolve({ outputs: operation.evaluate(inputs, scalars, Float32Array), complaints: [] });
  },
});
const plan = { runs: 100, seed: 1 };

test("large cases beyond what it holds are left out, and listed", async () => {
  const [chosen] = choose([op]);
  largest = 0;
  const { untried, conclusion } = await check(chosen, holding(1_000_000), terms, plan);
  const left = untried.filter(({ cause }) => cause === "candidate");
  expect(left.length).toBeGreaterThan(0);
  for (const { part, line } of left) expect([part, line.startsWith(op)]).toEqual(["large case", true]);
  expect(largest).toBeLessThanOrEqual(1_000_000);
  expect(conclusion.verdict).toBe("pass");
});

test("sizes of which not even the least fits are one line, before anything is made", async () => {
  const [chosen] = chosenWithin(choose([op]), "N>=1000000");
  largest = 0;
  await expect(check(chosen, holding(1_000_000), terms, plan)).rejects.toThrow(
    /^sizes: add\.forward: [aby] takes \d+ bytes, this candidate holds at most 1000000 of a tensor, expected at most 250000 numbers$/,
  );
  expect(largest).toBe(0);
});
