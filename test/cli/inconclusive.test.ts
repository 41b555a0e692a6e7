// A run that judged nothing, or too little, is inconclusive: its word, its reasons, exit status 4, and the same in JSON.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { fixtureNames } from "../../golden/fixtures/verify.ts";
import { recordSteps } from "../../judge/api/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { outputsOf } from "../fixtures/outputs.ts";
import { small } from "../judge/recorded-step.ts";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-inconclusive-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const target = (name: string, functions: object): string =>
  file(
    name,
    JSON.stringify({ name, source: "a test", u: "2^-24", flushes: true, promisesNonFinite: false, functions }),
  );
/** Promises nothing of any function. */
const gaps = target("gaps.json", {});
/** Whatever e^x is, it is off by 1. */
const vague = target("vague.json", {
  exp: [{ from: -1000, to: 1000, absolute: 1 }],
  divide: [{ from: "2^-126", to: "2^126", ulp: 2.5 }],
});

const zeros = file(
  "zeros.mjs",
  "export default ({ x, gate }) => ({ y: { shape: (x ?? gate).shape, data: (x ?? gate).data.map(() => 0) } });",
);
const sum = file(
  "sum.mjs",
  "export default ({ a, b }) => ({ y: { shape: a.shape, data: a.data.map((x, i) => x + b.data[i]) } });",
);
const half = file(
  "half.mjs",
  "export default ({ a, b }) => ({ y: { shape: a.shape, data: a.data.map((x, i) => x / 2) } });",
);

const once = ["--runs", "1", "--seed", "1"];

describe("check", () => {
  test("one of several ops that is wholly unjudged", async () => {
    const json = join(folder, "several.json");
    const ops = ["--op", "cast.forward", "swiglu.forward"];
    const { code, out, err } = await inProcess(["check", ...ops, ...once, "--target", gaps, "--json", json]);
    expect(out).toMatch(/│ swiglu\.forward .* inconclusive │\n/);
    expect(out).toMatch(/\ninconclusive swiglu\.forward y: none of \d+ elements has a finite bound\n/);
    expect(out).toMatch(/\n1 of 2 kernels inconclusive: swiglu\.forward\n$/);
    expect(err).toMatch(/pass cast\.forward[^]*inconclusive swiglu\.forward/);
    expect(code).toBe(4);
    const run = JSON.parse(readFileSync(json, "utf8"));
    expect(run).toMatchObject({ verdict: "inconclusive", interrupted: false, target: "gaps.json", allowUnjudged: 0.1 });
    expect(run.kernels.map((kernel: { verdict: string }) => kernel.verdict)).toEqual(["pass", "inconclusive"]);
    expect(run.kernels[1].examination).toMatchObject({
      unmeasured: "no element has a bound",
      precision: { summary: null },
    });
    expect(run.kernels[1].outputs).toMatchObject([{ output: "y", judged: 0, share: 1, allowUnjudged: 0.1 }]);
  });

  test("an error that leaves softmax no bound, and a candidate that answers zeros", async () => {
    const args = ["check", "--op", "softmax.forward", "--kernel", zeros, ...once, "--target", vague];
    const { code, out } = await inProcess(args);
    expect(out).toMatch(/inconclusive softmax\.forward y: .* finite bound/);
    expect(code).toBe(4);
    const all = await inProcess([...args, "--allow-unjudged", "1"]);
    expect(all.code, "no limit makes up for nothing").toBe(4);
  });

  test("more than the share that is allowed, and less", async () => {
    const near = target("near.json", {
      exp: [{ from: -0.5, to: 0.5, ulp: 1 }],
      divide: [{ from: "2^-126", to: "2^126", ulp: 0.5 }],
    });
    const right = file(
      "right.mjs",
      `export default ({ gate, up }) => ({ y: { shape: gate.shape,
        data: gate.data.map((z, i) => Math.fround(z / Math.fround(1 + Math.fround(Math.exp(-z)))) * up.data[i]) } });`,
    );
    const args = ["check", "--op", "swiglu.forward", "--kernel", right, ...once, "--target", near];
    const strict = await inProcess(args);
    expect(strict.out).toMatch(
      /inconclusive swiglu\.forward y: (\d+) of \d+ elements have no finite bound \([\d.]+ %\), expected at most 10 %\n/,
    );
    expect(strict.code).toBe(4);
    const lenient = await inProcess([...args, "--allow-unjudged", "0.99"]);
    expect([lenient.code, lenient.out]).toEqual([
      0,
      expect.stringMatching(/1 kernel within its bound, \d+ elements judged\n$/),
    ]);
  });

  test("a signal before the first case, and after a failure", async () => {
    const before = await interrupted(["check", "--op", "add.forward", "--kernel", sum, "--json", "-"], () => true);
    expect(before.err).toMatch(/inconclusive, interrupted: [01] of 1 op started\n$/);
    expect(before.code).toBe(130);
    expect(JSON.parse(before.out)).toMatchObject({ verdict: "inconclusive", interrupted: true });
    const seen = join(folder, "seen");
    const wrong = file(
      "wrong.mjs",
      `import { writeFileSync } from "node:fs";
       export default async ({ a, x }) => {
         if (a !== undefined) return { y: a };
         writeFileSync(${JSON.stringify(seen)}, "");
         await new Promise((resolve) => setTimeout(resolve, 20));
         return { y: x };
       };`,
    );
    const json = join(folder, "after.json");
    const args = [
      "check",
      "--op",
      "add.forward",
      "cast.forward",
      "swiglu.forward",
      "--kernel",
      wrong,
      "--seed",
      "1",
      "--json",
      json,
    ];
    const after = await interrupted(args, () => existsSync(seen));
    expect(after.out).toMatch(/FAIL add\.forward N=/);
    expect(after.out).toMatch(/│ cast\.forward .* inconclusive, interrupted │/);
    expect(after.out).toMatch(/\nFAIL, interrupted: 2 of 3 ops started\n$/);
    expect(after.code).toBe(130);
    const run = JSON.parse(readFileSync(json, "utf8"));
    expect(run).toMatchObject({ verdict: "FAIL", interrupted: true, notStarted: ["swiglu.forward"] });
    expect(run.kernels).toMatchObject([
      { op: "add.forward", verdict: "FAIL", interrupted: false },
      { op: "cast.forward", verdict: "inconclusive", interrupted: true },
    ]);
  });
});

