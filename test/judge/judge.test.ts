// The judge itself: it rejects and accepts what it must, and never passes numbers that it did not see.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../reference/candidate.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { campaign } from "../campaign.ts";
import { compareOutput, describeFinding as inWords } from "../../judge/compare.ts";
import { examine } from "../../judge/examiner.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { soundness } from "../../judge/soundness.ts";
import type { Outputs } from "../../reference/operation.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { cli } from "../command.ts";
import { candidate, mistaken } from "./candidates.ts";
import { float32, ieeeTerms, wgslTerms } from "../terms.ts";

const op = "swiglu.forward";
const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
const problem = spec.build({ R: 3, F: 5 }, "unit", 1);

async function findingsOf(tried: Candidate): Promise<readonly string[]> {
  return (await judgeProblem(operation, tried, problem, wgslTerms)).findings;
}

describe("one element against its bound", () => {
  const row = (...numbers: number[]): Tensor<Float64Array> => ({
    data: Float64Array.from(numbers),
    shape: [numbers.length],
  });
  const outside = (
    got: number,
    want: number,
    bound: number,
    target = targets.wgsl as typeof targets.wgsl | typeof targets.ieee,
  ) => compareOutput("y", row(got), { want: row(want), allowed: row(bound) }, float32(target)).outside;

  test("0.99 bounds off is inside, 1.01 is not, on either side", () => {
    for (const [want, bound] of [
      [1, 2 ** -20],
      [-3.5, 2 ** -10],
      [0, 2 ** -100],
    ]) {
      for (const side of [-1, 1]) {
        expect(outside(want + side * 0.99 * bound, want, bound)).toBe(0);
        expect(outside(want + side * 1.01 * bound, want, bound)).toBe(1);
      }
    }
  });

  test("NaN and infinities are outside every bound", () => {
    for (const got of [NaN, Infinity, -Infinity]) expect(outside(got, 1, 1e30)).toBe(1);
  });

  test("−0 is 0, and where no error is allowed nothing else is", () => {
    expect(outside(-0, 0, 0)).toBe(0);
    expect(outside(0, -0, 0)).toBe(0);
    expect(outside(2 ** -149, 0, 0)).toBe(1);
    expect(outside(NaN, 0, 0)).toBe(1);
  });

  test("an element without a bound is counted as unjudged, whatever its value", () => {
    const {
      unjudged,
      outside: out,
      power,
    } = compareOutput("y", row(NaN, 5), { want: row(1, 1), allowed: row(Infinity, NaN) }, wgslTerms);
    expect([unjudged, out, power.judged]).toEqual([2, 0, 0]);
  });

  test("a truth of NaN or infinity is required where the target promises it", () => {
    for (const want of [NaN, Infinity]) {
      expect(outside(1, want, 1, targets.ieee)).toBe(1);
      expect(outside(want, want, 1, targets.ieee)).toBe(0);
      expect(compareOutput("y", row(1), { want: row(want), allowed: row(1) }, wgslTerms).nonFinite).toBe(1);
    }
  });

  test("shapes must be equal", () => {
    expect(() => compareOutput("y", row(1, 2), { want: row(1), allowed: row(1) }, wgslTerms)).toThrow(
      "y has shape [2], expected [1]",
    );
  });
});

describe("rejected", () => {
  const outputs = (data: Float32Array, shape: readonly number[] = [3, 5]): Outputs => ({ y: { data, shape } });
  let last = new Float32Array(15);

  test.each<[string, Candidate]>([
    ["nothing is returned", candidate(() => ({}))],
    ["zeros", candidate(() => outputs(new Float32Array(15)))],
    ["the input", candidate(({ gate }) => ({ y: gate as Tensor }))],
    ["NaN throughout", mistaken(op, ({ y }) => y.data.fill(NaN))],
    ["one NaN", mistaken(op, ({ y }) => y.data.fill(NaN, 14))],
    ["one infinity", mistaken(op, ({ y }) => y.data.fill(Infinity, 14))],
    ["an element too few", candidate(() => outputs(new Float32Array(14), [14]))],
    ["numbers that do not fill the shape", candidate(() => outputs(new Float32Array(14)))],
    ["numbers beyond the end", candidate(() => outputs(new Float32Array(16)))],
    ["the shape turned round", mistaken(op, (all) => void (all.y = { data: all.y.data, shape: [5, 3] }))],
    ["the input changed", mistaken(op, (_, { gate }) => (gate.data[0] = 1))],
    [
      "an error thrown",
      candidate(() => {
        throw new Error("out of memory");
      }),
    ],
  ])("%s", async (_, tried) => {
    expect(await findingsOf(tried)).not.toEqual([]);
  });

  test("the result of the run before", async () => {
    const stale = candidate((inputs, scalars) => {
      const { y } = operation.evaluate(inputs, scalars, Float32Array);
      const before = last.length === y.data.length ? last : new Float32Array(y.data.length);
      last = y.data;
      return outputs(before, y.shape);
    });
    expect(await findingsOf(stale)).not.toEqual([]);
    const { failures } = await campaign({ operation, spec }, stale, wgslTerms, { runs: 20, seed: 1 });
    expect(failures).toHaveLength(1);
  });

  test("and the oracle itself is not", async () => {
    expect(await findingsOf(mistaken(op, () => undefined))).toEqual([]);
  });
});

