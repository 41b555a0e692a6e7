// Bounds of declared orders of summation: no evaluation in that order leaves them, and some come near.
import { describe, expect, test } from "vitest";
import { INFLATION } from "../judge/compare.ts";
import { exactAt } from "../judge/exact.ts";
import type { Sizes } from "../judge/case.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { allowancesOf } from "../judge/verdict.ts";
import { operations } from "../reference/ops/index.ts";
import { additionsIn, type SumOrder } from "../reference/sum-order.ts";
import { type Target, targets } from "../reference/targets.ts";
import { tensor } from "../reference/tensor.ts";
import { Float32Arithmetic, roundings } from "../zoo/arithmetic.ts";
import { boundOf, drawn, exactly, habits, kinds, type Pair } from "./sum-terms.ts";

/** A sum of products in some order; terms that come one after another go into fused multiply-adds where the habits say so. */
type Evaluation = (f: Float32Arithmetic, terms: readonly Pair[]) => number;

const inTurn: Evaluation = (f, terms) => terms.reduce((sum, [a, b]) => f.multiplyAdd(a, b, sum), 0);
const runsOf = (f: Float32Arithmetic, terms: readonly Pair[], K: number): number[] =>
  Array.from({ length: Math.ceil(terms.length / K) }, (_, i) => inTurn(f, terms.slice(K * i, K * i + K)));

function halves(f: Float32Arithmetic, list: readonly number[]): number {
  if (list.length < 2) return list[0] ?? 0;
  const middle = Math.ceil(list.length / 2);
  return f.add(halves(f, list.slice(0, middle)), halves(f, list.slice(middle)));
}

const evaluations: readonly (readonly [SumOrder, Evaluation])[] = [
  ...[1, 7, 64, 1e6].map((terms): [SumOrder, Evaluation] => [
    { kind: "blocked", terms },
    (f, list) => runsOf(f, list, terms).reduce((sum, run) => f.add(sum, run), 0),
  ]),
  ...[1, 8].map((terms): [SumOrder, Evaluation] => [
    { kind: "pairwise", terms },
    (f, list) => halves(f, runsOf(f, list, terms)),
  ]),
  // Lanes of every 32nd term, and a tree over them: 31 terms of 1,000 pass 31 + 5 additions at most.
  [
    { kind: "depth", additions: 36 },
    (f, list) =>
      halves(
        f,
        Array.from({ length: 32 }, (_, lane) =>
          inTurn(
            f,
            list.filter((__, i) => i % 32 === lane),
          ),
        ),
      ),
  ],
];

