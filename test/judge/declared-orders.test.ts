// Correct evaluations that add in the order that they declare are never accused, in any op.
import { expect, test } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import { exampleCases, formatCase } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeOutputs, roundProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import type { SumOrder } from "../../reference/sum-order.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { Float32Arithmetic, type Order, roundings } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { habits } from "../sum-terms.ts";

const ELEMENTS = 1500;
const declared: readonly (readonly [Order, SumOrder])[] = [
  ["blocked", { kind: "blocked", terms: 16 }],
  ["pairwise", { kind: "pairwise", terms: 1 }],
];

const withSums = [...operations.values()].filter(({ sums }) => Object.keys(sums).length > 0);

test.each(withSums.map((operation) => [operation.name, operation] as const))("%s", (op, operation) => {
  const spec = judgeRows.get(op)!;
  let [compared, n] = [0, 0];
  for (const c of exampleCases(spec, 11, targets.wgsl)) {
    if (compared > ELEMENTS) break;
    const problem = roundProblem(operation, buildCase(spec, c), "float32");
    for (const evaluation of evaluationsOf(op)) {
      for (const [order, sum] of declared) {
        const rounding = roundings[n++ % roundings.length];
        if (rounding === "adversarial" && c.profile === "lattice") continue; // it errs where nothing is rounded
        const sums = Object.fromEntries(Object.keys(operation.sums).map((name) => [name, sum]));
        const target: Target = { ...targets[n % 2 === 0 ? "ieee" : "wgsl"], sums };
        const f = new Float32Arithmetic(
          target,
          habits({ rounding, order, fused: n % 3 === 0, flushes: target.flushes, seed: n % 3 }),
        );
        const outputs = evaluation.evaluate(f, problem.inputs, problem.scalars);
        const { findings, comparisons } = judgeOutputs(operation, outputs, problem, { target, dtype: "float32" });
        expect(findings, `${formatCase(c)} ${evaluation.covers} ${order} ${rounding}`).toEqual([]);
        for (const { judged } of comparisons) compared += judged;
      }
    }
  }
  expect(compared).toBeGreaterThan(0);
});