describe("an examination", () => {
  const promises = { seed: 1, nondeterministic: false, bitwise: false };

  test("of a correct candidate finds nothing and counts what it compared", async () => {
    const linear = operations.get("linear.forward")!;
    const found = await examine(
      { operation: linear, spec: judgeRows.get(linear.name)! },
      mistaken(linear.name, () => undefined),
      ieeeTerms,
      promises,
    );
    expect([found.findings, found.notes]).toEqual([[], []]);
    expect(found.exactness!.exact).toBe(found.exactness!.elements);
    expect(found.exactness!.elements).toBeGreaterThan(1000);
    expect(found.precision.map((p) => p.class)).toEqual(["float32"]);
    expect(found.relations.every(({ state }) => state === "holds")).toBe(true);
  });

  test("of integers that are rounded finds it", async () => {
    const linear = operations.get("linear.forward")!;
    const off = mistaken(linear.name, ({ y }) => (y.data[0] *= 1 + 2 ** -22));
    const found = await examine({ operation: linear, spec: judgeRows.get(linear.name)! }, off, wgslTerms, promises);
    expect(found.exactness!.exact).toBeLessThan(found.exactness!.elements);
    expect(found.findings.some((line) => line.includes("profile=lattice"))).toBe(true);
  });

  test("of a candidate that fails in the middle ends there, with a finding", async () => {
    let runs = 0;
    const failing: Candidate = {
      name: "failing",
      run: async (inputs, scalars) => {
        if (runs++ === 5) throw new Error("device lost");
        return { outputs: operation.evaluate(inputs, scalars, Float32Array), complaints: [] };
      },
      keep: () => "a folder",
    };
    const found = await examine({ operation, spec }, failing, wgslTerms, promises);
    expect(found.findings).toEqual(["failing failed: device lost"]);
    expect(found.evidence).toBe("a folder");
    expect(found.hygiene).toBeUndefined();
  });

  test("in bfloat16 measures precision, too", async () => {
    const stored = mistaken(op, ({ y }) => y.data.forEach((x, i) => (y.data[i] = round(x, dtypes.bfloat16))));
    const found = await examine({ operation, spec }, stored, { target: targets.wgsl, dtype: "bfloat16" }, promises);
    expect(found.unmeasured).toBeUndefined();
    expect(found.precision.map((p) => p.class)).toEqual(found.precision.map(() => "float32"));
    expect(found.precision.length).toBeGreaterThan(0);
  });

  test("turns rounded relations into findings where bits are promised", async () => {
    const uneven = mistaken(op, ({ y }) => {
      const F = y.shape[1];
      for (let i = 0; i < y.data.length; i++) if (Math.floor(i / F) % 2 === 1) y.data[i] *= 1 + 2 ** -23;
    });
    const loose = await examine({ operation, spec }, uneven, wgslTerms, promises);
    expect(loose.findings).toEqual([]);
    expect(loose.relations.some(({ state }) => state === "rounded")).toBe(true);
    const strict = await examine({ operation, spec }, uneven, wgslTerms, { ...promises, bitwise: true });
    expect(strict.findings).toEqual([
      expect.stringContaining("another number of R: "),
      expect.stringContaining("another order of R: "),
    ]);
  });
});

describe("a check that saw nothing does not pass", () => {
  test("a zoo without evaluations", () => {
    expect(() => soundness({ operation, spec }, [], targets.wgsl, { elements: 1, seed: 1 })).toThrow(RangeError);
  });

  const touchstone = (...words: string[]) =>
    spawnSync(process.execPath, [cli, ...words], {
      encoding: "utf8",
      env: { ...process.env, VK_ICD_FILENAMES: "/nonexistent.json" },
    });

  test("no device, no case, and no op to judge a candidate by: exit status 2, one line", () => {
    for (const words of [
      ["check", "--op", "add", "--adapter", "gpu"],
      ["check", "--op", "add", "--runs", "0"],
      ["check", "--exec", "true"],
    ]) {
      const { status, stderr } = touchstone(...words);
      expect(status).toBe(2);
      expect(stderr.trim().split("\n").at(-1)).toMatch(/^touchstone: /);
    }
  });
});

test("a finding says how far off a number is, also where no error is allowed, and that NaN is not a number", () => {
  const want = { data: Float64Array.of(1), shape: [1] };
  const told = (got: number, allowed: number): string => {
    const result = { data: Float64Array.of(got), shape: [1] };
    return inWords(
      compareOutput("y", result, { want, allowed: { data: Float64Array.of(allowed), shape: [1] } }, ieeeTerms).at!,
    );
  };
  expect(told(1.5, 0.125)).toMatch(/^y\[0\]: got 1\.5, want 1, off by 4\.0 × the bound/);
  expect(told(1.5, 0)).toBe("y[0]: got 1.5, want 1, off by 0.50 where nothing is allowed");
  expect(told(NaN, 0)).toBe("y[0]: got NaN, want 1, not a number within any bound");
});
