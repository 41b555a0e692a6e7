// How long a case will take is said before it runs, from what the cases before it took, on a clock of the test's own.
import { describe, expect, it, test } from "vitest";
import { beforehand, durationOf, LongCases, meanwhile } from "../../cli/check-long.ts";
import type { Coming } from "../../judge/pace.ts";
import { Limited } from "../../judge/candidates/limited.ts";
import type { Case } from "../../judge/case.ts";
import { choose, type Chosen } from "../../judge/choose.ts";
import { Deadline } from "../../judge/deadline.ts";
import { Search } from "../../judge/search.ts";
import type { ModelCase } from "../../judge/sizes/model.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { wgslTerms as terms } from "../terms.ts";

const [chosen] = choose(["add.forward"]);
const { operation, spec } = chosen;
const MS_PER_WORK = 0.05;
const caseOf = (N: number): Case => ({ op: "add.forward", sizes: { N }, profile: "unit", seed: 3 });
const takes = (N: number): number => MS_PER_WORK * spec.large!.work({ N });

/** What is said before each of the cases; the candidate takes what `takes` says, and the judge no time. */
async function said(
  lengths: readonly number[],
  model: readonly ModelCase[] = [],
  patience = Infinity,
): Promise<Coming[]> {
  let time = 0;
  const deadline = new Deadline({ now: () => time });
  const candidate: Candidate = {
    name: "slow",
    run: async (inputs, scalars) => {
      time += takes(inputs.a.data.length);
      return { outputs: operation.evaluate(inputs, scalars, Float32Array), complaints: [] };
    },
  };
  const coming: Coming[] = [];
  const plan = { runs: 0, seed: 1, patience, onLong: (one: Coming) => coming.push(one) };
  const of: Chosen = { ...chosen, model };
  const search = new Search(of, new Limited(candidate, deadline), terms, plan, deadline);
  await search.try({ examples: lengths.map(caseOf), runs: 0 });
  expect(search.hasFailed).toBe(false);
  return coming;
}

describe("before a case", () => {
  const [small, some, many] = [2000, 9000, 20_000];

  it("that will take long, the time that it takes at the rate so far is said", async () => {
    expect(takes(small)).toBeLessThan(10_000);
    expect(takes(some)).toBeLessThan(10_000);
    const [only, ...more] = await said([small, some, 10 * many, small]);
    expect(more).toEqual([]);
    expect(only).toEqual({
      line: "add.forward N=200000 profile=unit seed=3",
      milliseconds: expect.closeTo(takes(10 * many), 3),
      isRough: false,
      rest: 0,
    });
  });

  it("much larger than all before it, the rate is called rough; before the first, nothing is said", async () => {
    expect((await said([10, 10 * many])).map(({ isRough }) => isRough)).toEqual([true]);
    expect(await said([10 * many])).toEqual([]);
  });

  it("of a model, what those after it will take is said as well, if they are tried", async () => {
    const model = [some, 10 * many, 12 * many].map((N): ModelCase => {
      return { sizes: { N }, reduced: [], work: spec.large!.work({ N }), bytes: 1 };
    });
    const lengths = model.map(({ sizes }) => Number(sizes.N));
    const [first, last] = await said(lengths, model);
    // Work times a quotient by work: three roundings, of which each is half of Number.EPSILON.
    expect(Math.abs(first.rest / takes(12 * many) - 1)).toBeLessThanOrEqual(2 * Number.EPSILON);
    expect(last.rest).toBe(0);
    const [held] = await said(lengths, model, 2 * takes(11 * many));
    expect(held.rest).toBe(0);
  });
});

