// What rules of tolerance and the bounds say of correct evaluations of an op: every accusation is a false alarm.
import * as fc from "fast-check";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { judgeOutputs, roundScalars, truth } from "../../judge/verdict.ts";
import { targets } from "../../reference/targets.ts";
import { Float32Arithmetic, orders } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { float32 } from "../terms.ts";
import { ruledBy, type RuleName, ruleNames } from "./rules.ts";

/** Correct evaluations of an op: how many each judge was asked about, and how many it accused. */
export interface FalseAlarms {
  readonly op: string;
  readonly judges: Readonly<Record<RuleName | "Touchstone", { readonly of: number; readonly accused: number }>>;
}

const DRAWN = 40;
const target = targets.wgsl;

/** Each evaluation of the op on the examples and on drawn cases, in each order in turn, rounded to nearest. */
export function falseAlarms(op: string, seed: number): FalseAlarms {
  const [{ operation, spec }] = choose([op]);
  const judges = Object.fromEntries([...ruleNames, "Touchstone"].map((name) => [name, { of: 0, accused: 0 }]));
  const drawn = fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN, seed });
  for (const [n, c] of [...exampleCases(spec, seed), ...drawn].entries()) {
    const { inputs, scalars } = spec.build(c.sizes, c.profile as "unit", c.seed);
    const problem = { inputs, scalars: roundScalars(operation, scalars), profile: c.profile };
    const want = truth(operation, problem);
    for (const evaluation of evaluationsOf(op)) {
      const order = orders[n % orders.length];
      const habits = { rounding: "nearest", order, fused: false, flushes: false, functions: "exact", seed: n } as const;
      const got = evaluation.evaluate(new Float32Arithmetic(target, habits), problem.inputs, problem.scalars);
      const isAccused = judgeOutputs(operation, got, problem, float32(target)).findings.length > 0;
      for (const [name, accuses] of Object.entries({ ...ruledBy(op, problem, got, want), Touchstone: isAccused })) {
        if (accuses === undefined) continue;
        judges[name].of++;
        if (accuses) judges[name].accused++;
      }
    }
  }
  return { op, judges: judges as FalseAlarms["judges"] };
}
