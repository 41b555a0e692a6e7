// σ and silu by tanh, for a target that states it: the second derivation reaches the bound, and no more.
import { expect, test } from "vitest";
import { type Expectation, oracle } from "../../judge/api/oracle.ts";
import { dtypes } from "../../reference/dtype.ts";
import { targets } from "../../reference/targets.ts";
import { bases, tanhForwards } from "./evaluations-swiglu.ts";
import { swiglu } from "./problems.ts";
import { Tape } from "./tape.ts";

const { max } = dtypes.float32;
const tanh = [{ from: -max, to: max, relative: 2 ** -11 }];

test.each(["cuda", "triton", "wgsl"] as const)("%s with PTX's tanh.approx", (base) => {
  const target = { ...targets[base], name: "by tanh", functions: { ...targets[base].functions, tanh } };
  const shares = [1, 10, 100].flatMap((scale) => {
    const problem = swiglu(60, "normal", 5, scale);
    const { y } = oracle(problem as Parameters<typeof oracle>[0], { target }) as Record<string, Expectation>;
    return Object.values(tanhForwards).flatMap((forward) =>
      Array.from(problem.inputs.gate.data, (z, i) => {
        const t = new Tape(target);
        const result = forward(t, t.leaf(z), t.leaf(problem.inputs.up.data[i]), bases.e);
        return t.worst(result, y.truth.data[i]).reached / y.bound.data[i];
      }),
    );
  });
  expect(shares.filter((share) => !(share <= 1))).toEqual([]);
  expect(Math.max(...shares)).toBeGreaterThan(1 / 2);
});
