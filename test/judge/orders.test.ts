// Orders of summation, revealed from outputs alone: the tree of each order that a kernel may have, and a reason where there is none.
import { describe, expect, test } from "vitest";
import { choose } from "../../judge/choose.ts";
import { Deadline } from "../../judge/deadline.ts";
import type { Layout } from "../../judge/orders/layout.ts";
import { layouts, notRevealed } from "../../judge/orders/layouts.ts";
import { allLayouts, ordersOf, rulesOf } from "../../judge/orders/orders.ts";
import { reveal, type Revealed } from "../../judge/orders/reveal.ts";
import { declarable, treeInWords, widthOf } from "../../judge/orders/words.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { round as roundTo, dtypes, type DTypeName } from "../../reference/dtype.ts";
import type { Inputs, Outputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { checkTree, depthOf } from "../../reference/sum-tree.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { Float32Arithmetic, type Order } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { habits } from "../sum-terms.ts";
import { drawnTree, sizesIn } from "./drawn-tree.ts";

const exact = operations.get("linear.forward")!;
const layout = layouts[0];

/** linear.forward whose sums `sumOf` takes. */
function product(sumOf: (terms: number[], r: number, o: number) => number, dtype: DTypeName = "float32"): Candidate {
  const run = async ({ x, w }: Inputs): Promise<{ outputs: Outputs; complaints: string[] }> => {
    const [[R, C], [O]] = [x.shape, w.shape];
    const y = tensor(new Float32Array(R * O), [R, O]);
    for (let i = 0; i < R * O; i++) {
      const [r, o] = [Math.floor(i / O), i % O];
      const terms = Array.from({ length: C }, (_, c) => x.data[r * C + c] * w.data[o * C + c]);
      y.data[i] = roundTo(sumOf(terms, r, o), dtypes[dtype]);
    }
    return { outputs: { y }, complaints: [] };
  };
  return { name: "mine", run };
}

const { fround } = Math;
const inTurn = (terms: readonly number[], add = (a: number, b: number): number => fround(a + b)): number =>
  terms.reduce(add, 0);
const asked = (candidate: Candidate, C: number, dtype: DTypeName = "float32", R = 1, O = 1): Promise<Revealed> =>
  reveal({ layout, operation: exact, candidate, dtype, sizes: { R, O, C } });

describe("linear.forward", () => {
  const zoo = (order: Order): Candidate =>
    product((terms) => new Float32Arithmetic(targets.ieee, habits({ order })).sum(terms));
  test.each<[Order, number, string, string[]]>([
    ["sequential", 100, "100 terms in turn", ["depth:99"]],
    ["reversed", 100, "100 terms in turn, the last one first", ["depth:99"]],
    ["pairwise", 128, "128 terms pairwise", ["pairwise", "depth:7"]],
    ["blocked", 128, "8 runs of 16 terms in turn; their sums in turn", ["blocked:16", "depth:22"]],
    [
      "blocked",
      100,
      "6 runs of 16 terms in turn and one of 4 terms in turn; their sums in turn",
      ["blocked:16", "depth:21"],
    ],
    ["strided", 256, "64 lanes of every 64th term, each of 4 terms in turn; their sums pairwise", ["depth:9"]],
  ])("%s over %i terms: %s", async (order, n, words, declared) => {
    const { trees, reason, findings } = await asked(zoo(order), n);
    expect({ reason, findings }).toEqual({ reason: undefined, findings: [] });
    expect(trees).toHaveLength(1);
    checkTree(trees[0].tree);
    expect(treeInWords(trees[0].tree)).toBe(words);
    expect(declarable(trees[0].tree)).toEqual(declared);
  });

  test("any tree is found, and the kernel that has it lies within its bound", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const n = 5 + 7 * seed;
      const tree = drawnTree(n, seed);
      const sum = (terms: number[]): number => {
        const values = [...terms];
        for (const [a, b] of tree.additions) values.push(fround(values[a] + values[b]));
        return values.at(-1)!;
      };
      const { trees } = await asked(product(sum), n);
      expect(sizesIn(trees[0].tree)).toEqual(sizesIn(tree));
      expect(depthOf(trees[0].tree)).toBe(depthOf(tree));
    }
  });

  test("where the order depends on the place, that is said", async () => {
    const { trees, places } = await asked(
      product((terms, r) => inTurn(r === 4 ? terms.toReversed() : terms)),
      40,
      "float32",
      5,
      3,
    );
    expect(places).toBe(15);
    expect(trees.map(({ places: own, first, tree }) => [own, first, treeInWords(tree)])).toEqual([
      [12, [0, 0], "40 terms in turn"],
      [3, [4, 0], "40 terms in turn, the last one first"],
    ]);
  });

  test("a unit of 8 terms and the sum so far, which truncates where it aligns", async () => {
    const unit = (terms: number[]): number => {
      let sum = 0;
      for (let i = 0; i < terms.length; i += 8) {
        const numbers = [sum, ...terms.slice(i, i + 8)];
        const grid = 2 ** (Math.floor(Math.log2(Math.max(...numbers.map(Math.abs), 2 ** -126))) - 23);
        sum = numbers.reduce((total, x) => total + Math.trunc(x / grid) * grid, 0);
      }
      return sum;
    };
    const { trees, reason } = await asked(product(unit), 64);
    expect(reason).toBeUndefined();
    expect(widthOf(trees[0].tree)).toBe(9);
    expect(treeInWords(trees[0].tree)).toBe("64 terms, 8 and the sum so far at once, 8 times");
    expect(declarable(trees[0].tree)).toEqual([]);
  });

  test("sums in float64 show their order too", async () => {
    const { trees } = await asked(
      product((terms) => inTurn(terms, (a, b) => a + b)),
      64,
    );
    expect(treeInWords(trees[0].tree)).toBe("64 terms in turn");
  });

  test.each<[DTypeName, DTypeName]>([
    ["bfloat16", "float32"],
    ["float16", "float32"],
    ["bfloat16", "bfloat16"],
    ["float16", "float16"],
    ["float32", "float16"],
    ["float32", "bfloat16"],
  ])("tensors in %s, sums in %s: more terms than they count are counted in pieces", async (dtype, sums) => {
    const add = (a: number, b: number): number => roundTo(a + b, dtypes[sums]);
    const kernel = product(
      (terms) =>
        inTurn(
          terms.map((t) => roundTo(t, dtypes[sums])),
          add,
        ),
      dtype,
    );
    const { trees, reason } = await asked(kernel, 400, dtype);
    expect(reason).toBeUndefined();
    expect(treeInWords(trees[0].tree)).toBe("400 terms in turn");
  });

  test("terms that are lost or added twice are findings", async () => {
    const lost = await asked(
      product((terms) => inTurn(terms.slice(0, -2))),
      20,
    );
    expect(lost).toMatchObject({ trees: [], findings: ["lost: terms 18, 19"] });
    const twice = await asked(
      product((terms) => inTurn([...terms, terms[3]])),
      20,
    );
    expect(twice).toMatchObject({ trees: [], findings: ["added 2 times: term 3"] });
    const both = await asked(
      product((terms) => inTurn([...terms.slice(0, 19), terms[3]])),
      20,
    );
    expect(both.trees).toEqual([]);
    expect(both.findings).toEqual(["added 2 times: term 3", "lost: term 19"]);
  });

  test("no tree where there is none, and a reason", async () => {
    const compensated = (terms: number[]): number => {
      let [sum, lost] = [0, 0];
      for (const t of terms) {
        const next = fround(sum + t);
        lost = fround(lost + fround(Math.abs(sum) >= Math.abs(t) ? fround(sum - next) + t : fround(t - next) + sum));
        sum = next;
      }
      return fround(sum + lost);
    };
    const kahan = await asked(product(compensated), 30);
    expect(kahan.trees).toEqual([]);
    expect(kahan.findings).toEqual([]);
    expect(kahan.reason).toMatch(/^./);
    const nan = await asked(
      product(() => NaN),
      30,
    );
    expect(nan).toMatchObject({ trees: [], findings: [], reason: expect.stringMatching(/add up to NaN/) });
    let runs = 0;
    const changing = await asked(
      product((terms) => inTurn(runs++ % 3 === 0 ? terms : terms.toReversed())),
      30,
    );
    expect(changing.trees).toEqual([]);
    expect(changing.reason).toMatch(/^two runs on the same inputs differ/);
  });
});

