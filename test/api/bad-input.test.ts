// Bad input to the public functions: TypeError or RangeError in one line that says what, where and what was expected, never an
// error of the engine's own, and never an answer.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as api from "../../index.ts";
import { blame, processCandidate, recordSteps, verifyFixture, writeFixture } from "../../node.ts";
import { matchers } from "../../vitest.ts";
import { candidateOf, defineKernel } from "../../webgpu.ts";

const { tensor, ops } = api;
const gate = tensor(new Float32Array(6), [2, 3]);
const gain = tensor(new Float32Array(3), [3]);
const good = { op: "swiglu.forward", inputs: { gate, up: gate }, scalars: {} };
const altered = (changes: object): never => ({ ...good, ...changes }) as never;
const inputs = (changes: object): never => altered({ inputs: { ...good.inputs, ...changes } });

describe("a problem", () => {
  test.each<[unknown, RegExp]>([
    [null, /^problem: got null, expected \{ op, inputs, scalars \}$/],
    [[], /^problem: got an array of 0, expected/],
    [{ ...good, seed: 1 }, /^problem\.seed is unknown, expected op, inputs, scalars, profile, replay$/],
    [altered({ op: 7 }), /^problem\.op: got 7, expected the name of an op/],
    [altered({ op: "swiglu" }), /^problem\.op: got "swiglu", expected one of embedding\.forward, /],
    [altered({ op: "swiglu.forward+nothing" }), /"nothing" is not an op/],
    [altered({ op: "constructor" }), /^problem\.op: got "constructor", expected one of/],
    [altered({ inputs: null }), /^inputs: got null, expected the inputs of swiglu\.forward: gate, up$/],
    [altered({ inputs: { gate } }), /^inputs\.up: got undefined, expected a tensor \{ data: Float32Array, shape \}$/],
    [inputs({ x: gate }), /^inputs\.x is unknown, expected gate, up$/],
    [
      inputs({ up: { data: new Float64Array(6), shape: [2, 3] } }),
      /^inputs\.up\.data: got a Float64Array, expected Float32Array$/,
    ],
    [inputs({ up: { data: [1, 2], shape: [2] } }), /^inputs\.up\.data: got an array of 2, expected Float32Array$/],
    [
      inputs({ up: { data: new Float32Array(6), shape: 6 } }),
      /^inputs\.up\.shape: got 6, expected an array of lengths$/,
    ],
    [
      inputs({ up: { data: new Float32Array(6), shape: [NaN, 3] } }),
      /^inputs\.up\.shape\[0\]: got NaN, expected a whole number/,
    ],
    [
      inputs({ up: { data: new Float32Array(6), shape: [-2, -3] } }),
      /^inputs\.up\.shape\[0\]: got -2, expected a whole number/,
    ],
    [
      inputs({ up: { data: new Float32Array(6), shape: ["2", 3] } }),
      /^inputs\.up\.shape\[0\]: got "2", expected a whole number/,
    ],
    [
      inputs({ up: { data: new Float32Array(5), shape: [2, 3] } }),
      /^inputs\.up: 5 numbers, expected the 6 that shape \[2,3\] holds$/,
    ],
    [
      inputs({ up: tensor(new Float32Array(6), [3, 2]) }),
      /^inputs\.up has shape \[3,2\], expected \[R,F\] with R=2 as in inputs\.gate$/,
    ],
    [inputs({ up: tensor(new Float32Array(6), [6]) }), /^inputs\.up has shape \[6\], expected \[R,F\]$/],
    [altered({ scalars: undefined }), /^scalars: got undefined, expected the scalars of swiglu\.forward: none, \{\}$/],
    [altered({ scalars: { eps: 1 } }), /^scalars\.eps is unknown, expected no field$/],
    [altered({ profile: "nice" }), /^problem\.profile: got "nice", expected one of unit, /],
  ])("%#", (problem, message) => {
    expect(() => api.oracle(problem as never)).toThrow(message);
    expect(() => api.compare(problem as never, {} as never)).toThrow(message);
    expect(() => matchers.toBeWithinBound({} as never, problem as never)).toThrow(message);
    expect(() => writeFixture("/nonexistent/x", problem as never)).toThrow(message);
  });

  test.each<[api.OpName, object, object, RegExp]>([
    [
      "rmsnorm.forward",
      { x: gate, w: tensor(new Float32Array(3), [3]) },
      { eps: "1" },
      /^scalars\.eps: got "1", expected a number$/,
    ],
    ["rmsnorm.forward", { x: gate, w: gain }, { eps: NaN }, /^scalars\.eps: got NaN, expected a number that is finite/],
    [
      "rmsnorm.forward",
      { x: gate, w: gain },
      { eps: 1e300 },
      /^scalars\.eps: got 1e\+300, expected a number that is finite/,
    ],
    [
      "rope-table.forward",
      {},
      { theta: 1e4, HS: NaN, start: 0, T: 2 },
      /^scalars\.HS: got NaN, expected a whole number from 0/,
    ],
    [
      "rope-table.forward",
      {},
      { theta: 1e4, HS: 4, start: 0.5, T: 2 },
      /^scalars\.start: got 0\.5, expected a whole number/,
    ],
    [
      "embedding.forward",
      { tokens: gate, w: gate },
      {},
      /^inputs\.tokens\.data: got a Float32Array, expected Int32Array$/,
    ],
    ["embedding.forward", { tokens: tensor(Int32Array.of(9), [1]), w: gate }, {}, /9/],
  ])("of %s, %#", (op, given, scalars, message) => {
    expect(() => api.oracle({ op, inputs: given, scalars } as never)).toThrow(message);
    expect(() => ops[op].reference(given as never, scalars as never)).toThrow(message);
  });

  test("a word that the op does not offer", () => {
    const x = tensor(new Float32Array(2), [1, 1, 1, 2]);
    const angle = tensor(new Float32Array(1), [1, 1]);
    const rope = { op: "rope.forward", inputs: { x, cos: angle, sin: angle }, scalars: { layout: "sideways" } };
    expect(() => api.oracle(rope as never)).toThrow(
      /^scalars\.layout: got "sideways", expected "adjacent" or "half-split"$/,
    );
    const odd = { ...rope, inputs: { x, cos: tensor(new Float32Array(3), [1, 3]), sin: angle } };
    expect(() => api.oracle({ ...odd, scalars: { layout: "adjacent" } } as never)).toThrow(
      /^inputs\.cos has shape \[1,3\], expected \[T,HS\/2\] with HS=2 as in inputs\.x$/,
    );
  });
});

