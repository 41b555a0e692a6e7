// Lanes that each have a maximum: merged by halves they are within the bound, and one after another, where e⁰ errs at every merge, they are what the rows
// list as not covered.
import { expect, test } from "vitest";
import { type Expectation, oracle } from "../../judge/api/oracle.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { bases, merge, type Partial, tree } from "./evaluations-row.ts";
import { crossEntropyForward } from "./problems.ts";
import { type Id, Tape } from "./tape.ts";

const LANES = 1024;
const problem = crossEntropyForward(LANES, "constant", 1);
const base = bases["natural byLog"];

/** Error ÷ bound of lse where each lane has one logit, for a way of merging them. */
function shareOf(name: "wgsl" | "cuda", merged: (t: Tape, lanes: Partial[]) => Partial): number {
  const t = new Tape(targets[name]);
  const { lse } = oracle(problem as Parameters<typeof oracle>[0], { target: targets[name] }) as Record<
    string,
    Expectation
  >;
  const lanes = t.leaves(problem.inputs.logits.data).map((x: Id) => ({ m: x, sum: base.of(t, x, x) }));
  const { m, sum } = merged(t, lanes);
  return t.worst(base.lse(t, m, sum), lse.truth.data[0]).reached / lse.bound.data[0];
}

test("1,024 lanes are within the bound by halves, and in turn where exp(0) is promised to be 1, as the rows say", () => {
  const byHalves = (t: Tape, lanes: Partial[]): Partial => tree(t, lanes, base);
  const inTurn = (t: Tape, lanes: Partial[]): Partial => lanes.reduce((a, b) => merge(t, a, b, base));
  expect(shareOf("wgsl", byHalves)).toBeLessThanOrEqual(1);
  expect(shareOf("cuda", byHalves)).toBeLessThanOrEqual(1);
  expect(shareOf("cuda", inTurn)).toBeLessThanOrEqual(1);
  expect(shareOf("wgsl", inTurn)).toBeGreaterThan(1);
  for (const op of ["softmax.forward", "cross-entropy.forward", "cross-entropy.backward"]) {
    expect(
      Object.keys(operations.get(op)!.uncovered ?? {}).some((way) => way.includes("merged one after another")),
    ).toBe(true);
  }
});