describe("every sum that is revealed, in each correct evaluation", () => {
  const small = (one: Layout): Layout => ({
    ...one,
    sizes: Object.fromEntries(
      Object.entries(one.sizes).map(([name, n]) => [
        name,
        typeof n === "number" && n > 8 ? Math.max(4, Math.floor(n / 16)) : n,
      ]),
    ),
  });
  test.each(layouts.map((one) => [`${one.op} ${one.sum}`, small(one)] as const))("%s", async (_, one) => {
    const operation = operations.get(one.op)!;
    const sizes = { ...one.sizes, ...(one.sum === "dk" ? { S: Number(one.sizes["T"]) + 1 } : {}) };
    for (const order of ["sequential", "pairwise"] as const) {
      for (const evaluation of evaluationsOf(one.op).filter(
        (__, k) => !one.op.startsWith("attention") || k % 6 === 0,
      )) {
        const run: Candidate["run"] = async (inputs, scalars) => {
          const f = new Float32Arithmetic(targets.ieee, habits({ order }));
          const outputs = Object.entries(evaluation.evaluate(f, inputs, scalars));
          const stored = outputs.map(([name, { data, shape }]) => [name, { data: Float32Array.from(data), shape }]);
          return { outputs: Object.fromEntries(stored), complaints: [] };
        };
        const result = await reveal({
          layout: one,
          operation,
          candidate: { name: "zoo", run },
          dtype: "float32",
          sizes,
        });
        expect(result, `${evaluation.covers}`).toMatchObject({ findings: [] });
        for (const { tree } of result.trees) checkTree(tree);
        expect([result.reason, result.trees.length], `${evaluation.covers}`).toEqual([undefined, 1]);
      }
    }
  });
});

test("each sum of each op is revealed, or it is said why not", () => {
  const all = [...operations.values()].flatMap(({ name, sums }) => Object.keys(sums).map((sum) => `${name} ${sum}`));
  const revealed = allLayouts.map(({ op, sum }) => `${op} ${sum}`);
  expect([...revealed, ...Object.keys(notRevealed)].toSorted()).toEqual(all.toSorted());
});

test("an op's sums: a failure is a finding, and a budget leaves the rest out", async () => {
  const [chosen] = choose(["linear.backward"]);
  const [rule] = rulesOf([chosen], "R<=8 O<=16 C<=8");
  const failing: Candidate = { name: "mine", run: () => Promise.reject(new Error("no such size")) };
  const plan = { dtype: "float32", rule, deadline: new Deadline() } as const;
  expect(await ordersOf(chosen, failing, plan)).toMatchObject({
    verdict: "FAIL",
    findings: ["dx: mine failed: no such size; --sizes states the sizes that a kernel supports"],
  });
  const spent = new Deadline({ seconds: 0 });
  expect(await ordersOf(chosen, failing, { ...plan, deadline: spent })).toMatchObject({
    verdict: "inconclusive",
    untried: { dx: expect.stringContaining("budget"), dw: expect.stringContaining("budget") },
  });
});