describe("terms", () => {
  test.each<[unknown, RegExp]>([
    [null, /^terms: got null, expected an object of target, dtype, stores, sums, outputs, allowUnjudged$/],
    [{ tolerance: 1e-4 }, /^terms\.tolerance is unknown, expected target, dtype, stores, sums, outputs, allowUn/],
    [{ target: "cuda" }, /^terms\.target: got "cuda", expected one of `targets`/],
    [{ target: {} }, /^terms\.target: got an Object, expected one of `targets`/],
    [{ dtype: "float64" }, /^terms\.dtype: got "float64", expected one of float32, bfloat16, float16$/],
    [
      { stores: { P: "bfloat16" } },
      /^terms\.stores: "P" is not an intermediate or input of these ops, expected one of silu, gate, up$/,
    ],
    [{ stores: { silu: "int8" } }, /^terms\.stores\.silu: got "int8", expected one of/],
    [{ stores: "silu" }, /^terms\.stores: got "silu", expected an object/],
    [{ allowUnjudged: 1.5 }, /^terms\.allowUnjudged: got 1\.5, expected a number from 0 to 1$/],
  ])("%#", (terms, message) => {
    expect(() => api.oracle(good as never, terms as never)).toThrow(message);
    expect(() => api.compare(good as never, { y: gate } as never, terms as never)).toThrow(message);
  });
});