describe("check --replay", () => {
  test.each([
    ["a case of no elements", "add.forward N=0 profile=unit seed=1", sum, /add\.forward y: no element was judged/],
    [
      "a relation between no elements",
      "add.forward N=0 profile=unit seed=1, the rest of N",
      sum,
      /no element was judged/,
    ],
    [
      "a case without a bound",
      "swiglu.forward R=2 F=3 profile=unit seed=1",
      zeros,
      /y: none of 6 elements has a finite bound/,
    ],
  ])("%s", async (_, line, kernel, reason) => {
    const { code, out } = await inProcess(["check", "--replay", line, "--kernel", kernel, "--target", gaps]);
    expect(out).toMatch(reason);
    expect(out).toMatch(/\ninconclusive\n$/);
    expect(code).toBe(4);
  });

  test("a case that fails is no less of a failure", async () => {
    const line = "add.forward N=5 profile=unit seed=1";
    const { code, out } = await inProcess(["check", "--replay", line, "--kernel", half, "--allow-unjudged", "0"]);
    expect([code, out]).toEqual([1, expect.stringMatching(/\nFAIL\n$/)]);
  });
});

describe("blame", () => {
  const recording = join(folder, "step.safetensors");

  /** The recording with its floats changed. */
  async function changed(name: string, change: (tensor: string, data: Floats) => void): Promise<string> {
    if (!existsSync(recording)) {
      const tokens: Tensor<Int32Array> = { data: Int32Array.of(1, 2, 3, 4), shape: [1, 4] };
      const weights = initialWeights(small, 1, Float32Array);
      await recordSteps(recording, { config: small, weights, batches: [{ tokens, targets: tokens }] });
    }
    const { tensors, metadata } = readSafetensors(recording);
    for (const [tensor, { data }] of tensors) if (!(data instanceof Int32Array)) change(tensor, data);
    const path = join(folder, name);
    writeSafetensors(path, tensors, metadata);
    return path;
  }

  test("a step that is NaN throughout, for a target that promises NaN and one that does not", async () => {
    // As NaN spreads from a weight: the tables of positions, and the gradient of a token that does not occur, stay numbers.
    const path = await changed("nan.safetensors", (name, data) => {
      if (!name.includes("rope"))
        for (let i = 0; i < data.length; i++) if (data[i] !== 0 || !name.includes("embedding")) data[i] = NaN;
    });
    for (const promised of ["ieee", "wgsl"]) {
      const { code, out } = await inProcess(["blame", path, "--target", promised]);
      expect(out).toMatch(/ tensors judged for .*, \d+ unjudged, 0 tensors outside\n/);
      expect(out).toMatch(/\ninconclusive activations\.embedding: none of \d+ elements has a finite bound\n/);
      expect(out).toMatch(/\ninconclusive\n$/);
      expect(code).toBe(4);
    }
  });

  test("one tensor that nothing bounds, and as much as is allowed", async () => {
    const path = await changed("some.safetensors", (name, data) => {
      if (name === "weights.norm.weight") data.fill(NaN, 0, 4);
      if (name === "activations.norm") for (let i = 0; i < data.length; i++) if (i % small.dim < 4) data[i] = NaN;
    });
    const strict = await inProcess(["blame", path, "--target", "wgsl"]);
    expect(strict.out).toMatch(
      /\ninconclusive activations\.norm: 16 of 48 elements have no finite bound \(33\.3 %\), expected at most 10 %\n/,
    );
    expect([strict.code, await inProcess(["blame", recording])]).toMatchObject([4, { code: 0 }]);
  });

  test("a declared order: its words, and one that is refused", async () => {
    await changed("ordered.safetensors", () => {});
    const { code, out } = await inProcess(["blame", recording, "--sum", "pairwise"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/judged for wgsl, sums in the declared order pairwise, /)]);
    const refused = await inProcess(["blame", recording, "--sum", "z=pairwise"]);
    expect([refused.code, refused.err]).toEqual([
      2,
      expect.stringMatching(/--sum z=pairwise: "z" is not a sum of these ops, .*expected one of /),
    ]);
  });

  test("a signal, after a fault", async () => {
    const path = await changed(
      "fault.safetensors",
      (name, data) => void (name === "activations.embedding" && (data[0] += 1)),
    );
    const { code, out } = await interrupted(["blame", path], () => true);
    expect(out).toMatch(/inconclusive, interrupted\n$/);
    expect(code).toBe(130);
    expect(await inProcess(["blame", path])).toMatchObject({ code: 1 });
  });
});

