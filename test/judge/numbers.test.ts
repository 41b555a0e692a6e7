// Numbers at which kernels fail rarely: every check has them, correct evaluations stay within their bounds, and faults that show
// nowhere else are seen.
import { describe, expect, it } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import { type Case, exampleCases, formatCase } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { fill, madeUp, profiles } from "../../judge/profile.ts";
import { parseReplay } from "../../judge/replay.ts";
import { judgeOutputs, roundProblem } from "../../judge/verdict.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats } from "../../reference/tensor.ts";

const SEEDS = [1, 2, 3];
const rare = profiles.filter((p) => p !== "real" && p !== "scale" && !madeUp.includes(p));

/** What a faulty kernel makes of correct outputs. */
type Fault = (outputs: Outputs, inputs: Inputs, scalars: Scalars) => void;

function spoil(output: string, how: (data: Floats) => void): Fault {
  return (outputs) => how(outputs[output].data as Floats);
}

/** The faults of kernels, each at the numbers at which it fails. */
const faults: Readonly<Record<string, readonly [op: string, Fault]>> = {
  "a running maximum that starts at 0": [
    "softmax.forward",
    ({ y }, { x }) => {
      const C = x.shape[1];
      for (let r = 0; r < x.shape[0]; r++) {
        const row = x.data.subarray(r * C, (r + 1) * C);
        if (row.every((logit) => logit < -110)) y.data.fill(NaN, r * C, (r + 1) * C);
      }
    },
  ],
  "a maximum without the last number of a row": [
    "softmax.forward",
    ({ y }, { x }) => {
      const C = x.shape[1];
      for (let r = 0; r < x.shape[0]; r++) {
        const row = Array.from(x.data.subarray(r * C, (r + 1) * C));
        if (C > 1 && row[C - 1] - Math.max(...row.slice(0, C - 1)) > 89) y.data.fill(NaN, r * C, (r + 1) * C);
      }
    },
  ],
  "a norm that passes through float16": [
    "gradient-norm.forward",
    spoil("norm", (data) => data.forEach((x, i) => (data[i] = x > 65504 ? Infinity : x))),
  ],
  "a rate in the denominator": [
    "adamw.forward",
    ({ w }, { g, v }, { learningRate }) => {
      if (learningRate === 0) g.data.forEach((x, i) => x === 0 && v.data[i] === 0 && (w.data[i] = NaN));
    },
  ],
  "an ignored class above 0 that counts": [
    "cross-entropy.forward",
    ({ loss }, { targets: classes }, { ignoreIndex }) => {
      if (ignoreIndex !== 0 && Number(ignoreIndex) > 0 && classes.data.includes(Number(ignoreIndex)))
        loss.data[0] *= 1.1;
    },
  ],
};

function isSeen(op: string, fault: Fault, c: Case): boolean {
  const [{ operation, spec }] = choose([op]);
  const problem = roundProblem(operation, buildCase(spec, c), "float32");
  const outputs = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  fault(outputs, problem.inputs, problem.scalars);
  return judgeOutputs(operation, outputs, problem, { target: targets.wgsl, dtype: "float32" }).findings.length > 0;
}

describe("every check", () => {
  it.each(Object.entries(faults))("sees %s", (_, [op, fault]) => {
    const [{ spec }] = choose([op]);
    for (const seed of SEEDS) expect(exampleCases(spec, seed).some((c) => isSeen(op, fault, c))).toBe(true);
  });

  it("has each axis both as a multiple of 16 and as no multiple of 8, with ordinary numbers", () => {
    for (const { spec } of choose(["linear", "rmsnorm", "swiglu", "cross-entropy", "softmax", "embedding", "add"])) {
      for (let seed = 1; seed <= 20; seed++) {
        const cases = largeCases(spec, seed).filter(({ profile }) => profile === "unit" || profile === "lattice");
        for (const axis of Object.keys(spec.large!.axes)) {
          const long = cases.map(({ sizes }) => Number(sizes[axis])).filter((length) => length >= 2048);
          expect(
            [long.some((n) => n % 16 === 0), long.some((n) => n % 8 !== 0)],
            `${spec.op} ${axis} seed ${seed}`,
          ).toEqual([true, true]);
        }
      }
    }
  });

  it("has a long sum of one number, of which no part can be missing within the bound", () => {
    for (const { spec } of choose(["rmsnorm.backward"])) {
      for (let seed = 1; seed <= 20; seed++) {
        const constant = largeCases(spec, seed).filter(({ profile }) => profile === "constant");
        expect(constant.some(({ sizes }) => Number(sizes.R) >= 65_536)).toBe(true);
      }
    }
  });

  it("has classes and ids in the last tile of a long table", () => {
    for (const op of ["embedding.forward", "cross-entropy.forward"]) {
      const [{ spec }] = choose([op]);
      const [name, sizes] = op.startsWith("e") ? ["tokens", { R: 4, V: 70_001, C: 1 }] : ["targets", { R: 4, V: 70_001, ignored: "none", ignoreIndex: -100 }]; // prettier-ignore
      const ids = spec.build(sizes, "unit", 1).inputs[name].data;
      expect(Math.max(...ids)).toBeGreaterThan(70_000 - 32);
    }
  });
});

describe("profiles of examples", () => {
  it("are replayed from a line", () => {
    for (const profile of rare) {
      const c: Case = { op: "cast.forward", sizes: { N: 7 }, profile, seed: 1 };
      expect(parseReplay(formatCase(c)).case).toEqual(c);
    }
  });

  it("have each a case in some check, but for masked", () => {
    const used = new Set(choose([]).flatMap(({ spec }) => exampleCases(spec, 1).map(({ profile }) => profile)));
    expect(rare.filter((profile) => !used.has(profile))).toEqual(["masked"]);
  });

  it("keep the bits of NaN", () => {
    const { data } = fill("bit-patterns", 1, "x", [7]);
    const { inputs } = roundProblem(
      choose(["cast.forward"])[0].operation,
      { inputs: { x: { data, shape: [7] } }, scalars: {} },
      "bfloat16",
    );
    const bits = [...new Uint32Array((inputs.x.data as Float32Array).slice().buffer)];
    expect([bits[0], bits[2], bits[4]]).toEqual([0x7fffffff, 0xffffffff, 0x7f800001]);
  });

  it("have a peak at every place of a row", () => {
    const { data } = fill("peak", 5, "x", [67, 67]);
    const places = Array.from({ length: 67 }, (_, r) => data.subarray(67 * r, 67 * (r + 1)).findIndex((x) => x > 100));
    expect(new Set(places).size).toBe(67);
    expect(places).not.toContain(-1);
  });
});
