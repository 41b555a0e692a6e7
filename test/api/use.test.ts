// The public face as its users meet it: what compiles, what runs, and what a failure says.
import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  type Candidate,
  cases,
  compare,
  fuse,
  judge,
  oracle,
  ops,
  reference,
  replay,
  targets,
  tensor,
  type Tensor,
} from "../../index.ts";
import { gate, kernel, offByAThousandth, problem, up } from "./problem.ts";

describe("types", () => {
  test("inputs, scalars and outputs are those of the op", () => {
    // @ts-expect-error a misspelt input
    expect(() => oracle({ op: "swiglu.forward", inputs: { gate, upp: up }, scalars: {} })).toThrow(TypeError);
    // @ts-expect-error an op that does not exist
    expect(() => oracle({ op: "swiglu.sideways", inputs: { gate, up }, scalars: {} })).toThrow(RangeError);
    // @ts-expect-error a scalar that is missing
    expect(() => ops["rmsnorm.forward"].reference({ x: gate, w: up }, {})).toThrow(RangeError);
    expectTypeOf(oracle(problem)).toHaveProperty("y");
    expectTypeOf(oracle(problem).y.truth).toEqualTypeOf<Tensor<Float64Array>>();
    expectTypeOf(kernel({ gate, up }, {}).y).toEqualTypeOf<Tensor<Float32Array>>();
    expectTypeOf(ops["rope.forward"].reference).parameter(1).toEqualTypeOf<{
      readonly layout: "adjacent" | "half-split";
    }>();
  });

  test("a fused op's inputs are any", () => {
    expectTypeOf(fuse("rmsnorm.forward", "linear.forward").inputs).toEqualTypeOf<Readonly<Record<string, string>>>();
  });
});

describe("oracle and compare", () => {
  test("the reference is within its bound, and a thousandth more is not", () => {
    expect(compare(problem, kernel({ gate, up }, {}))).toMatchObject({ passed: true, elements: 4, unjudged: 0 });
    const { passed, findings, outputs } = compare(problem, offByAThousandth({ gate, up }));
    expect(passed).toBe(false);
    expect(findings).toEqual([expect.stringMatching(/^y\[1,1\]: got 11\.44.*, want 11\.43.*, off by .* × the bound/)]);
    expect(outputs[0]?.at?.index).toEqual([1, 1]);
  });

  test("truth and bound decide as compare does", () => {
    const { y } = oracle(problem, { target: targets.wgsl });
    const outside = (t: Tensor): number =>
      t.data.filter((g, i) => !(Math.abs(g - y.truth.data[i]) <= y.bound.data[i])).length;
    expect(outside(kernel({ gate, up }, {}).y)).toBe(0);
    expect(outside(offByAThousandth({ gate, up }).y)).toBe(1);
  });

  test("a scalar that is no float32 number is rounded on every road", async () => {
    const x = tensor(new Float32Array(3), [1, 3]);
    const w = tensor(new Float32Array(3).fill(1), [3]);
    const rsqrt = ops["rmsnorm.forward"].reference({ x, w }, { eps: Math.fround(1e-5) });
    const given = { op: "rmsnorm.forward", inputs: { x, w }, scalars: { eps: 1e-5 } } as const;
    expect(compare(given, rsqrt).passed).toBe(true);
    expect(oracle(given).rstd.truth.data[0]).toBe(1 / Math.sqrt(Math.fround(1e-5)));
  });

  test("where the truth is infinite, a target that promises nothing leaves it unjudged", () => {
    const a = tensor(new Float32Array([3e38]), [1]);
    const sum = { op: "add.forward", inputs: { a, b: a }, scalars: {} } as const;
    expect(oracle(sum, { target: targets.wgsl }).y.bound.data[0]).toBe(Infinity);
    const infinite = {
      op: "add.forward",
      inputs: { a, b: tensor(Float32Array.of(Infinity), [1]) },
      scalars: {},
    } as const;
    const result = { y: tensor(Float32Array.of(1), [1]) };
    expect(compare(infinite, result, { target: targets.wgsl })).toMatchObject({
      passed: false,
      verdict: "inconclusive",
      reasons: ["add.forward y: none of 1 elements has a finite bound"],
      unjudged: 1,
    });
    expect(compare(infinite, result).passed).toBe(false);
  });

  test("on the lattice sums of products are exact", () => {
    const exact = replay("linear.forward R=3 C=5 O=2 profile=lattice seed=1", "linear.forward");
    const { y } = ops["linear.forward"].reference(exact.inputs, {});
    expect(compare(exact, { y }).passed).toBe(true);
    y.data[0] = Math.fround(y.data[0] * (1 + 2 ** -23));
    expect(compare(exact, { y }).passed).toBe(false);
    expect(compare({ ...exact, profile: "unit" }, { y }).passed).toBe(true);
  });
});

