// What a check sees of a large attention without its truth: any one row that is 1 % too large.
import { describe, expect, it } from "vitest";
import { setSame } from "../../judge/attention-checks.ts";
import type { Problem } from "../../judge/case.ts";
import { backward, forward } from "../../judge/ops/attention.ts";
import { lookingLow } from "../../judge/looks-low.ts";
import { type Comparing, everyElement, judgeOutputs } from "../../judge/verdict.ts";
import { ieeeTerms } from "../terms.ts";
import { atSample } from "../../judge/sampled.ts";
import type { Sampling } from "../../judge/sampled.ts";
import { integer } from "../../reference/random.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { few } from "../few.ts";

const HS = 16;
const sizes = { B: 2, NKV: 2, groups: 2, T: 32, S: 40, HS };
const seed = 3;
const made = forward.build(sizes, "unit", seed);
setSame(made.inputs.v, seed);
const given = operations.get("attention.forward")!.evaluate(made.inputs, {}, Float32Array);
const dy = backward.build(sizes, "unit", seed).inputs.dy;

const samplings = { forward: forward.sampling as Sampling, backward: backward.sampling as Sampling };
const problems: Record<string, Problem> = {
  forward: { inputs: made.inputs, scalars: {}, profile: "unit" },
  backward: { inputs: { ...made.inputs, dy, y: given.y, lse: given.lse }, scalars: {}, profile: "unit" },
};

describe.each(["forward", "backward"] as const)("%s, of which hardly any truth is known", (direction) => {
  const operation = operations.get(`attention.${direction}`)!;
  const problem = problems[direction];
  const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  const sampling = few(samplings[direction], 200);
  const manner = { seed, counts: true };
  const compare = atSample(sampling, manner)(operation, problem, { target: targets.ieee, dtype: "float32" });
  const rows = Object.entries(right).filter(([output]) => output !== "lse");

  it.each(rows)("%s: what is right has no finding, and hardly a row would be missed", (output, tensor) => {
    const { outside, withoutTruth, missed } = compare(output, tensor, right);
    expect(outside).toBe(0);
    expect(withoutTruth).toBeGreaterThan(tensor.data.length / 2);
    const { places, missed: sum } = missed!.row.percent;
    expect(sum / places).toBeLessThan(1 / 100);
  });

  it.each(rows)("%s: rows that are too large by a hundredth are found, whichever it is", (output, { data, shape }) => {
    const judge = atSample(sampling, { seed, counts: false })(operation, problem, {
      target: targets.ieee,
      dtype: "float32",
    });
    for (let n = 0; n < 4; n++) {
      const row = integer(seed, 1, n, data.length / HS);
      const wrong = Float32Array.from(data, (x, i) => (Math.floor(i / HS) === row ? 1.01 * x : x));
      const tensor = { data: wrong, shape };
      expect([row, judge(output, tensor, { ...right, [output]: tensor }).outside]).not.toEqual([row, 0]);
    }
  });
});

it("is given all outputs in a check, dk next to dq", () => {
  const outputs = { dq: made.inputs.q, dk: made.inputs.k, dv: made.inputs.v };
  const seen: unknown[] = [];
  const compare: Comparing = (operation, problem, terms) => {
    const everywhere = everyElement(operation, problem, terms);
    return (output, got, all) => {
      seen.push(all);
      return everywhere(output, got);
    };
  };
  const c = { op: backward.op, sizes, profile: "unit", seed } as const;
  const looking = lookingLow(backward, c, true, compare);
  judgeOutputs(operations.get(backward.op)!, outputs, problems.backward, ieeeTerms, [], looking);
  expect(seen.length).toBeGreaterThanOrEqual(3); // these are wrong, so each is compared without a promise as well
  for (const all of seen) expect(all).toEqual(outputs);
});
