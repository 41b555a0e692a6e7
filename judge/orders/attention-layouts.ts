// Attention's sums. Scores are chosen so that all keys that count have one weight, and that D is 0 in both of its forms.
import { type Tensor } from "../../reference/tensor.ts";
import { type Problem, size, type Sizes } from "../case.ts";
import { constant, filled, inUnits, type Layout, LENGTH, lengths } from "./layout.ts";
import { factorsOf } from "./marks.ts";

const { log, sqrt } = Math;

interface Shape {
  readonly B: number;
  readonly NKV: number;
  readonly NH: number;
  readonly T: number;
  readonly S: number;
  readonly HS: number;
}

function shapeOf(sizes: Sizes): Shape {
  const [B, NKV, groups, T, S, HS] = lengths(sizes, "B", "NKV", "groups", "T", "S", "HS");
  return { B, NKV, NH: NKV * groups, T, S, HS };
}

/** Tensors like q, and like k; `at` gets the token, the place in its head, and the head. */
const queries = ({ B, T, NH, HS }: Shape, at: (t: number, i: number, h: number) => number): Tensor<Float32Array> =>
  filled([B, T, NH, HS], (i) => at(Math.floor(i / HS / NH) % T, i % HS, Math.floor(i / HS) % NH));
const keys = ({ B, S, NKV, HS }: Shape, at: (s: number, i: number) => number): Tensor<Float32Array> =>
  filled([B, S, NKV, HS], (i) => at(Math.floor(i / HS / NKV) % S, i % HS));
const statistic = ({ B, NH, T }: Shape, x: number): Tensor<Float32Array> => constant([B, NH, T], x);

const scaleOf = (sizes: Sizes): number => 1 / sqrt(size(sizes, "HS"));
/** The last query of each head, which sees all keys. */
const lastQueries = (sizes: Sizes): number[] => {
  const { B, T, NH, HS } = shapeOf(sizes);
  return Array.from(
    { length: B * NH * HS },
    (_, i) => (Math.floor(i / NH / HS) * T + T - 1) * NH * HS + (i % (NH * HS)),
  );
};
/** The first key of each group; its first number, or all of them. */
const firstKeys =
  (isFirst: boolean) =>
  (sizes: Sizes): number[] => {
    const { B, S, NKV, HS } = shapeOf(sizes);
    const all = Array.from(
      { length: B * NKV * HS },
      (_, i) => Math.floor(i / NKV / HS) * S * NKV * HS + (i % (NKV * HS)),
    );
    return isFirst ? all.filter((_, i) => i % HS === 0) : all;
  };

const one = { B: 1, NKV: 2, groups: 2 };
/** Every second key has the other sign. */
const sign = (j: number): number => (j % 2 === 0 ? 1 : -1);

/** q is 0, so every key has the weight 1 / S, and y is the mean of v. */
const values: Layout = {
  op: "attention.forward",
  sum: "y",
  output: "y",
  factors: 1,
  sizes: { ...one, T: 3, S: LENGTH, HS: 16 },
  terms: (sizes) => size(sizes, "S"),
  needs: ({ T, S }) => (T <= S ? undefined : "T<=S"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first } = factorsOf(marks, scale);
    const inputs = { q: queries(shape, () => 0), k: keys(shape, () => 0), v: keys(shape, (s) => first[s]) };
    return { inputs, scalars: {} };
  },
  places: lastQueries,
  read: inUnits("y", lastQueries, (sizes) => 1 / size(sizes, "S")),
};

/** Of a single key lse is the score. */
const scores: Layout = {
  op: "attention.forward",
  sum: "scores",
  output: "lse",
  factors: 2,
  sizes: { ...one, T: 1, S: 1, HS: 64 },
  terms: (sizes) => size(sizes, "HS"),
  needs: ({ T, S }) => (T === 1 && S === 1 ? undefined : "T=1 S=1"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first, second } = factorsOf(marks, scale);
    const inputs = {
      q: queries(shape, (_, i) => first[i]),
      k: keys(shape, (_, i) => second[i]),
      v: keys(shape, () => 0),
    };
    return { inputs, scalars: {} };
  },
  read: inUnits("lse", undefined, scaleOf),
};

/** The term of a sum over the queries and heads of a group: one head after another. */
const termOf = ({ NH, NKV, T }: Shape, t: number, h: number): number => (h % (NH / NKV)) * T + t;

/** The gradient's inputs, with y and lse as a forward leaves them: y is 0 in all that follow. */
function gradient(shape: Shape, lse: number, given: Record<"dy" | "q" | "k" | "v", Tensor<Float32Array>>): Problem {
  return { inputs: { ...given, y: queries(shape, () => 0), lse: statistic(shape, lse) }, scalars: {} };
}

