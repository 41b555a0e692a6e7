// A check with workers says what it says without them, whatever the candidate does; and what becomes of it when a worker ends.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../../formats/safetensors.ts";
import { buildCase, type Report } from "../../judge/campaign.ts";
import { CaseFiles } from "../../judge/candidates/case-files.ts";
import { parseCase } from "../../judge/case.ts";
import { check } from "../../judge/check.ts";
import { type Chosen, choose } from "../../judge/choose.ts";
import { Deadline } from "../../judge/deadline.ts";
import { Ahead } from "../../judge/jobs/ahead.ts";
import { openWorkers } from "../../judge/jobs/pool.ts";
import { WorkerEnded, type CaseWorkers, type Threads } from "../../judge/jobs/workers.ts";
import { campaign } from "../campaign.ts";
import { realInputs } from "../../judge/real.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import type { Terms } from "../../judge/terms.ts";
import { isOfSizes } from "../../judge/untried.ts";
import type { Answered, Candidate } from "../../reference/candidate.ts";
import type { Inputs, Operation } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import { cli } from "../command.ts";
import { wgslTerms } from "../terms.ts";

const script = pathToFileURL(join(dirname(cli), "../judge/jobs/worker.js"));
const workers = openWorkers(3, { script });
const folder = mkdtempSync(join(tmpdir(), "touchstone-jobs-"));
afterAll(async () => {
  await workers.close();
  rmSync(folder, { recursive: true, force: true });
});

const plan = { runs: 12, seed: 1, real: realInputs };

type Fault = (n: number, inputs: Inputs) => "wrong" | "throws" | "complains" | "right";

/** The oracle, with a fault at some of its calls; it counts them. */
function faulty({ name, evaluate }: Operation, fault: Fault): Candidate & { calls: number; kept: unknown[] } {
  const candidate = {
    name,
    calls: 0,
    kept: [] as unknown[],
    run: async (inputs: Inputs, scalars: never) => {
      const what = fault(++candidate.calls, inputs);
      if (what === "throws") throw new Error("has no such size");
      const outputs = evaluate(inputs, scalars, Float32Array);
      const [{ data }] = Object.values(outputs);
      if (what === "wrong") data[data.length - 1] += 1 + Math.abs(data[data.length - 1]);
      return { outputs, complaints: what === "complains" ? ["a guard was overwritten"] : [] };
    },
    keep: (earlier?: Answered) => {
      candidate.kept.push(earlier);
      return "a folder";
    },
  };
  return candidate as never;
}

/** All that a search says but the time that it took. */
function told(report: Report): Report {
  return { ...report, ms: 0 };
}

const longest = (inputs: Inputs): number => Math.max(...Object.values(inputs).flatMap(({ shape }) => shape));
const isLong: Fault = (_, inputs) => (longest(inputs) > 300 ? "wrong" : "right");

describe("a search with workers and one without say the same", () => {
  const cases: readonly [what: string, op: string, fault: Fault, terms?: Terms, sizes?: string][] = [
    ["a right kernel", "rmsnorm.forward", () => "right"],
    ["a right kernel in bfloat16", "rmsnorm.backward", () => "right", { ...wgslTerms, dtype: "bfloat16" }],
    ["a right fused kernel", "rmsnorm.forward+linear.forward", () => "right"],
    ["a right kernel of some sizes", "swiglu.forward", () => "right", wgslTerms, "F%8=0 R<=64"],
    ["a kernel that is wrong from a length on", "linear.forward", isLong],
    ["one that throws there", "rmsnorm.forward", (_, inputs) => (longest(inputs) > 40 ? "throws" : "right")],
    ["one that complains there", "add.forward", (_, inputs) => (longest(inputs) > 40 ? "complains" : "right")],
    ["one that is always wrong", "embedding.forward", () => "wrong"],
    [
      "one with declared stores",
      "swiglu.forward",
      () => "right",
      {
        target: { ...targets.ieee, stores: { gate: "tf32" } },
        dtype: "float32",
      },
    ],
  ];
  test.each(cases)("%s: %s", async (_, op, fault, terms = wgslTerms, sizes = "") => {
    const [chosen] = sizes === "" ? choose([op]) : chosenWithin(choose([op]), sizes);
    const [alone, shared] = [faulty(chosen.operation, fault), faulty(chosen.operation, fault)];
    const one = await campaign(chosen, alone, terms, plan);
    const three = await campaign(chosen, shared, terms, { ...plan, workers });
    expect(told(three)).toEqual(told(one));
    expect(one.cases).toBeGreaterThan(0);
    // What was drawn ahead is what was tried: no case came in vain but those after a failure.
    const inVain = shared.calls - alone.calls;
    expect(inVain).toBeGreaterThanOrEqual(0);
    expect(inVain).toBeLessThanOrEqual(one.failures.length === 0 ? 0 : 4);
  });
});

