// The sums of one sign whose order is revealed: of squares, and of exponentials.
import { log } from "../../reference/elementary.ts";
import { tensor } from "../../reference/tensor.ts";
import { size, type Sizes } from "../case.ts";
import { constant, filled, LENGTH, lengths } from "./layout.ts";
import type { OneSign } from "./one-sign.ts";

/**
 * Numbers whose squares lie between 2²³ and 2²⁴, so that a unit in their last place is 1. The root of M + 1 is 1 / 2r more than that of M = r², for r < 2¹² more than half of the distance
 * 2⁻¹² between roots there, so a norm that is rounded to nearest tells it; of 1 / √x some of these do.
 */
const roots = [2898, 2954, 3011, 3100, 3203, 3306, 3411, 3500];
const squares: readonly number[] = roots.map((root) => root * root);
/** √term, of a share of M. */
const rootOf = (share: number, large: number): number => Math.sqrt(large) * Math.sqrt(share);
/** e⁰ = 1 has 2²³ units in its last place. */
const ONE = [2 ** 23];
/** Below this e^x is 0. */
const FAR = -200;
const logarithm = (share: number): number => (share > 0 ? log(share) : FAR);
const EPS = 1e-12;

const normSquares: OneSign = {
  op: "rmsnorm.forward",
  sum: "squares",
  output: "rstd",
  sizes: { R: 64, C: LENGTH },
  terms: (sizes) => size(sizes, "C"),
  lanes: (sizes) => size(sizes, "R"),
  large: squares,
  problem: (terms, large, sizes) => {
    const [R, C] = lengths(sizes, "R", "C");
    const x = filled([R, C], (i) => rootOf(terms[Math.floor(i / C)][i % C], large));
    return { inputs: { x, w: constant([C], 1) }, scalars: { eps: EPS } };
  },
  read: ({ rstd }) => Array.from(rstd.data),
};

const gradientSquares: OneSign = {
  op: "gradient-norm.forward",
  sum: "squares",
  output: "norm",
  sizes: { N: LENGTH / 4 }, // one sum a run
  terms: (sizes) => size(sizes, "N"),
  lanes: () => 1,
  large: squares,
  problem: ([terms], large, sizes) => ({
    inputs: { g: filled(lengths(sizes, "N"), (i) => rootOf(terms[i], large)) },
    scalars: {},
  }),
  read: ({ norm }) => Array.from(norm.data),
};

const rows = (
  op: "softmax.forward" | "cross-entropy.forward",
  width: "C" | "V",
): Omit<OneSign, "problem" | "read" | "output"> => ({
  op,
  sum: "exponentials",
  sizes: { R: 64, [width]: LENGTH },
  terms: (sizes) => size(sizes, width),
  lanes: (sizes) => size(sizes, "R"),
  large: ONE,
});

const logits = (terms: readonly Float64Array[], shape: readonly number[]) =>
  filled(shape, (i) => logarithm(terms[Math.floor(i / shape[1])][i % shape[1]]));

const softmaxExponentials: OneSign = {
  ...rows("softmax.forward", "C"),
  output: "y",
  problem: (terms, _, sizes) => ({ inputs: { x: logits(terms, lengths(sizes, "R", "C")) }, scalars: {} }),
  read: ({ y }, places, sizes) => places.map((i, r) => y.data[r * size(sizes, "C") + i]),
};

const crossEntropyExponentials: OneSign = {
  ...rows("cross-entropy.forward", "V"),
  output: "lse",
  problem: (terms, _, sizes) => {
    const [R, V] = lengths(sizes, "R", "V");
    return {
      inputs: { logits: logits(terms, [R, V]), targets: { data: new Int32Array(R), shape: [R] } },
      scalars: { ignoreIndex: -100 },
    };
  },
  read: ({ lse }) => Array.from(lse.data),
};

const heads = { B: 8, NKV: 4, groups: 1, T: 1, HS: 1 };
/** One query for each head, whose scores are the keys' first numbers. */
const attentionWeights: OneSign = {
  op: "attention.forward",
  sum: "weights",
  output: "lse",
  sizes: { ...heads, S: LENGTH },
  terms: (sizes) => size(sizes, "S"),
  needs: ({ T, groups }) => (T === 1 && groups === 1 ? undefined : "T=1 groups=1"),
  lanes: (sizes: Sizes) => size(sizes, "B") * size(sizes, "NKV"),
  large: ONE,
  problem: (terms, _, sizes) => {
    const [B, NKV, S, HS] = lengths(sizes, "B", "NKV", "S", "HS");
    const q = filled([B, 1, NKV, HS], (i) => (i % HS === 0 ? Math.sqrt(HS) : 0));
    const k = filled([B, S, NKV, HS], (i) => {
      const [row, h] = [Math.floor(i / HS / NKV), Math.floor(i / HS) % NKV];
      return i % HS === 0 ? logarithm(terms[Math.floor(row / S) * NKV + h][row % S]) : 0;
    });
    return { inputs: { q, k, v: tensor(new Float32Array(B * S * NKV * HS), [B, S, NKV, HS]) }, scalars: {} };
  },
  read: ({ lse }) => Array.from(lse.data),
};

export const oneSignLayouts: readonly OneSign[] = [
  normSquares,
  gradientSquares,
  softmaxExponentials,
  crossEntropyExponentials,
  attentionWeights,
];
