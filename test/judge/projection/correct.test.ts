// Correct products whose truth is known at a few elements: whatever their order, rounding and format, nothing is found, and nothing noted.
import { describe, expect, it } from "vitest";
import { buildCase } from "../../../judge/campaign.ts";
import { choose } from "../../../judge/choose.ts";
import { atSample } from "../../../judge/sampled.ts";
import { judgeProblem, roundProblem } from "../../../judge/verdict.ts";
import type { FormatName } from "../../../reference/dtype.ts";
import { targets } from "../../../reference/targets.ts";
import type { Habits } from "../../../zoo/arithmetic.ts";
import { few } from "../../few.ts";
import { zooCandidate } from "../candidates.ts";

const manners: readonly (readonly [Partial<Habits>, "float32" | "bfloat16" | "float16", FormatName?])[] = [
  [{ order: "sequential" }, "float32"],
  [{ order: "pairwise", fused: true }, "float32"],
  [{ order: "descending", rounding: "truncating" }, "float32"],
  [{ order: "strided", rounding: "away", flushes: true }, "float32"],
  [{ order: "shuffled" }, "bfloat16"],
  [{ order: "blocked" }, "float16"],
];

describe.each(["linear.forward", "linear.backward"])("%s", (op) => {
  const [{ operation, spec }] = choose([op]);
  const sampling = few(spec.sampling!, 300);
  it.each(["unit", "one-hot", "constant", "lattice"] as const)("of %s numbers", async (profile) => {
    for (const [n, [habits, dtype]] of manners.entries()) {
      const c = { op, sizes: { R: 36, O: 40, C: 44 }, profile, seed: n };
      const problem = roundProblem(operation, buildCase(spec, c, dtype), dtype);
      const outputs = dtype === "float32" ? undefined : dtype;
      const zoo = zooCandidate(op, { habits, variant: n % 4, ...(outputs && { outputs }) });
      const comparing = atSample(sampling, { seed: n, counts: false });
      const verdict = await judgeProblem(operation, zoo, problem, { target: targets.wgsl, dtype }, comparing);
      expect(verdict.findings, JSON.stringify(habits)).toEqual([]);
      expect(verdict.comparisons.flatMap(({ note }) => note ?? [])).toEqual([]);
    }
  });
});

it("a row of larger errors that are within their bounds is noted", () => {
  const [{ operation, spec }] = choose(["linear.forward"]);
  const problem = buildCase(spec, { op: "linear.forward", sizes: { R: 40, O: 50, C: 400 }, profile: "unit", seed: 1 });
  const { y } = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  for (let i = 7 * 50; i < 8 * 50; i++) y.data[i] *= 1 + 1e-5;
  const terms = { target: targets.wgsl, dtype: "float32" } as const;
  const compare = atSample(few(spec.sampling!, 200), { seed: 1, counts: false })(operation, problem, terms);
  const { outside, note } = compare("y", y);
  expect(outside).toBe(0);
  expect(note).toMatch(/^the errors of 1 row( and \d+ columns?)? are up to \d+ times those measured elsewhere; /);
});
