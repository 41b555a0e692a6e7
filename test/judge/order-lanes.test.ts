// Long sums: several pairs are asked in one run, each at places of its own, and the tree that comes out is asked again at every place.
import { describe, expect, test } from "vitest";
import { layouts } from "../../judge/orders/layouts.ts";
import { reveal } from "../../judge/orders/reveal.ts";
import { treeInWords } from "../../judge/orders/words.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { type Floats, tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic, type Order } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { habits } from "../sum-terms.ts";

const layout = layouts[0];
const operation = operations.get("linear.forward")!;
const sizes = { R: 1, O: 8, C: 520 };

/** linear.forward that adds in that order, in the last column perhaps in another. */
function product(order: Order, ofLast = order): Candidate {
  const run: Candidate["run"] = ({ x, w }) => {
    const y = tensor(new Float32Array(sizes.R * sizes.O), [sizes.R, sizes.O]);
    for (let i = 0; i < y.data.length; i++) {
      const [r, o] = [Math.floor(i / sizes.O), i % sizes.O];
      const [a, b] = [(x.data as Floats).subarray(r * sizes.C, (r + 1) * sizes.C), w.data.subarray(o * sizes.C)];
      const own = o === sizes.O - 1 ? ofLast : order;
      y.data[i] = new Float32Arithmetic(targets.ieee, habits({ order: own })).sum(Array.from(a, (t, k) => t * b[k]));
    }
    return Promise.resolve({ outputs: { y }, complaints: [] });
  };
  return { name: "mine", run };
}
const asked = (candidate: Candidate) => reveal({ layout, operation, candidate, dtype: "float32", sizes });

describe("520 terms at 8 lanes", () => {
  test.each<[Order, string, most: number]>([
    // n − 1 pairs, 8 at a time, two runs that try M, and 64 again at every place; by runs of 16, which are asked alone, still fewer than one for each pair.
    ["sequential", "520 terms in turn", Math.ceil(519 / 8) + 2 + 64],
    ["blocked", "32 runs of 16 terms in turn and one of 8 terms in turn; their sums in turn", 519],
  ])("%s takes few runs", async (order, words, most) => {
    const { trees, places, runs, atOnce } = await asked(product(order));
    expect([atOnce, places, trees.length, trees[0].places]).toEqual([8, 8, 1, 8]);
    expect(treeInWords(trees[0].tree)).toBe(words);
    expect(runs).toBeLessThanOrEqual(most);
  });

  test("places that differ are asked one pair after another, and told apart", async () => {
    const { trees, atOnce } = await asked(product("sequential", "blocked"));
    expect([atOnce, trees.map((one) => one.places)]).toEqual([undefined, [7, 1]]);
  });
});

test.each(layouts.filter(({ lanes }) => lanes !== undefined))("lanes of $op $sum show the same tree", async (one) => {
  const op = operations.get(one.op)!;
  const [evaluation] = evaluationsOf(one.op);
  const axis = Object.keys(one.sizes).find((name) => one.terms({ ...one.sizes, [name]: 520 }) === 520);
  const few = Object.fromEntries(
    Object.keys(one.sizes).map((name) => [name, name === axis ? 520 : name === "V" ? 2 : 3]),
  );
  const candidate: Candidate = {
    name: "zoo",
    run: (inputs, scalars) => {
      const f = new Float32Arithmetic(targets.ieee, habits({ order: "sequential" }));
      const outputs = { ...op.evaluate(inputs, scalars, Float32Array), ...evaluation.evaluate(f, inputs, scalars) };
      const stored = Object.entries(outputs).map(([name, { data, shape }]) => [
        name,
        { data: Float32Array.from(data), shape },
      ]);
      return Promise.resolve({ outputs: Object.fromEntries(stored), complaints: [] });
    },
  };
  const { trees, atOnce } = await reveal({ layout: one, operation: op, candidate, dtype: "float32", sizes: few });
  expect([atOnce, trees.length]).toEqual([3, 1]);
  expect(treeInWords(trees[0].tree)).toBe("520 terms in turn");
});