describe("cases of a model's shapes", () => {
  /** A shape as a model's is: it comes last, after a smaller one. */
  const shapes = [{ N: 1500 }, { N: 3000 }];
  function ofModel(): Chosen {
    const [chosen] = choose(["cast.forward"]);
    const [first, last] = shapes.map((sizes) => ({ sizes, reduced: [], work: sizes.N, bytes: 4 * sizes.N }));
    return { ...chosen, spec: { ...chosen.spec, always: shapes }, model: [first, { ...last, after: first.sizes }] };
  }
  const lengths =
    (calls: number[]): Fault =>
    (_, { x }) => (calls.push(x.shape[0]), "right");

  test("say the same with workers, and run in their turn", async () => {
    const chosen = ofModel();
    const [one, three]: number[][] = [[], []];
    const [alone, shared] = [faulty(chosen.operation, lengths(one)), faulty(chosen.operation, lengths(three))];
    const without = await campaign(chosen, alone, wgslTerms, plan);
    expect(told(await campaign(chosen, shared, wgslTerms, { ...plan, workers }))).toEqual(told(without));
    expect(three.toSorted()).toEqual(one.toSorted());
    expect(one).toContain(3000); // the smaller one showed that it is fast enough
  });

  test("of which none was tried leave a run inconclusive", async () => {
    const chosen = ofModel();
    const small = { ...faulty(chosen.operation, () => "right"), mostBytes: 4 * 1499 };
    const { conclusion, untried } = await check(chosen, small, wgslTerms, { ...plan, runs: 1 });
    expect(untried.filter((one) => shapes.some((sizes) => isOfSizes(one, sizes)))).toHaveLength(2);
    expect(conclusion).toEqual({
      verdict: "inconclusive",
      reasons: ["cast.forward: no case of the model's shapes was tried"],
    });
    const larger = { ...small, mostBytes: 4 * 1500 };
    expect((await check(chosen, larger, wgslTerms, { ...plan, runs: 1 })).conclusion.verdict).toBe("pass");
  });

  test("that a thread still makes when a signal comes are left, and the run says so at once", async () => {
    const chosen = ofModel();
    const stop = new AbortController();
    // The threads never end what they begin; the signal comes while they are at it.
    const endless: Threads = {
      jobs: 2,
      build: () => (queueMicrotask(() => stop.abort()), new Promise(() => {})),
      judge: () => new Promise(() => {}),
    };
    const busy: CaseWorkers = {
      jobs: 2,
      ahead: (hands, coming) => new Ahead(endless, hands, coming),
      close: async () => {},
    };
    const deadline = new Deadline({ signal: stop.signal });
    const { conclusion, untried } = await check(
      { ...chosen, spec: { ...chosen.spec, examples: [] } },
      faulty(chosen.operation, () => "right"),
      wgslTerms,
      { ...plan, runs: 1, deadline, workers: busy },
    );
    expect(conclusion.verdict).toBe("inconclusive");
    expect(conclusion.reasons).toContain("cast.forward: no case of the model's shapes was tried");
    expect(untried.some((one) => isOfSizes(one, shapes[0]))).toBe(true);
  });
});

test("a failure that does not come back keeps the numbers of its own case, though others have run since", async () => {
  const [chosen] = choose(["add.forward"]);
  const candidate = faulty(chosen.operation, (n) => (n === 9 ? "wrong" : "right"));
  const report = await campaign(chosen, candidate, wgslTerms, { ...plan, workers });
  const [{ message, replay, evidence }] = report.failures;
  expect(message).toContain("not deterministic");
  expect(evidence).toBe("a folder");
  const { inputs } = buildCase(chosen.spec, parseCase(replay));
  expect((candidate.kept[0] as Answered).inputs).toEqual(inputs);
});

