// The time of a check, on a clock that only the candidate moves: what a budget bounds, what it leaves out, and where signals are heard.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exampleCases, formatCase } from "../../judge/case.ts";
import { largeCases } from "../../judge/large.ts";
import { check, type Checked } from "../../judge/check.ts";
import type { Word } from "../../judge/conclusion.ts";
import { choose } from "../../judge/choose.ts";
import { Deadline } from "../../judge/deadline.ts";
import { Examiner } from "../../judge/examiner.ts";
import { type Candidate, Interrupted } from "../../reference/candidate.ts";
import { startTimer } from "../../reference/timer.ts";
import { wgslTerms } from "../terms.ts";

const [cast] = choose(["cast.forward"]);
const promises = { seed: 1, nondeterministic: false, bitwise: false };
const SECOND = 1000;

/** Everything that a check of the op tries, as it is listed where nothing was tried. */
const everything = [
  ...exampleCases(cast.spec, 1).map(formatCase),
  cast.operation.name,
  ...largeCases(cast.spec, 1).map(formatCase),
  ...new Examiner(cast, timed(() => 0).candidate, wgslTerms, promises, new Deadline()).parts.map(({ line }) => line),
].toSorted();

/** A right kernel, and a clock that its n-th run moves by `duration(n)` milliseconds. */
function timed(duration: (n: number) => number, during: (n: number) => unknown = () => {}) {
  const clock = { at: 0, runs: 0 };
  const candidate: Candidate = {
    name: "timed",
    run: async (inputs, scalars) => {
      clock.at += duration(++clock.runs);
      await during(clock.runs);
      return { outputs: cast.operation.evaluate(inputs, scalars, Float32Array), complaints: [] };
    },
  };
  return { clock, candidate, now: () => clock.at };
}

async function judged(
  candidate: Candidate,
  deadline: Deadline,
  timeout?: number,
): Promise<Checked & { verdict: Word }> {
  const plan = {
    runs: 10,
    seed: 1,
    deadline,
    ...(timeout === undefined ? {} : { timeout }),
  };
  const checked = await check(cast, candidate, wgslTerms, plan);
  return { ...checked, verdict: checked.conclusion.verdict };
}

const linesOf = (untried: Checked["untried"]): string[] => untried.map(({ line }) => line).toSorted();
const never = (): Promise<void> => new Promise(() => {});

describe("a deadline", () => {
  test("is shared: who ends early leaves the time to the next", () => {
    const clock = { at: 0 };
    const deadline = new Deadline({ seconds: 12, now: () => clock.at });
    const first = deadline.share(3);
    expect(first.left).toBe(4 * SECOND);
    clock.at = SECOND;
    expect(first.left).toBe(3 * SECOND);
    expect(deadline.share(2).left).toBe(5.5 * SECOND);
    clock.at = 11 * SECOND;
    expect(first.left).toBe(0);
    expect(deadline.share(1).left).toBe(SECOND);
    expect(deadline.spent).toBe(11 / 12);
    expect(() => first.check()).toThrow(expect.objectContaining({ name: "OutOfTime" }));
    expect(() => deadline.check()).not.toThrow();
  });

  test("without a budget has no end, and a signal ends it all the same", async () => {
    const stop = new AbortController();
    const deadline = new Deadline({ signal: stop.signal, now: () => 1e300 }).share(3);
    await deadline.pause();
    expect([deadline.isLimited, deadline.left, deadline.spent]).toEqual([false, Infinity, 0]);
    stop.abort();
    await expect(deadline.pause()).rejects.toBeInstanceOf(Interrupted);
  });
});

