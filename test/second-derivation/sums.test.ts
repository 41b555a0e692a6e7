// Sums: every tree of additions, and declared orders. The second derivation of section 4's lemma:
//
// An addition v gives (ŝ_l + ŝ_r)(1 + δ_v), so that the root is Σ t̂ + Σ_v ε_v exactly, |ε_v| ≤ u |ŝ_l + ŝ_r|. Of the j additions with the most leaves below
// them, one of the lowest has all of its leaves to itself and the others leave one each: k_j ≤ n − j + 1 leaves. A node of k leaves is at most M_k,
// the larger of the sums of the k largest terms of one sign, times 1 + γ, since terms of the other sign cannot make it larger. So
//
//   |error|  ≤  u (1 + γ) Σ_{k=2..n} M_k + u (1 + γ) Σ|t|
//
// Let the terms of the heavier sign, p of them with the sum P, come first and the others after them, the smallest first: the partial sums are at least kP/p, and
// P (1 − j/m) after j of the m others. Together they are at least P (n/2 − 1), and Σ M_k ≤ (n − 1) P: the bound is at most 2 (n − 1)/(n − 2) times what that order reaches.
import { describe, expect, test } from "vitest";
import { type Expectation, oracle } from "../../judge/api/oracle.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { orderly } from "./orders.ts";
import { type Kind, kinds } from "./problems.ts";
import { type Id, Tape } from "./tape.ts";

type Build = (t: Tape, terms: Id[]) => Id;

function halves(t: Tape, terms: readonly Id[]): Id {
  if (terms.length === 1) return terms[0];
  const middle = Math.ceil(terms.length / 2);
  return t.add(halves(t, terms.slice(0, middle)), halves(t, terms.slice(middle)));
}

const falling = (t: Tape, terms: readonly Id[]): Id[] => {
  const side = terms.reduce((total, i) => total + t.values[i], 0) < 0 ? -1 : 1;
  return terms.toSorted((a, b) => side * (t.values[b] - t.values[a]));
};

const runs = (t: Tape, terms: readonly Id[], K: number): Id[] =>
  Array.from({ length: Math.ceil(terms.length / K) }, (_, i) => t.chain(terms.slice(i * K, (i + 1) * K)));

/** As deep as H allows, each addition's other side no deeper than what is left. */
function deep(t: Tape, terms: readonly Id[], H: number): Id {
  if (terms.length - 1 <= H) return t.chain(terms);
  const left = Math.min(terms.length - 1, 2 ** (H - 1));
  return t.add(deep(t, terms.slice(0, left), H - 1), halves(t, terms.slice(left)));
}

const trees: Readonly<Record<string, Build>> = {
  "": (t, x) => t.chain(x),
  "blocked:64": (t, x) => t.chain(falling(t, runs(t, x, 64))),
  "blocked:5": (t, x) => t.chain(falling(t, runs(t, x, 5))),
  pairwise: halves,
  "pairwise:8": (t, x) => halves(t, runs(t, x, 8)),
  "depth:14": (t, x) => deep(t, x, 14),
};

/** The worst share of the bound that trees of that order reach on sorted and unsorted terms. */
function worstShare(sums: string, kind: Kind, n: number, name: keyof typeof targets): number {
  const [a, b] = [1, 2].map((stream) => Float32Array.from({ length: n }, (_, i) => kinds[kind](n, stream, i)));
  const problem = {
    op: "linear.forward",
    inputs: { x: tensor(a, [1, n]), w: tensor(b, [1, n]) },
    scalars: {},
  } as const;
  const target = targets[name];
  const { y }: { y: Expectation } = oracle(problem, sums === "" ? { target } : { target, sums });
  const sortings: Readonly<Record<string, (t: Tape, x: Id[]) => Id[]>> = {
    drawn: (_, x) => x,
    falling,
    rising: (t, x) => falling(t, x).toReversed(),
  };
  const shares = Object.values(sortings).map((sorted) => {
    const t = new Tape(target);
    const [x, w] = [t.leaves(a), t.leaves(b)];
    const terms = x.map((id, i) => t.mul(id, w[i]));
    return t.worst(trees[sums](t, sorted(t, terms)), y.truth.data[0]).reached / y.bound.data[0];
  });
  return Math.max(...shares);
}

describe.each(["ieee", "wgsl"] as const)("%s", (name) => {
  test.each(Object.keys(trees))("no tree of the order '%s' is outside its bound", (sums) => {
    for (const n of [1, 2, 3, 7, 64, 65, 99, 100, 129, 500, 2048]) {
      for (const kind of ["normal", "positive", "constant"] as const) {
        expect({ n, kind, isWithin: worstShare(sums, kind, n, name) <= 1 }).toEqual({ n, kind, isWithin: true });
      }
    }
  });

  test.each([100, 129, 500, 2048])(
    "of %d terms in any order, the bound is at most 2 (n − 1)/(n − 2) times what is reached",
    (n) => {
      for (const kind of ["normal", "positive", "constant"] as const) {
        expect(worstShare("", kind, n, name)).toBeGreaterThan((n - 2) / (2 * (n - 1)));
      }
    },
  );
});

test("the falling order is what it says", () => {
  const t = new Tape(targets.ieee);
  const sum = orderly(t, t.leaves([1, -3, 2, -1]), "falling");
  expect(t.values.slice(4, sum + 1)).toEqual([-4, -3, -1]); // −3 − 1, then 1, then 2
});