describe("outputs", () => {
  test.each<[unknown, RegExp]>([
    [undefined, /^outputs: got undefined, expected the outputs of swiglu\.forward: y$/],
    [{ y: 5 }, /^outputs\.y: got 5, expected a tensor/],
    [
      { y: { data: new Int32Array(6), shape: [2, 3] } },
      /^outputs\.y\.data: got an Int32Array, expected Float32Array or Float64Array$/,
    ],
    [{ y: { data: new Float32Array(5), shape: [2, 3] } }, /^outputs\.y: 5 numbers, expected the 6/],
  ])("%#", (outputs, message) => {
    expect(() => api.compare(good as never, outputs as never)).toThrow(message);
  });

  test("that are missing or misshapen are findings", () => {
    expect(api.compare(good as never, {} as never).findings).toEqual(["output y is missing"]);
    const misshapen = { y: tensor(new Float32Array(6), [3, 2]) };
    expect(api.compare(good as never, misshapen as never).findings).toEqual([
      "output y has shape [3,2], expected [2,3]",
    ]);
  });
});

describe("judge", () => {
  const kernel = ops["swiglu.forward"].reference;
  test.each<[unknown, unknown, unknown, RegExp]>([
    ["swiglu", kernel, {}, /^op: got "swiglu", expected one of/],
    [undefined, kernel, {}, /^op: got undefined, expected the name of an op/],
    ["swiglu.forward", undefined, {}, /^candidate: got undefined, expected a function or \{ name, run \}$/],
    ["swiglu.forward", { run: 1 }, {}, /^candidate: got an Object, expected a function/],
    ["swiglu.forward", kernel, null, /^options: got null, expected an object$/],
    [
      "swiglu.forward",
      kernel,
      { tolerance: 1 },
      /^options\.tolerance is unknown, expected target, dtype, stores, sums, outputs, allowUnjudged, runs/,
    ],
    ["swiglu.forward", kernel, { runs: NaN }, /^options\.runs: got NaN, expected a whole number from 1 to 1000000$/],
    ["swiglu.forward", kernel, { runs: "5" }, /^options\.runs: got "5", expected a whole number$/],
    ["swiglu.forward", kernel, { seed: -1 }, /^options\.seed: got -1, expected a whole number from 0 to 2147483647$/],
    ["swiglu.forward", kernel, { seconds: 0 }, /^options\.seconds: got 0, expected a positive number$/],
    ["swiglu.forward", kernel, { seconds: "1" }, /^options\.seconds: got "1", expected a number$/],
    ["swiglu.forward", kernel, { bitwise: 1 }, /^options\.bitwise: got 1, expected a boolean$/],
    ["swiglu.forward", kernel, { signal: {} }, /^options\.signal: got an Object, expected an AbortSignal$/],
    ["swiglu.forward", kernel, { workers: 2 }, /^options\.workers: got 2, expected what startWorkers of .* gives$/],
    ["swiglu.forward", kernel, { onCase: 5 }, /^options\.onCase: got 5, expected a function$/],
    ["swiglu.forward", kernel, { dtype: "fp16" }, /^options\.dtype: got "fp16", expected one of/],
    ["swiglu.forward", kernel, { replay: 5 }, /^options\.replay: got 5, expected a printed line$/],
    [
      "swiglu.forward",
      kernel,
      { replay: "add.forward N=1 profile=unit seed=1" },
      /^options\.replay: is of add\.forward, expected swiglu/,
    ],
    [
      "swiglu.forward",
      kernel,
      { replay: "swiglu.forward R=-1 F=1 profile=unit seed=1" },
      /^R is -1, expected a whole number of at least 0$/,
    ],
    [
      "swiglu.forward",
      kernel,
      { replay: "swiglu.forward R=1 F=1 profile=unit seed=1, no relation" },
      /has no relation/,
    ],
  ])("%#", async (op, candidate, options, message) => {
    await expect(api.judge(op as never, candidate as never, options as never)).rejects.toThrow(message);
    await expect(matchers.toPassTouchstone(candidate as never, op as never, options as never)).rejects.toThrow(message);
  });
});