describe.each(["ieee", "wgsl", "cuda-fast-math", "opencl"] as const)("%s", (name) => {
  const target: Target = targets[name];
  test.each(evaluations)("no evaluation leaves the bound of %j", (order, evaluate) => {
    let compared = 0;
    for (const [k, kind] of (Object.keys(kinds) as (keyof typeof kinds)[]).entries()) {
      for (const n of [1, 2, 3, 63, 64, 65, 200, 1000]) {
        const terms = drawn(kind, n, 10 * k + n);
        const allowed = boundOf(target, terms, order).total().error;
        for (const rounding of roundings) {
          for (const fused of [false, true]) {
            const f = new Float32Arithmetic(target, habits({ rounding, fused, flushes: target.flushes, seed: n % 3 }));
            const error = Math.abs(evaluate(f, terms) - exactly(terms));
            expect(error, `${kind} n=${n} ${rounding}`).toBeLessThanOrEqual(allowed * INFLATION);
            compared++;
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(300);
  });
});

test.each(evaluations)(
  "every rounding up, on terms of one sign, reaches a third of the bound of %j",
  (order, evaluate) => {
    const f = new Float32Arithmetic(targets.ieee, habits({ rounding: "adversarial", seed: 0 }));
    const terms = Array.from({ length: 1000 }, (): Pair => [1, 1]);
    const error = Math.abs(evaluate(f, terms) - 1000);
    expect(error).toBeGreaterThan(boundOf(targets.ieee, terms, order).total().error / 3);
  },
);

test("4,096 products of normal numbers: how much smaller the bounds are than n · u · Σ|t|", () => {
  const terms = drawn("normal", 4096, 1);
  const old = 4096 * targets.ieee.u * terms.reduce((sum, [a, b]) => sum + Math.abs(a * b), 0);
  const gain = (order: SumOrder): number => old / boundOf(targets.ieee, terms, order).total().error;
  expect(gain({ kind: "blocked", terms: 64 })).toBeGreaterThan(50);
  expect(gain({ kind: "pairwise", terms: 1 })).toBeGreaterThan(250);
});

test("how many additions a term passes through", () => {
  expect(additionsIn(undefined, 10)).toBe(9);
  expect(additionsIn({ kind: "blocked", terms: 64 }, 64)).toBe(63);
  expect(additionsIn({ kind: "blocked", terms: 64 }, 4096)).toBe(63 + 63);
  expect(additionsIn({ kind: "blocked", terms: 64 }, 4097)).toBe(63 + 64);
  expect(additionsIn({ kind: "blocked", terms: 1 }, 10)).toBe(9);
  expect(additionsIn({ kind: "pairwise", terms: 1 }, 4097)).toBe(13);
  expect(additionsIn({ kind: "pairwise", terms: 8 }, 64)).toBe(7 + 3);
  expect(additionsIn({ kind: "depth", additions: 3 }, 4096)).toBe(12); // no tree of 4,096 leaves is lower
  expect(additionsIn({ kind: "depth", additions: 99 }, 4)).toBe(3);
  expect(additionsIn({ kind: "pairwise", terms: 1 }, 0)).toBe(0);
});

describe("a matrix unit of K products and the sum so far", () => {
  /** Towards zero, to a multiple of a power of two. */
  const cut = (x: number, step: number): number => Math.trunc(x / step) * step;
  const exponent = (x: number): number => (x === 0 ? -200 : Math.floor(Math.log2(Math.abs(x))));
  /** Products exact, aligned to the largest exponent and truncated there, their sum truncated (Fasi et al. 2021). */
  function unit(terms: readonly Pair[], K: number): number {
    let sum = 0;
    for (let i = 0; i < terms.length; i += K) {
      const numbers = [sum, ...terms.slice(i, i + K).map(([a, b]) => a * b)];
      const grid = 2 ** (Math.max(...numbers.map(exponent)) - 23);
      const aligned = numbers.reduce((total, x) => total + cut(x, grid), 0);
      sum = cut(aligned, 2 ** (exponent(aligned) - 23));
    }
    return sum;
  }
  const low = (pairs: readonly Pair[]): Pair[] =>
    pairs.map(([a, b]) => [Math.trunc(a * 256) / 256, Math.trunc(b * 256) / 256]);

  test("stays within the bound of fused:K, which is less than that of any order", () => {
    for (const K of [4, 8, 16]) {
      for (const kind of ["normal", "positive", "cancelling"] as const) {
        for (const n of [1, 15, 16, 17, 1000]) {
          const terms = low(drawn(kind, n, K + n));
          const allowed = boundOf(targets["matrix-units"], terms, { kind: "fused", terms: K }).total().error;
          expect(Math.abs(unit(terms, K) - exactly(terms))).toBeLessThanOrEqual(allowed);
          if (n >= 1000) expect(allowed).toBeLessThan(boundOf(targets["matrix-units"], terms).total().error);
        }
      }
    }
  });
});

/** Sizes at which each sum is long. */
const long: Readonly<Record<string, Sizes>> = {
  "embedding.backward": { R: 20, C: 2, V: 1 },
  "linear.forward": { R: 2, C: 20, O: 2 },
  "linear.backward": { R: 20, C: 2, O: 20 },
  "rmsnorm.forward": { R: 2, C: 20, eps: 1e-5 },
  "rmsnorm.backward": { R: 20, C: 20, eps: 1e-5 },
  "attention.forward": { B: 1, NKV: 1, groups: 1, T: 2, S: 20, HS: 20 },
  "attention.backward": { B: 1, NKV: 1, groups: 2, T: 20, S: 20, HS: 20 },
  "softmax.forward": { R: 2, C: 20 },
  "softmax.backward": { R: 2, C: 20 },
  "cross-entropy.forward": { R: 20, V: 20, ignored: "none", ignoreIndex: -100 },
  "cross-entropy.backward": { R: 2, V: 20, ignored: "none", ignoreIndex: -100 },
  "gradient-norm.forward": { N: 20 },
};

describe.each([...operations.values()].filter(({ sums }) => Object.keys(sums).length > 0))("$name", (operation) => {
  const problem = judgeRows.get(operation.name)!.build(long[operation.name], "unit", 3, "float32");
  const bounds = (sums: NonNullable<Target["sums"]>) => allowancesOf(operation, problem, { ...targets.ieee, sums });
  const any = bounds({});
  test.each(Object.keys(operation.sums))("the declared order of %s narrows some bound, and widens none", (name) => {
    const narrowed = bounds({ [name]: { kind: "pairwise", terms: 1 } });
    const changed = Object.entries(any).map(([output, { data }]) => {
      const own = narrowed[output].data;
      expect(own.every((x, i) => x <= data[i])).toBe(true);
      return own.some((x, i) => x < data[i]);
    });
    expect(changed).toContain(true);
  });
});

test("where terms that are 0 are left out, the others keep their places", () => {
  const { around } = judgeRows.get("linear.forward")!;
  const operation = operations.get("linear.forward")!;
  const C = 1024;
  // Runs of 32: all of the first one, and one term of each other run, pass through 31 + 31 additions together.
  const isThere = (c: number): boolean => c < 32 || c % 32 === 0;
  const x = tensor(
    Float32Array.from({ length: C }, (_, c) => (isThere(c) ? 1 : 0)),
    [1, C],
  );
  const w = tensor(new Float32Array(C).fill(1), [1, C]);
  const problem = { inputs: { x, w }, scalars: {} };
  const target: Target = { ...targets.ieee, sums: { y: { kind: "blocked", terms: 32 } } };
  const source = { around: around!, operation, problem, terms: { target, dtype: "float32" as const }, output: "y" };
  const f = new Float32Arithmetic(target, habits({ rounding: "adversarial", seed: 0 }));
  const terms = Array.from(x.data, (a): Pair => [a, 1]);
  const error = Math.abs(runsOf(f, terms, 32).reduce((sum, run) => f.add(sum, run), 0) - exactly(terms));
  const [allowed] = exactAt(source, [0]).allowed;
  expect(error).toBeLessThanOrEqual(allowed * INFLATION);
  expect(error).toBeGreaterThan(
    boundOf(
      target,
      Array.from({ length: 63 }, (): Pair => [1, 1]),
      { kind: "pairwise", terms: 1 },
    ).total().error,
  );
  expect(allowed).toBe(allowancesOf(operation, problem, target).y.data[0]);
});