/** q is 0, so P is 1 / S; dP is 1 and −1 in turn, so D is 0 and dS is ±1 / S; the keys have the same signs. */
const queryGradient: Layout = {
  op: "attention.backward",
  sum: "dq",
  output: "dq",
  factors: 1,
  sizes: { ...one, T: 1, S: LENGTH, HS: 16 },
  terms: (sizes) => size(sizes, "S"),
  needs: ({ T, S }) => (T === 1 && Number(S) % 2 === 0 ? undefined : "T=1 S%2=0"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first } = factorsOf(marks, scale);
    return gradient(shape, log(shape.S), {
      dy: queries(shape, (_, i) => (i === 0 ? 1 : 0)),
      q: queries(shape, () => 0),
      k: keys(shape, (s) => sign(s) * first[s]),
      v: keys(shape, (s, i) => (i === 0 ? sign(s) : 0)),
    });
  },
  places: lastQueries,
  read: inUnits("dq", lastQueries, (sizes) => scaleOf(sizes) / size(sizes, "S")),
};

/** Two keys of weight ½ with opposite v, so dP is a sum and its opposite, and D is 0; the first key alone is not 0. */
const slopes: Layout = {
  op: "attention.backward",
  sum: "dP",
  output: "dq",
  factors: 2,
  sizes: { ...one, T: 1, S: 2, HS: 64 },
  terms: (sizes) => size(sizes, "HS"),
  needs: ({ T, S }) => (T === 1 && S === 2 ? undefined : "T=1 S=2"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first, second } = factorsOf(marks, scale);
    return gradient(shape, log(2), {
      dy: queries(shape, (_, i) => first[i]),
      q: queries(shape, () => 0),
      k: keys(shape, (s) => (s === 0 ? 1 : 0)),
      v: keys(shape, (s, i) => sign(s) * second[i]),
    });
  },
  places: lastQueries,
  read: inUnits("dq", lastQueries, (sizes) => scaleOf(sizes) / 2),
};

/** A score of 200: e^−200 is 0 in float32, so other keys have no weight. */
const FAR = 200;

/** The first key has all the weight for every query, so dv is the sum of dy. */
const valueGradient: Layout = {
  op: "attention.backward",
  sum: "dv",
  output: "dv",
  factors: 1,
  sizes: { B: 1, NKV: 2, groups: 2, T: LENGTH / 8, S: LENGTH / 8, HS: 16 },
  terms: (sizes) => size(sizes, "T") * size(sizes, "groups"),
  needs: ({ T, S }) => (T <= S ? undefined : "T<=S"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first } = factorsOf(marks, scale);
    return gradient(shape, FAR, {
      dy: queries(shape, (t, _, h) => first[termOf(shape, t, h)]),
      q: queries(shape, (_, i) => (i === 0 ? sqrt(shape.HS) : 0)),
      k: keys(shape, (s, i) => (s === 0 && i === 0 ? FAR : 0)),
      v: keys(shape, () => 0),
    });
  },
  places: firstKeys(false),
  read: inUnits("dv", firstKeys(false)),
};

/** Two keys have weight ½ and opposite v: dS is ½ at the first. The other numbers of a query decide its scores. */
const keyGradient: Layout = {
  op: "attention.backward",
  sum: "dk",
  output: "dk",
  factors: 1,
  sizes: { B: 1, NKV: 2, groups: 2, T: LENGTH / 8, S: LENGTH / 8 + 1, HS: 16 },
  terms: (sizes) => size(sizes, "T") * size(sizes, "groups"),
  needs: ({ T, S, HS }) => (T < S && Number(HS) > 1 ? undefined : "T<S HS>1"),
  problem: (marks, scale, sizes) => {
    const shape = shapeOf(sizes);
    const { first } = factorsOf(marks, scale);
    return gradient(shape, FAR + log(2), {
      dy: queries(shape, (_, i) => (i === 0 ? 1 : 0)),
      q: queries(shape, (t, i, h) => (i === 0 ? first[termOf(shape, t, h)] : i === 1 ? sqrt(shape.HS) : 0)),
      k: keys(shape, (s, i) => (s < 2 && i === 1 ? FAR : 0)),
      v: keys(shape, (s, i) => (s < 2 && i === 0 ? sign(s) : 0)),
    });
  },
  places: firstKeys(true),
  read: inUnits("dk", firstKeys(true), (sizes) => scaleOf(sizes) / 2),
};

export const attentionLayouts: readonly Layout[] = [scores, values, slopes, queryGradient, keyGradient, valueGradient];