test.each<[string, RegExp]>([
  ["", /^replay: /],
  ["swiglu.forward", /^replay: profile is missing/],
  ["swiglu.forward R=1 F=1 profile=unit", /^replay: seed is missing, expected a whole number/],
  ["swiglu.forward R=1 F=1 profile=unit seed=x", /^replay: seed is x, expected a whole number/],
  ["swiglu.forward R=1 F=1 profile=unit seed=99999999999", /^replay: seed is 99999999999, expected a whole number/],
  ["swiglu.forward R=1 F=1 F=2 profile=unit seed=1", /^replay: F occurs twice, expected once$/],
  ["swiglu.forward R=-1 F=1 profile=unit seed=1", /^R is -1, expected a whole number of at least 0$/],
  ["swiglu.forward R=1 profile=unit seed=1", /^replay: swiglu\.forward with the sizes R, expected R, F$/],
  ["swiglu.forward R=1 F=99999999 profile=unit seed=1", /^replay: F is 99999999, expected at most 67108864$/],
  ["swiglu.forward R=1 F=1 profile=real seed=1", /^replay: /],
  ["swiglu.forward R=1 F=1 profile=unit seed=1, a relation", /^replay: swiglu\.forward has no relation "a relation"/],
  ["swiglu R=1 F=1 profile=unit seed=1", /^replay: "swiglu" is not an op and direction/],
])("replay of %j", (line, message) => {
  expect(() => api.replay(line)).toThrow(message);
  expect(() => api.replay(line)).toThrow(RangeError);
});

test("fuse, cases, tensor and customTarget", () => {
  expect(() => api.fuse("linear.forward", "swiglu.backward")).toThrow(RangeError);
  expect(() => (api.fuse as (a: unknown, b?: unknown) => unknown)("linear.forward")).toThrow(TypeError);
  expect(() => api.cases("swiglu" as never)).toThrow(RangeError);
  expect(() => tensor(new Float32Array(2), [3])).toThrow(RangeError);
  expect(() => tensor(new Float32Array(2), [NaN])).toThrow(/^tensor: shape has the length NaN/);
  expect(() => tensor([1, 2] as never, [2])).toThrow(TypeError);
  expect(() => api.customTarget({ name: "mine" })).toThrow(/^u: /);
});

/** Values that no public function takes, and some that one might. */
const garbage = fc.oneof(
  fc.anything(),
  fc.constantFrom<unknown>(
    null,
    undefined,
    NaN,
    "",
    "swiglu.forward",
    "wgsl",
    [],
    {},
    () => 1,
    Symbol("s"),
    10n,
    good,
    gate,
  ),
);

describe("garbage", () => {
  const functions: Readonly<Record<string, (...given: never[]) => unknown>> = {
    tensor,
    customTarget: api.customTarget,
    oracle: api.oracle,
    compare: api.compare,
    cases: api.cases,
    replay: api.replay,
    fuse: api.fuse,
    judge: (op, candidate, options) => api.judge(op, candidate, { ...(options as object), runs: 0 } as never),
    toBeWithinBound: matchers.toBeWithinBound,
    reference: ops["swiglu.forward"].reference as never,
    candidateOf: candidateOf as never,
    defineKernel: defineKernel as never,
    processCandidate: (command, options) => processCandidate(command, { timeout: 0, ...(options as object) } as never),
    blame: blame as never,
    verifyFixture: verifyFixture as never,
    writeFixture: writeFixture as never,
    recordSteps: recordSteps as never,
  };

  test.each(Object.entries(functions))(
    "%s refuses it with an error that explains itself, or takes it",
    async (_, given) => {
      await fc.assert(
        fc.asyncProperty(fc.array(garbage, { maxLength: 3 }), async (words) => {
          try {
            await given(...(words as never[]));
          } catch (error) {
            expect(["TypeError", "RangeError", "SyntaxError", "FormatError"]).toContain((error as Error).name);
            expect((error as Error).message).not.toMatch(
              /Cannot (read|destructure|convert)|is not (a function|iterable|a constructor)|of undefined/,
            );
            expect((error as Error).message).not.toContain("\n");
          }
        }),
        { seed: 1, numRuns: 200 },
      );
    },
  );
});
