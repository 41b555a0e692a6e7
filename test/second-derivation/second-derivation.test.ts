// A second derivation of the bounds, from the ops' formulas, the forms that their rows list and the targets' figures alone. No bound is used to
// make it: every form is written as operations on a tape, each operation errs by what the target allows, and the signs are chosen
// for the worst. What comes out is a correct result by the letter of the specification, so that it must be within the bound.
import { describe, expect, test } from "vitest";
import { targets } from "../../reference/targets.ts";
import { sharesOf } from "./shares.ts";
import { smallProblems } from "./small.ts";

const names = ["ieee", "cuda", "wgsl", "cuda-fast-math", "triton"] as const;

/**
 * What the worst evaluation reaches of the bound at some element: half where nothing is added up but a few numbers, since a figure in units in the
 * last place counts at most twice, at the lower end of a binade. Attention's bound takes errors for independent that are one error, a scale's or a row's.
 */
const reachable = (op: string): number => (op.startsWith("attention") ? 1 / 15 : 1 / 2);

describe.each(Object.keys(smallProblems))("%s", (op) => {
  test.each(names)("%s permits no listed evaluation that is outside the bound", (name) => {
    const shares = smallProblems[op]().flatMap((problem) =>
      sharesOf(problem, targets[name], op.startsWith("attention")),
    );
    expect(shares.length).toBeGreaterThan(0);
    expect(shares.filter(({ reached }) => !(reached <= 1))).toEqual([]);
    expect(Math.max(...shares.map(({ reached }) => reached))).toBeGreaterThan(reachable(op));
  });
});