test("files of an earlier case are written again from its numbers, and those of the last one are not kept", () => {
  const [{ operation, spec }] = choose(["add.forward"]);
  const { inputs } = spec.build({ N: 3 }, "unit", 1);
  const outputs = operation.evaluate(inputs, {}, Float32Array);
  const files = new CaseFiles(operation, "float32", join(folder, "evidence"));
  files.write(7, spec.build({ N: 5 }, "unit", 2).inputs);
  const kept = files.keep({ inputs, outputs })!;
  files.remove();
  expect(readdirSync(kept).toSorted()).toEqual(["earlier.in.safetensors", "earlier.out.safetensors"]);
  const read = (part: string) => Object.fromEntries(readSafetensors(join(kept, `earlier.${part}.safetensors`)).tensors);
  expect([read("in"), read("out")]).toEqual([inputs, outputs]);
});

test("a signal ends it with what was judged so far, and the workers serve the next check", async () => {
  const [chosen] = choose(["add.forward"]);
  const stop = new AbortController();
  const candidate = faulty(chosen.operation, (n) => {
    if (n === 12) stop.abort();
    return "right";
  });
  const deadline = new Deadline({ signal: stop.signal });
  const { report, isInterrupted, conclusion } = await check(chosen, candidate, wgslTerms, {
    ...plan,
    deadline,
    workers,
  });
  expect([isInterrupted, conclusion.verdict]).toEqual([true, "inconclusive"]);
  expect(report.cases).toBeLessThan(12);
  expect(candidate.calls).toBe(12);
  const next = await check(
    chosen,
    faulty(chosen.operation, () => "right"),
    wgslTerms,
    { ...plan, workers },
  );
  expect(next.conclusion.verdict).toBe("pass");
});

test("a budget that is spent leaves the rest untried", async () => {
  const [chosen] = choose(["add.forward"]);
  const clock = { at: 0 };
  const candidate = faulty(chosen.operation, () => {
    clock.at += 100;
    return "right";
  });
  const deadline = new Deadline({ seconds: 2, now: () => clock.at });
  const { report, untried } = await check(chosen, candidate, wgslTerms, { ...plan, deadline, workers });
  expect(candidate.calls).toBe(20);
  expect(report.cases).toBeGreaterThan(5);
  expect(untried.length).toBeGreaterThan(0);
});

describe("a worker that ends is a fault of the judge", () => {
  /** Workers that do what the text says from the n-th verdict on. */
  function ending(text: string, n: number): CaseWorkers {
    const path = join(folder, `${n} ${text.length}.mjs`);
    writeFileSync(
      path,
      `import * as real from ${JSON.stringify(script.href)};
      let verdicts = 0;
      export const build = real.build;
      export const judge = (task) => {
        if (++verdicts < ${n}) return real.judge(task);
        ${text}
        return new Promise(() => {});
      };`,
    );
    return openWorkers(2, { script: pathToFileURL(path), heap: 32 });
  }
  const [chosen] = choose(["add.forward"]);
  const right = (): Candidate => faulty(chosen.operation, () => "right");

  test.each([
    ["throws in a timer", `setTimeout(() => { throw new Error("gone"); });`, /gone/],
    ["exits", "process.exit(3);", /status 3/],
    [
      "runs out of memory",
      "const lists = []; for (;;) lists.push(Array.from({ length: 1e4 }, (_, i) => ({ i })));",
      /memory/,
    ],
  ])("that %s", { timeout: 120_000 }, async (_, text, why) => {
    const some = ending(text, 8);
    try {
      const { report, stopped, conclusion } = await check(chosen, right(), wgslTerms, { ...plan, workers: some });
      expect(stopped).toBeInstanceOf(WorkerEnded);
      expect(stopped!.message).toMatch(why);
      expect(report.cases).toBe(7);
      expect(report.failures).toEqual([]);
      expect(conclusion.verdict).toBe("inconclusive");
    } finally {
      await some.close();
    }
  });

  test("before any verdict: it is thrown", async () => {
    const none = ending("process.exit(4);", 1);
    try {
      await expect(check(chosen, right(), wgslTerms, { ...plan, workers: none })).rejects.toBeInstanceOf(WorkerEnded);
    } finally {
      await none.close();
    }
  });

  test("that cannot be loaded: it is thrown", async () => {
    const none = openWorkers(2, { script: pathToFileURL(join(folder, "no-such.mjs")) });
    try {
      await expect(check(chosen, right(), wgslTerms, { ...plan, workers: none })).rejects.toBeInstanceOf(WorkerEnded);
    } finally {
      await none.close();
    }
  });
});
