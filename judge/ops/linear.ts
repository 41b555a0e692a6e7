import { axis, type CaseSpec, type Problem, size } from "../case.ts";
import { atRangesEnd, besideHuge, fill, inRange, madeUp } from "../profile.ts";
import type { Reals } from "../../reference/bounds.ts";
import { none } from "../../reference/none.ts";
import { gradientBound } from "../../reference/ops/linear.bound.ts";
import { columnsOf, gridOf, type Lengths, lengthsIn, type Part, PER_AXIS, rowsOf, sampled } from "../at-scale.ts";
import { gradientTiles, productTiles } from "../product-tiles.ts";
import { COUNTED, wholeNumbers, zeroSum } from "../probes.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { zeroRow } from "../relations/shifts.ts";
import { eachRow } from "../around.ts";
import { drawElements } from "../draws.ts";
import { type Large, MOST_COLUMNS, MOST_ROWS, subsetsOf } from "../large.ts";
import { sumOver } from "../invariance/padding.ts";
import { matrixOf, transpose } from "../projection/matrix.ts";
import { judgeRow } from "../row.ts";

/** The most products, so that a case takes a few milliseconds. */
const MOST_PRODUCTS = 60_000;

const shared = {
  sizes: { R: axis(80), O: axis(80), C: axis(300) },
  fits: (sizes) => size(sizes, "R") * size(sizes, "O") * size(sizes, "C") <= MOST_PRODUCTS,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, O: 3, C: 5 }, profile: "unit" },
    { sizes: { R: 3, O: 0, C: 5 }, profile: "unit" },
    { sizes: { R: 3, O: 4, C: 0 }, profile: "unit" }, // sums of nothing are 0
    { sizes: { R: 3, O: 5, C: 7 } },
    { sizes: { R: 34, O: 35, C: 37 }, profile: "lattice" }, // each axis overhangs its last tile
    { sizes: { R: 37, O: 33, C: 34 }, profile: "unit" },
    { sizes: { R: 5, O: 70, C: 67 }, profile: "lattice" },
    { sizes: { R: 130, O: 140, C: 3 }, profile: "lattice" }, // many tiles both ways
    { sizes: { R: 2, O: 3, C: 1000 }, profile: "unit" },
    { sizes: { R: 2, O: 3, C: 1027 }, profile: "lattice" },
    { sizes: { R: 1000, O: 3, C: 2 }, profile: "unit" },
    { sizes: { R: 3, O: 1000, C: 2 }, profile: "unit" },
    { sizes: { R: 5, O: 7, C: 6 }, profile: "huge" },
    { sizes: { R: 34, O: 35, C: 37 }, profile: "huge" }, // in whole tiles as well
    { sizes: { R: 5, O: 7, C: 6 }, profile: "near-underflow" },
    { sizes: { R: 34, O: 35, C: 37 }, profile: "near-underflow" },
  ],
  large: {
    axes: { R: MOST_ROWS, O: MOST_COLUMNS, C: MOST_COLUMNS },
    work: (sizes) => {
      const [R, O, C] = ["R", "O", "C"].map((name) => size(sizes, name));
      return R * O * C + PER_ELEMENT * (R * O + R * C + O * C);
    },
    // One row is a product of a matrix and a vector, for which libraries have kernels of their own.
    together: [
      ...subsetsOf(["R", "O", "C"]),
      { long: ["C"], share: 1 / 128, fixed: { R: 1 }, profile: "unit" }, // about 5,000: the last vector exceeds the bound
      { long: ["O", "C"], share: 1 / 3, fixed: { R: 1 }, profile: "unit" },
      { long: ["R", "O"], share: 1 / 8 },
      { long: ["R", "C"], share: 1 / 8 },
      { long: ["C"], share: 1 / 12, fixed: { R: 17, O: 20 }, profile: "tail" },
    ],
    areSums: true,
  },
} as const satisfies Partial<CaseSpec & { large: Large }>;

/** What an element of an input or an output costs, in products. */
const PER_ELEMENT = 10;

const ordinary = { R: 37, O: 35, C: 41 };

