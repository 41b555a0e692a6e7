import { describe, expect, test } from "vitest";
import { exp } from "../../reference/elementary.ts";
import * as bound from "../../reference/ops/swiglu.bound.ts";
import * as swiglu from "../../reference/ops/swiglu.ts";
import { type FunctionName, functionNames, type Region, type Target, targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testBound } from "../rows.ts";
import { testShapes } from "../shapes.ts";

testBound("swiglu.forward");
testBound("swiglu.backward");
testShapes("swiglu.forward");
testShapes("swiglu.backward");

describe("where a target states tanh or a sigmoid and no exponential, and hardly errs, the bound vanishes", () => {
  const HARDLY = 2 ** -45;
  const everywhere: readonly Region[] = [{ from: -Infinity, to: Infinity, relative: HARDLY }];
  const stating = (...names: readonly FunctionName[]): Target => ({
    ...targets.ieee,
    u: HARDLY,
    functions: Object.fromEntries(functionNames.map((name) => [name, names.includes(name) ? everywhere : []])) as never,
  });
  const row = (...xs: readonly number[]) => tensor(Float64Array.from(xs), [1, xs.length]);
  // tanh(z / 2) is a series below 1/64, and a quotient of exponentials above.
  const gate = row(2 ** -20, 2 ** -9, -(2 ** -7), 2 ** -5.01, 2 ** -4.99, -0.25, 1, -3, 9);
  const up = row(...Array.from(gate.data, () => 1));

  test.each<[string, readonly FunctionName[]]>([
    ["tanh", ["tanh"]],
    ["sigmoid", ["sigmoid"]],
    ["both", ["tanh", "sigmoid"]],
    ["all", ["tanh", "sigmoid", "exp", "exp2", "divide"]],
  ])("%s", (_, names) => {
    const target = stating(...names);
    const y = bound.forward.bound({ gate, up }, {}, target).y.data;
    const { dgate, dup } = bound.backward.bound({ dy: up, gate, up }, {}, target);
    // σ is off by some 40 of these, and e^−z by e^|z| of them, since it may be 2^(z · log2 e).
    const most = Array.from(gate.data, (z) => 64 * HARDLY * (1 + Math.abs(z)) * exp(Math.abs(z)));
    const wide = [y, dgate.data, dup.data].map((of) => most.filter((limit, i) => !(of[i] <= limit)));
    expect(wide).toEqual([[], [], []]);
    expect(y.every((error, i) => error >= (HARDLY * Math.abs(swiglu.forward(gate, up).y.data[i])) / 2)).toBe(true);
  });
});
