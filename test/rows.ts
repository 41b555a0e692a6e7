// The tests that every row of the table of ops gets: its bound sound and tight, its kernel inside, its mutants outside.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryCase, type Case, exampleCases, formatCase } from "../judge/case.ts";
import { judgeRows } from "../judge/ops/index.ts";
import type { Candidate } from "../reference/candidate.ts";
import { judgeProblem } from "../judge/verdict.ts";
import { soundness } from "../judge/soundness.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { mutantsOf } from "../zoo/mutants/index.ts";
import { mutate } from "../zoo/mutants/mutant.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";
import { targets } from "../reference/targets.ts";
import { kernelCandidate, wgsl } from "./device.ts";

const SEED = 20_230_227; // the paper's date
const ZOO_ELEMENTS = 20_000;
const DRAWN_CASES = 40;
/** An adversarial evaluation must reach this share of the bound somewhere; a smaller one must say why in its README. */
const TIGHT = 0.1;

/** The bound of an op: correct evaluations never leave it, and an adversarial one comes near it. */
export function testBound(op: string): void {
  describe(`${op}: the bound`, () => {
    const found = () =>
      soundness({ operation: operations.get(op)!, spec: judgeRows.get(op)! }, evaluationsOf(op), targets.wgsl, {
        elements: ZOO_ELEMENTS,
        seed: SEED,
      });
    test("accuses no correct evaluation, and is reached by an adversarial one", () => {
      const { alarms, adversarial, compared } = found();
      expect(alarms).toEqual([]);
      expect(compared).toBeGreaterThanOrEqual(ZOO_ELEMENTS);
      expect(adversarial).toBeGreaterThanOrEqual(TIGHT);
    });
  });
}

/** The kernel of an op stays inside its bound; its mutants, and a kernel that returns zeros, do not. */
export function testKernel(op: string): void {
  describe(`${op}: the kernel`, () => {
    const tried = casesToTry(op);
    test("stays within its bound", async () => {
      expect(await firstFinding(op, await kernelCandidate(op), tried)).toBeUndefined();
    });
    test.each(["bfloat16", "float16"] as const)("stays within its bound with tensors stored as %s", async (dtype) => {
      expect(await firstFinding(op, await kernelCandidate(op, {}, dtype), tried, dtype)).toBeUndefined();
    });
    for (const mutant of mutantsOf(op)) {
      test(`rejected: ${mutant.what} (${mutant.file})`, async () => {
        const sources = new Map([[mutant.file, mutate(mutant, wgsl(mutant.file))]]);
        const finding = await firstFinding(op, await kernelCandidate(op, { sources }), tried);
        expect(finding).toBeDefined();
        expect(finding).not.toMatch(/ failed: /); // rejected for its results, not because it does not compile
      });
    }
    test("rejected: zeros", async () => {
      const zeros: Candidate = {
        name: "zeros",
        run: async (inputs, scalars) => ({
          outputs: Object.fromEntries(
            Object.entries(operations.get(op)!.evaluate(inputs, scalars, Float32Array)).map(([name, t]) => [
              name,
              { data: new Float32Array(t.data.length), shape: t.shape },
            ]),
          ),
          complaints: [],
        }),
      };
      expect(await firstFinding(op, zeros, tried)).toBeDefined();
    });
  });
}

function casesToTry(op: string): Case[] {
  const spec = judgeRows.get(op)!;
  return [...exampleCases(spec, SEED), ...fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN_CASES, seed: SEED })];
}

/** The judge's finding on the first case that it rejects. */
async function firstFinding(
  op: string,
  candidate: Candidate,
  tried: readonly Case[],
  dtype: DTypeName = "float32",
): Promise<string | undefined> {
  const spec = judgeRows.get(op)!;
  for (const c of tried) {
    const problem = spec.build(c.sizes, c.profile as "unit", c.seed, dtype);
    const { findings } = await judgeProblem(
      operations.get(op)!,
      candidate,
      { ...problem, profile: c.profile },
      { target: targets.wgsl, dtype },
    );
    if (findings.length > 0) return `${formatCase(c)}: ${findings[0]}`;
  }
  return undefined;
}