/** Elements of y that lie in one row, at a time. */
function aroundProducts(
  { inputs: { x, w } }: Problem,
  _: string,
  list: readonly number[],
): Iterable<Part<"x" | "w", "y">> {
  const [C, O] = [x.shape[1], w.shape[0]];
  const all = upTo(C);
  return eachRow(O, list, (r, o) => {
    const c = termsOf(
      all,
      (k) => x.data[r * C + k],
      (k) => o.every((n) => Number.isFinite(w.data[n * C + k])),
    );
    return { inputs: { x: gridOf([r], c, C), w: gridOf(o, c, C) }, outputs: { y: (i) => r * O + o[i] } };
  });
}

/**
 * The terms of a sum that are not 0, whatever the order: adding 0 is exact, so the others decide how far it may land. Mostly they are `all`,
 * a list that is there once: those of a row would be as long as a sum.
 */
function termsOf(
  all: readonly number[],
  factor: (k: number) => number,
  isFinite: (k: number) => boolean,
): readonly number[] {
  const isKept = (k: number): boolean => factor(k) !== 0 || !isFinite(k);
  return all.every(isKept) ? all : all.filter(isKept);
}

function upTo(n: number): readonly number[] {
  return Array.from({ length: n }, (_, k) => k);
}

/** Elements of dx or of dw that lie in one row, at a time. */
function aroundGradients(
  { inputs: { dy, x, w } }: Problem,
  output: string,
  list: readonly number[],
): Iterable<Part<"dy" | "x" | "w", "dx" | "dw">> {
  const [[R, O], C] = [dy.shape, x.shape[1]];
  // The other output of a small problem has as many sums of one term as this one has terms.
  const bound: Part["bound"] = ({ inputs, profile }, target, errorsOf) => {
    const gradients = inputs as Reals<"dy" | "x" | "w">;
    const allowed = gradientBound(output as "dx" | "dw", gradients, target, errorsOf(inputs));
    if (profile === "lattice") allowed.data.fill(0); // exact, in any order
    return { [output]: allowed };
  };
  const all = upTo(output === "dx" ? O : R);
  if (output === "dx") {
    return eachRow(C, list, (r, c) => {
      const o = termsOf(
        all,
        (k) => dy.data[r * O + k],
        (k) => c.every((n) => Number.isFinite(w.data[k * C + n])),
      );
      const inputs = { dy: gridOf([r], o, O), x: gridOf([r], c, C), w: gridOf(o, c, C) };
      return { inputs, outputs: { dx: (i) => r * C + c[i] }, bound };
    });
  }
  return eachRow(C, list, (o, c) => {
    const r = termsOf(
      all,
      (k) => dy.data[k * O + o],
      (k) => c.every((n) => Number.isFinite(x.data[k * C + n])),
    );
    const inputs = { dy: gridOf(r, [o], O), x: gridOf(r, c, C), w: gridOf([o], c, C) };
    return { inputs, outputs: { dw: (i) => o * C + c[i] }, bound };
  });
}

export const forward = judgeRow("linear.forward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const [R, O, C] = [size(sizes, "R"), size(sizes, "O"), size(sizes, "C")];
    const range = profile === "near-underflow" ? atRangesEnd : inRange; // the other factor is ordinary then
    const x = range(fill(profile, seed, "x", [R, C]), profile, dtype);
    return { inputs: { x, w: fill(besideHuge(profile, dtype), seed, "w", [O, C]) }, scalars: {} };
  },
  around: aroundProducts,
  sampling: {
    around: aroundProducts,
    draw: ({ inputs: { w } }, output, shape, seed) => drawElements(output, shape, w.shape[1], seed),
    products: ({ inputs: { x, w } }) => ({ y: { left: matrixOf(x), right: transpose(matrixOf(w)) } }),
  },
  ordinary,
  probes: (n) => [{ sizes: { R: 3, O: 20, C: n }, outputs: ["y"] }, ...productTiles(n)],
  lowProbes: (n) => [{ sizes: { R: 8, O: 8, C: n }, outputs: ["y"] }, ...productTiles(n)],
  cancelling: (n) => [
    { sizes: { R: 4, O: 6, C: n }, outputs: ["y"], change: zeroSum("C", ["w"]) },
    ...productTiles(n, { change: zeroSum("C", ["w"]) }),
    { sizes: { R: 8, O: 8, C: COUNTED }, outputs: ["y"], profile: "lattice", change: wholeNumbers },
  ],
  independence: [alone("R", ["y"]), alone("O", ["y"])],
  padding: [sumOver("C", ["y"])],
  symmetry: [along("R"), along("O"), along("C")],
  scaling: [linearIn(["x"], ["y"]), linearIn(["w"], ["y"])],
  shift: [zeroRow],
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: intoFeedForward,
    of: (sizes) => {
      const [R, O, C] = lengthsIn(sizes, "R", "O", "C");
      return {
        inputs: { x: { kind: "normal", shape: [R, C] }, w: { kind: "normal", shape: [O, C], scale: 1 / 64 } },
        scalars: {},
        parts: (seed) => {
          const [r, o] = [sampled(seed, "row", PER_AXIS, R), sampled(seed, "output", PER_AXIS, O)];
          return [{ inputs: { x: rowsOf(r, C), w: rowsOf(o, C) }, outputs: { y: gridOf(r, o, O).at } }];
        },
      };
    },
  },
});

