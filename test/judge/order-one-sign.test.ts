// Sums of one sign: the tree of their additions, from what a large term swallows.
import { describe, expect, test } from "vitest";
import { oneSignLayouts } from "../../judge/orders/one-sign-layouts.ts";
import { revealOneSign } from "../../judge/orders/one-sign.ts";
import { treeInWords } from "../../judge/orders/words.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { operations } from "../../reference/ops/index.ts";
import type { SumTree } from "../../reference/sum-tree.ts";
import { targets } from "../../reference/targets.ts";
import { type Floats, tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic, type Order } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { habits } from "../sum-terms.ts";
import { drawnTree, sizesIn } from "./drawn-tree.ts";

const { fround } = Math;
type Add = (a: number, b: number) => number;
const nearest: Add = (a, b) => fround(a + b);
/** Towards zero, of numbers that are not negative. */
const cut: Add = (a, b) => {
  const sum = fround(a + b);
  return sum > a + b
    ? new Float32Array(Int32Array.of(new Int32Array(Float32Array.of(sum).buffer)[0] - 1).buffer)[0]
    : sum;
};

function sumBy({ additions }: SumTree, terms: readonly number[], add: Add): number {
  const values = [...terms];
  for (const [a, b] of additions) values.push(add(values[a], values[b]));
  return values.at(-1)!;
}

/** rmsnorm.forward whose squares are added in a tree, that of a row. */
function norm(treeOf: (r: number) => SumTree, add: Add = nearest): Candidate {
  const run: Candidate["run"] = ({ x }, { eps }) => {
    const [R, C] = x.shape;
    const rstd = Float32Array.from({ length: R }, (_, r) => {
      const row = Array.from((x.data as Floats).subarray(r * C, (r + 1) * C), (one) => fround(one * one));
      return 1 / Math.sqrt(fround(fround(sumBy(treeOf(r), row, add) / C) + Number(eps)));
    });
    return Promise.resolve({
      outputs: { y: tensor(new Float32Array(R * C), [R, C]), rstd: tensor(rstd, [R]) },
      complaints: [],
    });
  };
  return { name: "mine", run };
}

const operation = operations.get("rmsnorm.forward")!;
const layout = oneSignLayouts.find(({ op }) => op === "rmsnorm.forward")!;
const asked = (candidate: Candidate, C: number) =>
  revealOneSign({ layout, operation, candidate, dtype: "float32", sizes: { R: 8, C, eps: "1e-5" } });

describe("squares of rmsnorm.forward", () => {
  test.each([2, 3, 7, 20, 33])("any tree of %i terms is found, rounded to nearest and cut off", async (n) => {
    for (const seed of [1, 2, 3]) {
      const tree = drawnTree(n, seed, 2);
      for (const add of [nearest, cut]) {
        const { trees, places, findings } = await asked(
          norm(() => tree, add),
          n,
        );
        expect([trees.length, places, findings]).toEqual([1, 8, []]);
        expect(sizesIn(trees[0].tree)).toEqual(sizesIn(tree));
      }
    }
  });

  test("rows that differ and sums that lose nothing have no tree, and a reason", async () => {
    const [one, other] = [drawnTree(20, 1, 2), drawnTree(20, 2, 2)];
    expect(
      await asked(
        norm((r) => (r === 5 ? other : one)),
        20,
      ),
    ).toMatchObject({ trees: [], reason: expect.any(String) });
    expect(
      await asked(
        norm(
          () => one,
          (a, b) => a + b,
        ),
        20,
      ),
    ).toMatchObject({ trees: [], reason: expect.any(String) });
  });
});

test.each(
  oneSignLayouts.flatMap((one) =>
    (["sequential", "pairwise"] as const).map((order): [string, Order] => [one.op, order]),
  ),
)("%s, %s", async (name, order) => {
  const one = oneSignLayouts.find(({ op }) => op === name)!;
  const op = operations.get(name)!;
  const axis = ["C", "V", "S", "N"].find(
    (letter) => letter in one.sizes && one.terms({ ...one.sizes, [letter]: 16 }) === 16,
  );
  const sizes = { ...one.sizes, [axis!]: 16 };
  const [evaluation] = evaluationsOf(name);
  const candidate: Candidate = {
    name: "zoo",
    run: (inputs, scalars) => {
      const outputs = evaluation.evaluate(new Float32Arithmetic(targets.ieee, habits({ order })), inputs, scalars);
      const stored = Object.entries(outputs).map(([output, { data, shape }]) => [
        output,
        { data: Float32Array.from(data), shape },
      ]);
      return Promise.resolve({ outputs: Object.fromEntries(stored), complaints: [] });
    },
  };
  const { trees, reason } = await revealOneSign({ layout: one, operation: op, candidate, dtype: "float32", sizes });
  expect([reason, trees.map(({ tree }) => treeInWords(tree))]).toEqual([
    undefined,
    [order === "sequential" ? "16 terms in turn" : "16 terms pairwise"],
  ]);
});
