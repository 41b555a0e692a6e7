// A second derivation of the bounds, from the ops' formulas, the forms that their rows list and the targets' figures alone. No bound is used to
// make it: every form is written as operations on a tape, each operation errs by what the target allows, and the signs are chosen
// for the worst. What comes out is a correct result by the letter of the specification, so that it must be within the bound.
import { describe, expect, test } from "vitest";
import { targets } from "../../reference/targets.ts";
import * as problems from "./problems.ts";
import { sharesOf } from "./shares.ts";

const names = ["ieee", "cuda", "wgsl", "cuda-fast-math", "triton"] as const;

/** Problems of each op, small enough for every form with every other. */
const small: Readonly<Record<string, () => problems.Problem[]>> = {
  "rmsnorm.backward": () => [
    problems.rmsnormBackward(2, "normal", 54),
    problems.rmsnormBackward(3, "positive", 1),
    problems.rmsnormBackward(5, "normal", 2),
    problems.rmsnormBackward(120, "positive", 3),
  ],
  "swiglu.forward": () => [problems.swiglu(24, "normal", 1), problems.swiglu(24, "normal", 2, 30)],
  "swiglu.backward": () => [problems.swigluBackward(12, "normal", 1), problems.swigluBackward(12, "normal", 2, 30)],
  "softmax.forward": () => [problems.softmaxForward(1, "normal", 1), problems.softmaxForward(18, "stairs", 1)],
  "cross-entropy.forward": () => [
    problems.crossEntropyForward(2, "normal", 1),
    problems.crossEntropyForward(18, "normal", 2, 20),
    problems.crossEntropyForward(18, "stairs", 1),
  ],
  "cross-entropy.backward": () => [
    problems.crossEntropyBackward(3, 7, "normal", 1, 1),
    problems.crossEntropyBackward(3, 2, "normal", 2, 2 ** -124),
  ],
  "attention.forward": () => [
    problems.attentionForward(2, 3, 1, "normal", 1, 6),
    problems.attentionForward(3, 6, 2, "stairs", 2),
  ],
  "attention.backward": () => [problems.attentionBackward(2, 2, 1, "normal", 1, 3)],
  "gradient-norm.forward": () => [1, 3, 40].map((N) => problems.gradientNorm(N, "normal", N)),
};

/**
 * What the worst evaluation reaches of the bound at some element: half where nothing is added up but a few numbers, since a figure in units in the
 * last place counts at most twice, at the lower end of a binade. Attention's bound takes errors for independent that are one error, a scale's or a row's.
 */
const reachable = (op: string): number => (op.startsWith("attention") ? 1 / 15 : 1 / 2);

describe.each(Object.keys(small))("%s", (op) => {
  test.each(names)("%s permits no listed evaluation that is outside the bound", (name) => {
    const shares = small[op]().flatMap((problem) => sharesOf(problem, targets[name], op.startsWith("attention")));
    expect(shares.length).toBeGreaterThan(0);
    expect(shares.filter(({ reached }) => !(reached <= 1))).toEqual([]);
    expect(Math.max(...shares.map(({ reached }) => reached))).toBeGreaterThan(reachable(op));
  });
});
