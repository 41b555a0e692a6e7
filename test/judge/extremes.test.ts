// Faults that show only at the ends: of a step and its corrections, of NaN's bits, of the longest sums. The cases that every check
// plans reject each.
import { describe, expect, it } from "vitest";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { type Case, exampleCases, type Problem } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { judgeOutputs, roundProblem } from "../../judge/verdict.ts";
import { formats, round } from "../../reference/dtype.ts";
import { power } from "../../reference/elementary.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import type { AdamWScalars } from "../../reference/ops/adamw.ts";
import { targets } from "../../reference/targets.ts";

const SEEDS = [1, 2, 3];

/** The corrections of AdamW as a faulty kernel has them. */
const corrections: Readonly<Record<string, (scalars: AdamWScalars) => readonly [number, number]>> = {
  "a step that is counted in 16 bits": ({ beta1, beta2, step }) => correctionsOf(beta1, beta2, step % 65_536),
  "a step in float16, infinite beyond 65,504": ({ beta1, beta2, step }) =>
    correctionsOf(beta1, beta2, round(step, formats.float16)),
  "corrections that are left out from step 10⁵ on": ({ correction1, correction2, step }) =>
    step < 1e5 ? [correction1, correction2] : [1, 1],
  "corrections of at least 10⁻⁵": ({ correction1, correction2 }) => [
    Math.max(1e-5, correction1),
    Math.max(1e-5, correction2),
  ],
};

function correctionsOf(beta1: number, beta2: number, step: number): readonly [number, number] {
  const of = (beta: number): number => (beta === 0 || step === Infinity ? 1 : 1 - power(beta, step));
  return [of(beta1), of(beta2)];
}

describe("a check sees, of AdamW,", () => {
  it.each(Object.entries(corrections))("%s", (_, of) => {
    const [{ operation, spec }] = choose(["adamw.forward"]);
    for (const seed of SEEDS) {
      const isSeen = exampleCases(spec, seed).some((c) => {
        const problem = roundProblem(operation, buildCase(spec, c), "float32");
        const { inputs, scalars } = problem;
        const [correction1, correction2] = of(scalars as unknown as AdamWScalars);
        const outputs = operation.evaluate(inputs, { ...scalars, correction1, correction2 }, Float32Array);
        const terms = { target: targets.wgsl, dtype: "float32" } as const;
        return judgeOutputs(operation, outputs, problem, terms).findings.length > 0;
      });
      expect(isSeen, `seed ${seed}`).toBe(true);
    }
  });
});

/** A float32 to bfloat16 in integers, with no case for NaN. */
const casts: Readonly<Record<string, (bits: number) => number>> = {
  "NaN of all ones, whose rounding carries over into −0": (bits) => bits + 0x7fff + ((bits >>> 16) & 1),
  "NaN with low bits alone, which are cut off and leave an infinity": (bits) =>
    (bits & 0x7fff_ffff) > 0x7f80_0000 ? bits : bits + 0x7fff + ((bits >>> 16) & 1),
  "an infinity that is rounded up, to NaN": (bits) => bits + 0x8000,
};

describe("a check sees, of a cast to bfloat16,", () => {
  it.each(Object.entries(casts))("%s", (_, cast) => {
    const [{ operation, spec }] = choose(["cast.forward"]);
    for (const seed of SEEDS) {
      const c = exampleCases(spec, seed).find(({ profile }) => profile === "bit-patterns")!;
      const problem = roundProblem(operation, buildCase(spec, c, "bfloat16"), "bfloat16");
      const bits = new Uint32Array((problem.inputs.x.data as Float32Array).slice().buffer);
      const y = new Float32Array(bits.map((x) => (cast(x) & 0xffff_0000) >>> 0).buffer);
      const terms = { target: targets.ieee, dtype: "bfloat16" } as const;
      const { findings } = judgeOutputs(operation, { y: { data: y, shape: [y.length] } }, problem, terms);
      expect(findings.length, `seed ${seed}`).toBeGreaterThan(0);
    }
  });
});

/** Whether row r of R is left out. */
type Lost = (r: number, R: number) => boolean;

/** The op where some rows, or elements, of an input are left out of the sums. */
function without(operation: Operation, { inputs, scalars }: Problem, name: string, isLost: Lost): Outputs {
  const { data, shape } = inputs[name];
  const width = data.length / shape[0];
  const kept = Float32Array.from(data, (x, i) => (isLost(Math.floor(i / width), shape[0]) ? 0 : x));
  return operation.evaluate({ ...inputs, [name]: { data: kept, shape } }, scalars, Float32Array);
}

/** Sums as long as a check has them; that of five million squares has no bound on WGSL that tells, so one is shorter. */
const sums = [
  ["rmsnorm.backward", "dw", "dy", "R", 65_536],
  ["gradient-norm.forward", "norm", "g", "N", 1_000_000],
] as const;

/** The halves of a sum that a kernel may lose. */
const halves: Readonly<Record<string, Lost>> = {
  "the second half": (r, R) => r >= R / 2,
  "every other term": (r) => r % 2 === 1,
};

it.each(sums)(
  "a check sees that of the longest sums of %s, %s, a half is missing",
  (op, output, input, axis, least) => {
    const [{ operation, spec }] = choose([op]);
    const isConstant = ({ profile }: Case): number => Number(profile === "constant");
    const long = largeCases(spec, 1).filter(({ sizes }) => Number(sizes[axis]) >= least);
    const unseen = new Map(Object.entries(halves));
    for (const c of long.toSorted((a, b) => isConstant(b) - isConstant(a))) {
      if (unseen.size === 0) break;
      const problem = roundProblem(operation, buildCase(spec, c), "float32");
      const compare = comparing(spec, c)(operation, problem, { target: targets.wgsl, dtype: "float32" });
      for (const [name, isLost] of unseen) {
        const outputs = without(operation, problem, input, isLost);
        if (compare(output, outputs[output]).outside > 0) unseen.delete(name);
      }
    }
    expect([...unseen.keys()]).toEqual([]);
  },
);