export const backward = judgeRow("linear.backward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const { inputs } = forward.build(sizes, profile, seed, dtype);
    const dy = fill(besideHuge(profile, dtype), seed, "dy", [size(sizes, "R"), size(sizes, "O")]);
    return { inputs: { dy, ...inputs }, scalars: {} };
  },
  around: aroundGradients,
  sampling: {
    around: aroundGradients,
    draw: ({ inputs: { dy } }, output, shape, seed) =>
      drawElements(output, shape, dy.shape[output === "dx" ? 1 : 0], seed),
    products: ({ inputs: { dy, x, w } }) => ({
      dx: { left: matrixOf(dy), right: matrixOf(w) },
      dw: { left: transpose(matrixOf(dy)), right: matrixOf(x) },
    }),
  },
  ordinary,
  probes: (n) => [
    { sizes: { R: 3, O: n, C: 20 }, outputs: ["dx"] },
    { sizes: { R: n, O: 3, C: 20 }, outputs: ["dw"] },
    ...gradientTiles(n),
  ],
  lowProbes: (n) => [
    { sizes: { R: 8, O: n, C: 8 }, outputs: ["dx"] },
    { sizes: { R: n, O: 8, C: 8 }, outputs: ["dw"] },
    ...gradientTiles(n),
  ],
  cancelling: (n) => [
    { sizes: { R: 6, O: n, C: 4 }, outputs: ["dx"], change: zeroSum("O", ["dy"]) },
    { sizes: { R: n, O: 6, C: 4 }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
    ...gradientTiles(n, { dx: { change: zeroSum("O", ["dy"]) }, dw: { change: zeroSum("R", ["dy"]) } }),
    { sizes: { R: 8, O: COUNTED, C: 8 }, outputs: ["dx"], profile: "lattice", change: wholeNumbers },
    { sizes: { R: COUNTED, O: 8, C: 8 }, outputs: ["dw"], profile: "lattice", change: wholeNumbers },
  ],
  independence: [alone("R", ["dx"]), alone("O", ["dw"]), alone("C", ["dx", "dw"])],
  padding: [sumOver("O", ["dx"]), sumOver("R", ["dw"])],
  symmetry: [along("R"), along("O"), along("C")],
  scaling: [linearIn(["dy"], ["dx", "dw"])],
  shift: none("linear in dy, which its scaling says"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: intoFeedForward,
    of: (sizes) => {
      const [R, O, C] = lengthsIn(sizes, "R", "O", "C");
      return {
        inputs: {
          dy: { kind: "normal", shape: [R, O] },
          x: { kind: "normal", shape: [R, C] },
          w: { kind: "normal", shape: [O, C], scale: 1 / 64 },
        },
        scalars: {},
        parts: (seed) => {
          const [r, o] = [sampled(seed, "row", PER_AXIS, R), sampled(seed, "output", PER_AXIS, O)];
          const c = sampled(seed, "column", PER_AXIS, C);
          return [
            {
              inputs: { dy: rowsOf(r, O), x: gridOf(r, c, C), w: columnsOf(c, O, C) },
              outputs: { dx: gridOf(r, c, C).at },
            },
            {
              inputs: { dy: columnsOf(o, R, O), x: columnsOf(c, R, C), w: gridOf(o, c, C) },
              outputs: { dw: gridOf(o, c, C).at },
            },
          ];
        },
      };
    },
  },
});

/** The product that widens the residual stream: w1 of the feed-forward layer. */
function intoFeedForward({ C, F, T: R }: Lengths) {
  return { R, O: F, C };
}