describe("a budget", () => {
  test("bounds all the time over all ops, and is overrun by one case at most, whatever the candidate does", async () => {
    const runs = fc.record({
      timeout: fc.integer({ min: 1, max: 20_000 }),
      /** The budget in timeouts. */
      budget: fc.double({ min: 0.01, max: 15, noNaN: true }),
      /** The time of each run in timeouts. */
      durations: fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }),
      fault: fc.constantFrom("none", "throws", "wrong"),
      from: fc.integer({ min: 1, max: 60 }),
      ops: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(runs, async ({ timeout, budget, durations, fault, from, ops }) => {
        const { clock, candidate, now } = timed((n) => durations[n % durations.length] * timeout);
        const faulty: Candidate = {
          name: "faulty",
          run: async (inputs, scalars) => {
            const result = await candidate.run(inputs, scalars);
            if (clock.runs < from || fault === "none") return result;
            if (fault === "throws") throw new Error("a fault");
            return { ...result, complaints: ["a fault"] };
          },
        };
        const deadline = new Deadline({ seconds: (budget * timeout) / SECOND, now });
        for (let i = 0; i < ops; i++) {
          const begun = clock.runs;
          const hadTime = deadline.left > 0;
          const { report, untried } = await judged(faulty, deadline.share(ops - i));
          expect(clock.runs > begun).toBe(hadTime);
          if (!hadTime) expect(linesOf(untried)).toEqual(everything);
          if (report.cases === 0) expect(hadTime).toBe(false);
        }
        expect(clock.at).toBeLessThanOrEqual((budget + 1) * timeout);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test("does not end the case in hand: the first may take longer than all of it", async () => {
    const { clock, candidate, now } = timed(() => 20 * SECOND);
    const { report, untried, verdict } = await judged(candidate, new Deadline({ seconds: 2, now }), 30 * SECOND);
    expect([verdict, report.cases, clock.runs]).toEqual(["pass", 1, 1]);
    expect(report.elements).toBeGreaterThan(0);
    expect(untried).toHaveLength(everything.length - 1);
  });

  test.for([1, 8, 12, 30])("does not hide that run %i never ends", async (hanging) => {
    const { clock, candidate, now } = timed(
      (n) => (n < hanging ? 10 : 2 * SECOND),
      (n) => (n === hanging ? never() : undefined),
    );
    const { report, examination, verdict } = await judged(candidate, new Deadline({ seconds: 1, now }), 20);
    const findings = [...report.failures.map(({ message }) => message), ...(examination?.findings ?? [])];
    expect(findings.map((line) => line.replace(/^.*: (?=timed)/, ""))).toEqual([
      "timed failed: did not answer within 0.02 s",
    ]);
    expect([verdict, clock.runs]).toEqual(["FAIL", hanging]);
  });

  test("goes on shrinking while there is time, and names the smallest failure so far", async () => {
    const wrong = (seconds: number) => {
      const { candidate, now } = timed(() => SECOND);
      const run: Candidate["run"] = async (inputs, scalars) => {
        const result = await candidate.run(inputs, scalars);
        return { ...result, complaints: result.outputs.y.data.length > 5 ? ["more than 5"] : [] };
      };
      return judged({ name: "wrong", run }, new Deadline({ seconds, now }));
    };
    const sizes = ({ report }: Checked): number => Number(/N=(\d+)/.exec(report.failures[0].replay)![1]);
    const [short, long] = [await wrong(6), await wrong(600)];
    expect(sizes(long)).toBe(6);
    expect(sizes(short)).toBeGreaterThan(6);
    expect(short.untried).toContainEqual({
      part: "shrinking",
      line: expect.stringContaining("cast.forward") as string,
    });
    expect(long.untried.map(({ part }) => part)).not.toContain("shrinking");
  });

  test("tries relations, precision and large cases among the first cases, and then draws until it is spent", async () => {
    const { candidate, now } = timed(() => 10);
    const { report, examination, untried } = await judged(candidate, new Deadline({ seconds: 2, now }));
    expect(untried).toEqual([]);
    expect(report.cases).toBeGreaterThan(100);
    expect(examination?.precision).toHaveLength(1);
    const short = timed(() => 10);
    const some = await judged(short.candidate, new Deadline({ seconds: 0.16, now: short.now }));
    expect(some.examination?.relations.length).toBeGreaterThan(0);
    expect(some.examination).toMatchObject({ precision: [], unmeasured: "not tried" });
    expect(new Set(some.untried.map(({ part }) => part))).toContain("large case");
  });
});

describe("a signal or the end of the time, whatever runs", () => {
  const all = timed(() => 0);
  const whole = judged(all.candidate, new Deadline({ now: all.now }));

  test("without either, everything is tried in one order", async () => {
    const { untried, verdict, report } = await whole;
    expect([untried, verdict]).toEqual([[], "pass"]);
    expect(report.cases).toBe(exampleCases(cast.spec, 1).length + largeCases(cast.spec, 1, 10).length + 10);
  });

  test("no run begins after a signal, and what was not tried is listed", async () => {
    await whole;
    for (let last = 1; last <= all.clock.runs; last++) {
      const stop = new AbortController();
      const { clock, candidate, now } = timed(
        () => 0,
        (n) => n === last && stop.abort(),
      );
      const { untried, verdict } = await judged(candidate, new Deadline({ signal: stop.signal, now }));
      expect([last, clock.runs, verdict]).toEqual([last, last, "inconclusive"]);
      if (last < all.clock.runs) expect(untried).not.toEqual([]);
    }
  });

  test("what was found before it is a FAIL", async () => {
    const { report } = await whole;
    const empty = exampleCases(cast.spec, 1).filter(({ sizes }) => Object.values(sizes).includes(0)); // tried after all else
    for (let bad = 1; bad <= report.cases - empty.length; bad++) {
      const stop = new AbortController();
      const { candidate, now } = timed(
        () => 0,
        (n) => n > bad && stop.abort(),
      );
      const run: Candidate["run"] = async (inputs, scalars) => {
        const result = await candidate.run(inputs, scalars);
        return { ...result, complaints: ["a fault"].slice(0, ++runs === bad ? 1 : 0) };
      };
      let runs = 0;
      const { verdict, isInterrupted } = await judged({ name: "bad", run }, new Deadline({ signal: stop.signal, now }));
      expect([bad, verdict, isInterrupted]).toEqual([bad, "FAIL", true]);
    }
  });

  test("no run begins after the end of the time", async () => {
    await whole;
    for (let last = 1; last <= all.clock.runs; last++) {
      const { clock, candidate, now } = timed((n) => (n === last ? 10 * SECOND : 0));
      const { report, verdict } = await judged(candidate, new Deadline({ seconds: 5, now }));
      expect([last, clock.runs, verdict, report.cases > 0]).toEqual([last, last, "pass", true]);
    }
  });

  test("a case that waits is left at once, and is no finding", async () => {
    const stop = new AbortController();
    const { candidate, now } = timed(
      () => 0,
      (n) => {
        if (n < 3) return undefined;
        setTimeout(() => stop.abort());
        return never();
      },
    );
    const { report, verdict } = await judged(candidate, new Deadline({ signal: stop.signal, now }));
    expect([report.cases, verdict]).toEqual([2, "inconclusive"]);
  });

  test("where all computes without a pause, signals are heard all the same", async () => {
    const stop = new AbortController();
    const { candidate, clock } = timed(() => 0);
    setTimeout(() => stop.abort());
    const { untried } = await check(cast, candidate, wgslTerms, {
      runs: 20_000,
      seed: 1,
      deadline: new Deadline({ signal: stop.signal }),
    });
    expect(clock.runs).toBeLessThan(20_000);
    expect(untried.map(({ part }) => part)).toContain("relation");
  });
});

describe("a timer", () => {
  test.for([2 ** 31, 1e300, Infinity])("of %d ms does not fire at once", async (milliseconds) => {
    let fired = 0;
    const stop = startTimer(milliseconds, () => fired++);
    await new Promise((resolve) => void setTimeout(resolve, 20));
    stop();
    expect(fired).toBe(0);
  });

  test("of a case is gone with its answer", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const { candidate, now } = timed(() => 0);
    const { verdict } = await judged(candidate, new Deadline({ now }), 60 * SECOND);
    expect([verdict, timers()]).toEqual(["pass", before]);
  });
});
