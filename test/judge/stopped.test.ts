// A judge whose files cannot be written any more keeps what it has judged: a run that stops so is never a pass, and a finding before it
// stays one.
import { expect, test } from "vitest";
import { FormatError } from "../../formats/error.ts";
import { check } from "../../judge/check.ts";
import { judge } from "../../judge/api/judge.ts";
import { Deadline } from "../../judge/deadline.ts";
import { choose } from "../../judge/choose.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { wgslTerms } from "../terms.ts";

const [add] = choose(["add.forward"]);
const full = new FormatError("/tmp", "takes no files of a case, no space left on device (ENOSPC)");

/** Is right, or wrong from a case on; from another case on there is no room for its files. */
function stopping({ at, wrong = Infinity }: { readonly at: number; readonly wrong?: number }): Candidate {
  let cases = 0;
  return {
    name: "mine",
    run: async (inputs, scalars) => {
      if (++cases >= at) throw full;
      const outputs = add.operation.evaluate(inputs, scalars, Float32Array);
      return { outputs: cases >= wrong ? {} : outputs, complaints: [] };
    },
  };
}

const plan = { runs: 20, seed: 1 };

test("in the search: the cases before it count, and the verdict is inconclusive", async () => {
  const { report, conclusion, stopped } = await check(add, stopping({ at: 5 }), wgslTerms, plan);
  expect(report.cases).toBe(4);
  expect(report.failures).toEqual([]);
  expect(conclusion.verdict).toBe("inconclusive");
  expect(conclusion.reasons[0]).toMatch(/^stopped: \/tmp: takes no files/);
  expect(stopped).toBe(full);
});

test("while a failure is shrunk: the failure stays", async () => {
  const { report, conclusion } = await check(add, stopping({ at: 8, wrong: 5 }), wgslTerms, plan);
  expect(report.failures).toHaveLength(1);
  expect(report.failures[0].message).toContain("output y is missing");
  expect(conclusion.verdict).toBe("FAIL");
});

test("in the examination: what was examined stays", async () => {
  const { report, examination, conclusion } = await check(add, stopping({ at: 40 }), wgslTerms, plan);
  expect(report.cases).toBeGreaterThan(20);
  expect(examination).toBeDefined();
  expect(conclusion.verdict).toBe("inconclusive");
});

test("at the first case: it is thrown, and by judge always", async () => {
  await expect(check(add, stopping({ at: 1 }), wgslTerms, plan)).rejects.toBe(full);
  await expect(judge("add.forward", stopping({ at: 5 }), { runs: 20 })).rejects.toBe(full);
});

test("a candidate that complains when it is closed is a FAIL, however little time there was", async () => {
  const closing: Candidate = {
    ...stopping({ at: Infinity }),
    close: async () => Promise.reject(new Error("left a mess")),
  };
  for (const seconds of [0.001, 2]) {
    const { conclusion, examination } = await check(add, closing, wgslTerms, {
      ...plan,
      deadline: new Deadline({ seconds }),
    });
    expect(conclusion.verdict).toBe("FAIL");
    expect(examination?.findings.at(-1)).toContain("left a mess");
  }
});
