// What the judge says that it misses in a large case, against faults that are planted there.
import { describe, expect, it } from "vitest";
import { buildCase, comparing } from "../../judge/campaign.ts";
import type { Case } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { faultExtents, faultKinds } from "../../judge/missed.ts";
import { Scales, Suspects } from "../../judge/suspects.ts";
import { allowancesOf, roundProblem, truth } from "../../judge/verdict.ts";
import { INFLATION } from "../../judge/compare.ts";
import { dtypes } from "../../reference/dtype.ts";
import { targets } from "../../reference/targets.ts";
import { contradicts, plant } from "../planted.ts";

const target = targets.wgsl;
const caseOf = (op: string, sizes: Case["sizes"], profile: Case["profile"] = "unit"): Case => ({
  op,
  sizes,
  profile,
  seed: 11,
});

/** Ops whose bound is taken at spots, more than 65,536 elements each; and others, which are judged at all elements. */
const cases = [
  caseOf("linear.forward", { R: 290, O: 270, C: 24 }),
  caseOf("linear.backward", { R: 300, O: 16, C: 270 }),
  caseOf("rmsnorm.forward", { R: 300, C: 260, eps: "1e-5" }),
  caseOf("softmax.backward", { R: 300, C: 260 }, "one-hot"),
  caseOf("swiglu.backward", { R: 300, F: 260 }, "large"),
  caseOf("add.forward", { N: 70_000 }),
  caseOf("adamw.forward", { N: 70_000, step: 7, parameter: "matrix" }),
  caseOf("attention.forward", { B: 1, NKV: 2, groups: 2, T: 33, S: 34, HS: 16 }),
  caseOf("embedding.backward", { R: 40, V: 50, C: 30 }),
];

describe("the share of planted faults that are missed is as it is said", () => {
  it.each(cases)("$op, $profile", (c) => {
    const planted = plant(choose([c.op])[0], { cases: [c], places: 3, target, dtype: "float32" });
    expect(planted.reduce((n, { places }) => n + places, 0)).toBeGreaterThan(15);
    expect(contradicts(planted), JSON.stringify(planted)).toBe(false);
  });

  it("would be found to be otherwise", () => {
    const one = { name: "y", extent: "element", from: 2000 } as const;
    expect(contradicts([{ ...one, places: 300, missed: 15, said: 0.05 }])).toBe(false);
    expect(contradicts([{ ...one, places: 300, missed: 50, said: 0.05 }])).toBe(true);
    expect(contradicts([{ ...one, places: 300, missed: 5, said: 0.2 }])).toBe(true);
  });
});

describe("rows of very different size", () => {
  const [{ operation, spec }] = choose(["linear.forward"]);
  const c = caseOf("linear.forward", { R: 270, O: 260, C: 32 });
  const { inputs, scalars } = buildCase(spec, c);
  const data = (inputs.x.data as Float32Array).map((x, i) => x * 2 ** (((Math.floor(i / 32) * 7) % 41) - 20));
  const problem = roundProblem(operation, { inputs: { ...inputs, x: { ...inputs.x, data } }, scalars }, "float32");
  const [{ y: want }, { y: allowed }] = [truth(operation, problem), allowancesOf(operation, problem, target)];
  const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array).y;

  it("hide no fault that is outside its bound: it is a suspect wherever it lies", () => {
    const suspects = new Suspects(right, want, new Scales(want, dtypes.float32));
    let outside = 0;
    for (const [i, w] of want.data.entries()) {
      for (const wrong of [0, want.data[(i + 1) % want.data.length], 1.01 * w]) {
        const error = Math.abs(wrong - w);
        if (!(error > INFLATION * allowed.data[i])) continue;
        outside++;
        expect(suspects.has(i, error), `element ${i}`).toBe(true);
      }
    }
    expect(outside).toBeGreaterThan(2.9 * want.data.length);
  });

  it("are seen: few elements, and no row, are missed", () => {
    const { missed } = comparing(spec, c, true)(operation, problem, {
      target,
      dtype: "float32",
    })("y", right);
    for (const extent of faultExtents)
      for (const kind of faultKinds) expect(missed![extent][kind].places).toBeGreaterThan(0);
    expect(missed!.element.percent.missed).toBeLessThan(0.03 * missed!.element.percent.places);
    expect(missed!.row.zero.missed).toBe(0);
  });
});

it("a number in place of an infinity that the target promises is a suspect", () => {
  const want = { data: Float64Array.of(1, Infinity, -Infinity, 2), shape: [2, 2] };
  const got = { data: Float64Array.of(1, 7, -Infinity, 2), shape: [2, 2] };
  const scales = new Scales(want, dtypes.float32);
  expect(new Suspects(got, want, scales, true).list).toEqual([1]);
  expect(new Suspects(got, want, scales, false).list).toEqual([]);
});
