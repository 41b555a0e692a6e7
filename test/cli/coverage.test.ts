// What a report says of the sizes that a run did not try.
import { expect, test } from "vitest";
import { sizeLines } from "../../cli/check-table.ts";
import { beyondLines } from "../../cli/check-untried.ts";
import { check, type Checked } from "../../judge/check.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { wgslTerms } from "../terms.ts";

const [chosen] = choose(["cast.forward"]);
const right: Candidate = {
  name: "right",
  run: async (inputs, scalars) => ({
    outputs: chosen.operation.evaluate(inputs, scalars, Float32Array),
    complaints: [],
  }),
};

test("large cases that few drawn ones leave out are counted, with what asks for them", async () => {
  const all = largeCases(chosen.spec, 1).length;
  const few = largeCases(chosen.spec, 1, 50).length;
  expect([few > 0, few < all]).toEqual([true, true]);
  const results: Checked[] = [];
  for (const { runs, left } of [
    { runs: 1, left: all },
    { runs: 50, left: all - few },
  ]) {
    const result = await check(chosen, right, wgslTerms, { runs, seed: 1 });
    expect(sizeLines([result])).toContain(
      `  large cases: ${left} of ${all} left out with so few drawn cases; --runs 100 or no --runs tries all`,
    );
    results.push(result);
  }
  // Of many ops one line says it.
  expect(sizeLines([...results, ...results])).toEqual([
    `large cases: ${2 * (2 * all - few)} of ${4 * all} left out with so few drawn cases; --runs 100 or no --runs tries all`,
  ]);
  const { report } = results[1];
  const whole = { ...results[1], report: { ...report, largeCases: { planned: all, all } } };
  expect(sizeLines([whole]).join()).not.toContain("left out");
});

test("shapes of a model that time left out are named", () => {
  const line = "cast.forward N=45088768 profile=unit seed=7";
  const untried = [
    { part: "large case", line } as const,
    { part: "large case", line: "cast.forward N=4000000 profile=unit seed=8" } as const,
    { part: "relation", line: "cast.forward N=200 profile=unit seed=1, the rest of N" } as const,
  ];
  const model = [{ sizes: { N: 45_088_768 }, reduced: [], work: 1, bytes: 1 }];
  expect(beyondLines([{ untried, model } as unknown as Checked])).toEqual([
    `sizes: not tried, since no time was left: ${line}`,
  ]);
});