test("golden verify: a signal, before a fault and after one", async () => {
  const suite = fileURLToPath(new URL("../../golden/fixtures/suite", import.meta.url));
  const [right, none] = [join(folder, "right"), join(folder, "none")];
  for (const path of [right, none]) mkdirSync(path);
  for (const name of fixtureNames(suite)) outputsOf(join(suite, name), join(right, name));
  const [inside, outside] = [
    await interrupted(["golden", "verify", suite, right], () => true),
    await interrupted(["golden", "verify", suite, none], () => true),
  ];
  expect(inside).toMatchObject({ code: 130, out: expect.stringMatching(/\ninconclusive, interrupted\n$/) });
  expect(outside).toMatchObject({ code: 130, out: expect.stringMatching(/\nFAIL, interrupted\n$/) });
  expect(await inProcess(["golden", "verify", suite, right])).toMatchObject({ code: 0 });
});

describe("diff", () => {
  const write = (name: string, tensors: Record<string, Tensor>): string => {
    const path = join(folder, name);
    writeSafetensors(path, new Map(Object.entries(tensors)));
    return path;
  };
  const full = (...data: number[]): Tensor => ({ data: Float32Array.from(data), shape: [data.length] });

  test("files without tensors, and tensors without elements", async () => {
    const none = write("none.safetensors", {});
    const empty = write("empty.safetensors", { a: full(1), b: full() });
    expect(await inProcess(["diff", none, none])).toMatchObject({
      code: 4,
      out: expect.stringMatching(/nothing was judged\ninconclusive\n$/),
    });
    expect(await inProcess(["diff", empty, empty])).toMatchObject({
      code: 4,
      out: expect.stringMatching(/inconclusive b: no element was judged\ninconclusive\n$/),
    });
    expect(await inProcess(["diff", none, empty])).toMatchObject({ code: 1 });
  });

  test("equal numbers", async () => {
    const one = write("one.safetensors", { a: full(1, 2) });
    expect(await inProcess(["diff", one, one])).toMatchObject({ code: 0 });
  });
});

/** The same command, and a signal as soon as `isTime`. */
async function interrupted(args: readonly string[], isTime: () => boolean): ReturnType<typeof inProcess> {
  const listeners = process.listenerCount("SIGINT");
  const timer = setInterval(() => {
    if (process.listenerCount("SIGINT") === listeners || !isTime()) return;
    clearInterval(timer); // a second signal would end this process
    process.emit("SIGINT");
  }, 1);
  try {
    return await inProcess(args);
  } finally {
    clearInterval(timer);
  }
}
