// Real scalars are rounded to float32 on every way to a verdict, which is the same whether the caller has rounded them or not.
import { describe, expect, test } from "vitest";
import { allowancesOf, judgeProblem, judgeOutputs, roundProblem, roundScalars, truth } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { candidate } from "./candidates.ts";
import { ieeeTerms } from "../terms.ts";

const operation = operations.get("rmsnorm.forward")!;
/** A row of zeros: rstd is 1 / √eps and nothing else, so half the rounding of eps is its error. */
const inputs = { x: tensor(new Float32Array(3), [1, 3]), w: tensor(new Float32Array(3).fill(1), [3]) };
const eps = 1e-5; // no float32 number
const whole = { inputs, scalars: { eps } };
const rounded = { inputs, scalars: { eps: Math.fround(eps) } };

describe("an eps that is not a float32 number", () => {
  test("is rounded once: rounding it again changes nothing", () => {
    const once = roundScalars(operation, whole.scalars);
    expect(once).toEqual({ eps: Math.fround(eps) });
    expect(roundScalars(operation, once)).toEqual(once);
    expect(roundProblem(operation, whole, "bfloat16").scalars).toEqual(once);
  });

  test("gives the truth and the allowances of the rounded one", () => {
    expect(truth(operation, whole)).toEqual(truth(operation, rounded));
    expect(truth(operation, whole).rstd.data[0]).not.toBe(1 / Math.sqrt(eps));
    expect(allowancesOf(operation, whole, targets.ieee)).toEqual(allowancesOf(operation, rounded, targets.ieee));
  });

  test("gives the same verdict on outputs as on the candidate that made them", async () => {
    const correct = candidate((given, scalars) => operation.evaluate(given, scalars, Float32Array));
    const { outputs } = await correct.run(inputs, roundScalars(operation, whole.scalars));
    const onOutputs = judgeOutputs(operation, outputs, whole, ieeeTerms);
    expect(onOutputs).toEqual(await judgeProblem(operation, correct, whole, ieeeTerms));
    expect(onOutputs).toEqual(judgeOutputs(operation, outputs, rounded, ieeeTerms));
    expect(onOutputs.findings).toEqual([]);
  });
});