/** A check of one case of a model, after a small one, by a candidate whose time ends at the larger, at a rate by which that was to be expected or not. */
async function late(rate: number) {
  let time = 0;
  const [small, large, timeout] = [2000, 20_000, 1000];
  const deadline = new Deadline({ now: () => time });
  const candidate: Candidate = {
    name: "late",
    run: async (inputs, scalars) => {
      const isLarge = inputs.a.data.length === large;
      time += isLarge ? timeout : rate * timeout;
      if (isLarge) throw new Error("did not answer within 1 s");
      return { outputs: operation.evaluate(inputs, scalars, Float64Array), complaints: [] };
    },
  };
  const model = [{ sizes: { N: large }, reduced: [], work: spec.large!.work({ N: large }), bytes: 1 }];
  const plan = { runs: 0, seed: 1, patience: timeout };
  const search = new Search({ ...chosen, model }, new Limited(candidate, deadline), terms, plan, deadline);
  await search.try({ examples: [small, large].map(caseOf), runs: 0 });
  return search;
}

describe("a case of a model in which a candidate's time ends", () => {
  it("is not tried where its own rate in smaller cases told that", async () => {
    const { hasFailed, untried } = await late(0.06); // ten times that is more than half of the time
    expect(hasFailed).toBe(false);
    expect(untried).toEqual([{ part: "large case", line: "add.forward N=20000 profile=unit seed=3", cause: "slow" }]);
  });

  it("is a hang, and a failure, where its own rate told that there was time enough", async () => {
    const search = await late(0.001);
    expect(search.report().failures[0].message).toContain("did not answer within 1 s");
  });
});

test("what passes when it is run again, having had no answer in its time, is not called random", async () => {
  let calls = 0;
  let time = 0;
  const deadline = new Deadline({ now: () => time });
  const candidate: Candidate = {
    name: "once late",
    run: async (inputs, scalars) => {
      if (calls++ > 0) return { outputs: operation.evaluate(inputs, scalars, Float64Array), complaints: [] };
      time += 1000;
      throw new Error("did not answer within 1 s");
    },
  };
  const plan = { runs: 0, seed: 1, patience: 1000 };
  const search = new Search(chosen, new Limited(candidate, deadline), terms, plan, deadline);
  await search.try({ examples: [caseOf(7)], runs: 0 });
  const [{ message }] = search.report().failures;
  expect(message).toContain(
    "(and passed when run again: near its time limit, which --timeout sets, or on a busy machine)",
  );
});

describe("in words", () => {
  const coming: Coming = { line: "add.forward N=7", milliseconds: 240_000, isRough: false, rest: 0 };

  it("a duration has two digits at most", () => {
    expect([300, 41_000, 99_400, 125_000, 5_900_000, 7_000_000].map(durationOf)).toEqual([
      "1 s",
      "41 s",
      "99 s",
      "2 min",
      "98 min",
      "2 h",
    ]);
  });

  it("a line comes before the case", () => {
    expect(beforehand(coming)).toBe("add.forward N=7: about 4 min at the rate so far");
    expect(beforehand({ ...coming, isRough: true, rest: 3_600_000 })).toBe(
      "add.forward N=7: about 4 min at the rate of much smaller cases; about 60 min for the shapes after it",
    );
  });

  it("a terminal says what is left, again and again, until the case has ended", () => {
    const shown: string[] = [];
    let [time, repeats] = [5000, 0];
    let work = (): void => {};
    const repeat = (again: () => void): (() => void) => {
      work = again;
      repeats++;
      return () => repeats--;
    };
    const long = new LongCases({ begin: (what) => shown.push(what) }, { isTerminal: true, now: () => time, repeat });
    long.begin(coming);
    time += 60_000;
    work();
    time += 200_000;
    work();
    expect(repeats).toBe(1);
    long.done();
    long.done();
    expect(repeats).toBe(0);
    expect(shown).toEqual([
      "about 4 min left of add.forward N=7",
      "about 3 min left of add.forward N=7",
      "20 s longer than expected: add.forward N=7",
      "add.forward",
    ]);
    expect(meanwhile(coming, 0)).toBe(shown[0]);
  });
});
