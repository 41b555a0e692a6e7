import { none } from "../../reference/none.ts";
import * as softmax from "../../reference/ops/softmax.ts";
import { lengthsIn, PER_ROW, rowsOf, sampled } from "../at-scale.ts";
import { axis, type CaseSpec, size } from "../case.ts";
import { asLogits, fill, madeUp } from "../profile.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { compareSides, sideOf } from "../relations/relation.ts";
import { linearIn } from "../relations/scaling.ts";
import { raisedRows, type Shift } from "../relations/shifts.ts";
import { byRow } from "../around.ts";
import { type Large, MOST_CLASSES, MOST_ROWS, subsetsOf } from "../large.ts";
import { weightless } from "../invariance/padding.ts";
import { judgeRow } from "../row.ts";

/** The most elements, so that a case takes a few milliseconds. */
const MOST_ELEMENTS = 2500;
const SAMPLED_ROWS = 4;

const shared = {
  sizes: { R: axis(40), C: axis(600) },
  fits: (sizes) => size(sizes, "R") * size(sizes, "C") <= MOST_ELEMENTS,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, C: 5 }, profile: "unit" },
    { sizes: { R: 2, C: 0 }, profile: "unit" },
    { sizes: { R: 3, C: 1 }, profile: "unit" }, // the only element: 1
    { sizes: { R: 5, C: 37 } },
    { sizes: { R: 2, C: 65 }, profile: "small-scores" },
    { sizes: { R: 70, C: 3 }, profile: "large" }, // rows that lie far below zero as a whole
    { sizes: { R: 1030, C: 2 }, profile: "unit" },
    { sizes: { R: 1, C: 4099 }, profile: "unit" },
    { sizes: { R: 2, C: 1025 }, profile: "sorted" }, // the last columns count most
    { sizes: { R: 9, C: 67 }, profile: "below-zero" },
    { sizes: { R: 9, C: 67 }, profile: "below-masks" },
    { sizes: { R: 70, C: 67 }, profile: "peak" }, // at every place of a tile of 64
    { sizes: { R: 9, C: 67 }, profile: "masked" },
    { sizes: { R: 6, C: 2100 }, profile: "masked" }, // tiles of 1,024 that are masked as a whole
  ],
  large: {
    axes: { R: MOST_ROWS, C: MOST_CLASSES },
    work: (sizes) => 20 * size(sizes, "R") * size(sizes, "C"),
    isInBlocks: true,
    together: [
      ...subsetsOf(["R", "C"]),
      { long: ["R", "C"], share: 1 / 8 },
      { long: ["C"], share: 1, fixed: { R: 1 } }, // one row, as in decoding
      { long: ["C"], share: 1 / 8, fixed: { R: 3 }, profile: "tail" },
    ],
  },
} as const satisfies Partial<CaseSpec & { large: Large }>;

const ordinary = { R: 19, C: 70 };

/** Adding a to a whole row of x leaves y as it is: y depends only on differences. */
const rowShifted: Shift = {
  name: "a constant added to a row",
  statement: "A number added to a whole row changes nothing.",
  differences: async (trial) => {
    const { before, after } = await raisedRows(trial, "x");
    return [compareSides("y", sideOf(before, "y"), sideOf(after, "y"), "free")];
  },
};

export const forward = judgeRow("softmax.forward", {
  ...shared,
  build(sizes, profile, seed) {
    return {
      inputs: { x: asLogits(fill(profile, seed, "x", [size(sizes, "R"), size(sizes, "C")]), profile) },
      scalars: {},
    };
  },
  around: byRow(["x"]),
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: (n) => [{ sizes: { R: 1, C: n }, outputs: ["y"] }],
  lowProbes: none("every element has an error of its own"),
  cancelling: none("no output is a sum"),
  independence: [alone("R", ["y"])],
  padding: [weightless("C", ["y"], "x")],
  symmetry: [along("R"), along("C", { sums: ["y"] })],
  scaling: none("exponentials do not scale"),
  shift: [rowShifted],
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ({ V, T: R }) => ({ R, C: V }),
    of: (sizes) => {
      const [R, C] = lengthsIn(sizes, "R", "C");
      return {
        inputs: { x: { kind: "normal", shape: [R, C], scale: 4 } },
        scalars: {},
        parts: (seed) =>
          sampled(seed, "row", SAMPLED_ROWS, R).map((r, n) => ({
            inputs: { x: rowsOf([r], C) },
            outputs: { y: (i) => r * C + i },
            keep: { y: sampled(seed + n, "column", PER_ROW, C) },
          })),
      };
    },
  },
});

export const backward = judgeRow("softmax.backward", {
  ...shared,
  build(sizes, profile, seed) {
    const { x } = forward.build(sizes, profile, seed).inputs;
    const { y } = softmax.forward(x); // rounded once: what a good forward leaves
    const ofGradients = profile === "masked" || profile === "tail" ? "unit" : profile;
    return { inputs: { dy: fill(ofGradients, seed, "dy", x.shape), y }, scalars: {} };
  },
  around: byRow(["dy", "y"]),
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: (n) => [{ sizes: { R: 1, C: n }, outputs: ["dx"] }],
  lowProbes: none("every element has an error of its own"),
  cancelling: none("the sum's error is hidden by dy"),
  independence: [alone("R", ["dx"])],
  padding: [{ axis: "C", outputs: ["dx"] }],
  symmetry: [along("R"), along("C", { sums: ["dx"] })],
  scaling: [linearIn(["dy"], ["dx"])],
  shift: none("linear in dy, which its scaling says"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ({ V, T: R }) => ({ R, C: V }),
    of: (sizes) => {
      const [R, C] = lengthsIn(sizes, "R", "C");
      return {
        inputs: {
          dy: { kind: "normal", shape: [R, C] },
          y: { kind: "uniform", shape: [R, C], scale: 1 / 16_384 }, // a row of 32,000 adds up to about 1
        },
        scalars: {},
        parts: (seed) =>
          sampled(seed, "row", SAMPLED_ROWS, R).map((r, n) => ({
            inputs: { dy: rowsOf([r], C), y: rowsOf([r], C) },
            outputs: { dx: (i) => r * C + i },
            keep: { dx: sampled(seed + n, "column", PER_ROW, C) },
          })),
      };
    },
  },
});