describe("judge", () => {
  test("passes the reference, and says what it measured", async () => {
    const result = await judge("swiglu.forward", kernel, { runs: 10 });
    expect(result).toMatchObject({ passed: true, findings: [], replays: [], repeatable: true });
    expect(result.precision.map((p) => p.class)).toEqual(["float32"]);
    expect(result.cases).toBeGreaterThan(10);
  });

  test("a candidate that cannot be closed is a finding, and keeps its verdict", async () => {
    const candidate: Candidate = {
      name: "mine",
      run: async (inputs) => ({ outputs: kernel(inputs as typeof problem.inputs, {}), complaints: [] }),
      close: () => Promise.reject(new Error("no such device")),
    };
    const { passed, findings, elements } = await judge("swiglu.forward", candidate, { runs: 5 });
    expect({ passed, findings }).toEqual({
      passed: false,
      findings: ["mine failed: no such device, when it was closed"],
    });
    expect(elements).toBeGreaterThan(0);
    const line = "swiglu.forward R=1 F=4 profile=unit seed=1";
    expect(await judge("swiglu.forward", candidate, { replay: line })).toMatchObject({
      verdict: "FAIL",
      passed: false,
      findings: ["mine failed: no such device, when it was closed"],
      elements: 4,
    });
  });

  test.each(["throws", "gives control characters"])("a candidate whose keep %s keeps its findings", async (what) => {
    const keep = (): string => {
      if (what === "throws") throw new Error("no room");
      return "\u001b[31mfolder";
    };
    const run: Candidate["run"] = async (inputs) => ({ outputs: { y: inputs.gate as never }, complaints: [] });
    for (const options of [{ runs: 5 }, { replay: "swiglu.forward R=1 F=4 profile=unit seed=1" }]) {
      const { findings } = await judge("swiglu.forward", { name: "mine", run, keep }, options);
      expect(findings[0]).toMatch(
        what === "throws" ? /× the bound [\d.e-]+$/ : /\(files kept in \\u001b\[31mfolder\)$/,
      );
    }
  });

  test("shrinks a failure to a line that shows it again, with a seed that stays", async () => {
    const [one, two] = [
      await judge("swiglu.forward", offByAThousandth, { runs: 10 }),
      await judge("swiglu.forward", offByAThousandth, { runs: 10 }),
    ];
    expect(one.passed).toBe(false);
    expect(one.findings).toEqual(two.findings);
    const [line] = one.replays;
    const again = replay(line!, "swiglu.forward");
    expect(compare(again, offByAThousandth(again.inputs)).passed).toBe(false);
    const result = await judge("swiglu.forward", offByAThousandth, { replay: line! });
    expect(result).toMatchObject({ passed: false, cases: 1, replays: [line] });
    expect(await judge("swiglu.forward", kernel, { replay: line! })).toMatchObject({ passed: true, cases: 1 });
  });

  test("tries one relation again", async () => {
    const relations = (await judge("swiglu.forward", kernel, { runs: 1 })).relations.map((relation) => relation.name);
    const result = await judge("swiglu.forward", kernel, {
      replay: `swiglu.forward R=3 F=5 profile=unit seed=1, ${relations[0]}`,
    });
    expect(result).toMatchObject({ passed: true, relations: [{ name: relations[0], state: "holds" }] });
  });

  test("what a candidate throws is a finding", async () => {
    const failing = (): never => {
      throw new Error("out of memory");
    };
    const { passed, findings } = await judge("swiglu.forward", failing, { runs: 3 });
    expect(passed).toBe(false);
    expect(findings[0]).toMatch(/: failing failed: out of memory$/);
    const replayed = await judge("swiglu.forward", failing, { replay: "swiglu.forward R=1 F=1 profile=unit seed=0" });
    expect(replayed.findings[0]).toMatch(/failing failed: out of memory/);
    for (const nothing of [() => undefined, () => null, () => ({ y: 5 }), () => ({})]) {
      expect((await judge("swiglu.forward", nothing as never, { runs: 1 })).passed).toBe(false);
    }
  });

  test.each<[string, () => unknown]>([
    ["nothing", () => Promise.reject(undefined)],
    ["null", () => Promise.reject(null)],
    ["a word", () => Promise.reject("no memory")],
    ["two lines", () => Promise.reject(new Error("no\n  memory"))],
    ["an error of another realm", () => Promise.reject({ message: "no memory" })],
  ])("a candidate may throw %s", async (_, failing) => {
    for (const options of [{ runs: 1 }, { replay: "swiglu.forward R=1 F=1 profile=unit seed=0" }]) {
      const { passed, findings } = await judge("swiglu.forward", failing as never, options);
      expect(passed).toBe(false);
      expect(findings[0]).toMatch(/ failed: (threw (undefined|null|no memory)|no memory)$/);
    }
  });

  test.each([null, {}, { outputs: null, complaints: [] }, { outputs: {} }, { outputs: { y: [1] }, complaints: [] }])(
    "a candidate may return %j",
    async (result) => {
      const { passed, findings } = await judge("swiglu.forward", { name: "mine", run: async () => result as never });
      expect(passed).toBe(false);
      expect(findings[0]).toMatch(/: mine failed: (run )?returned .*, expected \{ /);
    },
  );

  test("closes a candidate, tells it op and dtype, and takes the target that it names", async () => {
    const told: unknown[] = [];
    const candidate: Candidate = {
      name: "mine",
      run: () => Promise.reject(new Error("never run as it is")),
      target: targets["matrix-units"],
      under: (operation, dtype, signal) => {
        told.push(operation.name, dtype, signal);
        const run: Candidate["run"] = async (inputs, scalars) => {
          const outputs = operation.evaluate(inputs, scalars, Float32Array);
          for (const { data } of Object.values(outputs)) data.forEach((x, i) => (data[i] = x * (1 + 2 ** -22)));
          return { outputs, complaints: [] };
        };
        return { name: "mine", run, close: async () => void told.push("closed") };
      },
    };
    const { passed, findings } = await judge("linear.forward", candidate, {
      replay: "linear.forward R=1 C=2 O=1 profile=unit seed=1",
    });
    expect([passed, findings]).toEqual([true, []]);
    expect(told).toEqual(["linear.forward", "float32", undefined, "closed"]);
    const strict = { replay: "linear.forward R=1 C=2 O=1 profile=unit seed=1", target: targets.ieee };
    expect((await judge("linear.forward", candidate, strict)).passed).toBe(false);
  });

  test("rejects with the signal's reason", async () => {
    const stop = new AbortController();
    const slow = judge("swiglu.forward", kernel, {
      runs: 1000,
      signal: stop.signal,
      onCase: (count) => {
        if (count === 3) stop.abort(new Error("enough"));
      },
    });
    await expect(slow).rejects.toThrow("enough");
  });

  test("reports how far it has come", async () => {
    const shares: number[] = [];
    const { cases: count } = await judge("cast.forward", ops["cast.forward"].reference, {
      runs: 5,
      onCase: (_, share) => shares.push(share),
    });
    expect(shares).toHaveLength(count);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  test("judges a fused kernel by the composed bound", async () => {
    const fused = fuse("rmsnorm.forward", "linear.forward");
    expect((await judge(fused.name, fused.reference, { runs: 5 })).passed).toBe(true);
  });
});

describe("cases", () => {
  test("shrink to a small case and print as its replay line", () => {
    const property = fc.property(
      cases("swiglu.forward"),
      (given) => compare(given, offByAThousandth(given.inputs)).passed,
    );
    const details = fc.check(property, { seed: 1, numRuns: 50 });
    expect(details.failed).toBe(true);
    const [smallest] = details.counterexample!;
    expect(smallest.inputs.gate.shape[0]).toBe(1);
    expect(fc.stringify(smallest)).toBe(smallest.replay);
    expect(fc.defaultReportMessage(details)).toContain(`[${smallest.replay}]`);
    const { replay: line, ...again } = replay(smallest.replay!);
    expect({ ...again, replay: line }).toEqual(smallest);
  });

  test("of a fused op", () => {
    const { name } = fuse("rmsnorm.forward", "linear.forward");
    fc.assert(
      fc.property(
        cases(name),
        (given) =>
          compare(given, fuse("rmsnorm.forward", "linear.forward").reference(given.inputs, given.scalars)).passed,
      ),
      { seed: 1, numRuns: 5 },
    );
  });
});

describe("the reference", () => {
  test("an op by its module, and a training step of a model", () => {
    expect(reference.swiglu.forward(gate, up).y.data).toEqual(kernel({ gate, up }, {}).y.data);
    const config = { ...reference.presets.tiny, nLayers: 1 };
    const state = reference.training.initialState(reference.initialWeights(config, 1, Float32Array));
    const tokens = tensor(Int32Array.of(1, 2, 3, 4), [1, 4]);
    const { loss } = reference.training.differentiate(config, state.weights, { tokens, targets: tokens });
    expect(loss.data[0]).toBeGreaterThan(0);
  });
});
