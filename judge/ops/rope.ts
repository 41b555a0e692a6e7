import * as fc from "fast-check";
import * as ropeTable from "../../reference/ops/rope-table.ts";
import { type PairLayout, layouts } from "../../reference/ops/rope.ts";
import { axis, type CaseSpec, size, type Sizes } from "../case.ts";
import { atRangesEnd, fill, madeUp } from "../profile.ts";
import { type None, none } from "../../reference/none.ts";
import { integer, streamOf } from "../../reference/random.ts";
import { allAs, type Cut, type Lengths, lengthsIn, sampled } from "../at-scale.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { positions } from "../relations/shifts.ts";
import { HEAD_SIZES, type Large, MOST_POSITIONS, subsetsOf } from "../large.ts";
import { judgeRow } from "../row.ts";

const THETA = 10000; // of LLaMA's first version

const shared = {
  sizes: {
    B: axis(3),
    T: axis(40),
    NH: axis(6),
    HS: axis(66).map((half) => 2 * half),
    start: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4096 })),
    layout: fc.constantFrom(...layouts),
  },
  fits: (sizes) => size(sizes, "B") * size(sizes, "T") * size(sizes, "NH") * size(sizes, "HS") <= 6000,
  profiles: madeUp,
  examples: [
    { sizes: { B: 2, T: 0, NH: 3, HS: 4, start: 0, layout: "adjacent" }, profile: "unit" },
    { sizes: { B: 2, T: 3, NH: 2, HS: 0, start: 0, layout: "half-split" }, profile: "unit" },
    { sizes: { B: 2, T: 5, NH: 3, HS: 6, start: 7, layout: "adjacent" } },
    { sizes: { B: 2, T: 5, NH: 3, HS: 6, start: 7, layout: "half-split" } },
    { sizes: { B: 1, T: 5, NH: 2, HS: 6, start: 7, layout: "adjacent" }, profile: "huge" },
    { sizes: { B: 1, T: 5, NH: 2, HS: 6, start: 7, layout: "half-split" }, profile: "near-underflow" },
  ],
  large: {
    axes: { B: 33, T: MOST_POSITIONS, NH: 65, HS: HEAD_SIZES },
    work: (sizes) => 25 * size(sizes, "B") * size(sizes, "T") * size(sizes, "NH") * size(sizes, "HS"),
    each: layouts.flatMap((layout) =>
      HEAD_SIZES.map((HS) => ({ sizes: { B: 1, T: 66, NH: 3, HS, start: 5, layout } })),
    ),
    together: [...subsetsOf(["B", "T", "NH", "HS"]), { long: ["T", "NH", "HS"], share: 1 / 16, fixed: { B: 1 } }],
  },
  around: none("two products an element: the bound of all is cheap"),
  sampling: none("the truth of all is cheap"),
} as const satisfies Partial<CaseSpec & { large: Large; around: None; sampling: None }>;

const ordinary = { B: 2, T: 9, NH: 3, HS: 10, start: 5, layout: "adjacent" };

function layoutOf({ layout }: Sizes): PairLayout {
  const found = layouts.find((known) => known === layout);
  if (found === undefined)
    throw new RangeError(`layout is ${layout ?? "missing"}, expected one of ${layouts.join(", ")}`);
  return found;
}

/** One head at each of three positions. */
function headsOf(seed: number, [, T, NH, HS]: readonly number[]): { head: Cut; angles: Cut }[] {
  return sampled(seed, "position", 3, T).map((t, n) => {
    const h = integer(seed, streamOf("head"), n, NH);
    return {
      head: { shape: [1, 1, 1, HS], at: (i) => (t * NH + h) * HS + i },
      angles: { shape: [1, HS / 2], at: (i) => (t * HS) / 2 + i },
    };
  });
}

export const forward = judgeRow("rope.forward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const [B, T, NH, HS] = ["B", "T", "NH", "HS"].map((name) => size(sizes, name));
    // A table of integers keeps the lattice exact. A table of cancelling numbers is not a rotation, and need not be.
    const madeUpTable = profile === "lattice" || profile === "cancelling";
    const { cos, sin } = madeUpTable
      ? { cos: fill(profile, seed, "cos", [T, HS / 2]), sin: fill(profile, seed, "sin", [T, HS / 2]) }
      : ropeTable.forward(THETA, HS, size(sizes, "start", -Infinity), T);
    return {
      inputs: { x: atRangesEnd(fill(profile, seed, "x", [B, T, NH, HS]), profile, dtype), cos, sin },
      scalars: { layout: layoutOf(sizes) },
    };
  },
  ordinary,
  probes: () => [{ sizes: { B: 1, T: 8, NH: 2, HS: 32, start: 3, layout: "adjacent" }, outputs: ["y"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("sums of two terms"),
  independence: [alone("B", ["y"]), alone("T", ["y"]), alone("NH", ["y"])],
  padding: none("no output is a sum"),
  symmetry: [along("B"), along("T"), along("NH")],
  scaling: [linearIn(["x"], ["y"])],
  shift: [positions],
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: (lengths) => ({ ...oneSequence(lengths), layout: "adjacent" }),
    of: (sizes) => {
      const { shape, table } = turnedAtScale(sizes);
      return {
        inputs: { x: { kind: "normal", shape }, ...table },
        scalars: { layout: layoutOf(sizes) },
        parts: (seed) =>
          headsOf(seed, shape).map(({ head, angles }) => ({
            inputs: { x: head, cos: angles, sin: angles },
            outputs: { y: head.at },
          })),
      };
    },
  },
});

export const backward = judgeRow("rope.backward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const { inputs, scalars } = forward.build(sizes, profile, seed, dtype);
    const { x, cos, sin } = inputs;
    return { inputs: { dy: atRangesEnd(fill(profile, seed, "dy", x.shape), profile, dtype), cos, sin }, scalars };
  },
  ordinary,
  probes: () => [{ sizes: { B: 1, T: 8, NH: 2, HS: 32, start: 3, layout: "adjacent" }, outputs: ["dx"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("sums of two terms"),
  independence: [alone("B", ["dx"]), alone("T", ["dx"]), alone("NH", ["dx"])],
  padding: none("no output is a sum"),
  symmetry: [along("B"), along("T"), along("NH")],
  scaling: [linearIn(["dy"], ["dx"])],
  shift: none("the forward's with the sine negated"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: (lengths) => ({ ...oneSequence(lengths), layout: "half-split" }),
    of: (sizes) => {
      const { shape, table } = turnedAtScale(sizes);
      return {
        inputs: { dy: { kind: "normal", shape }, ...table },
        scalars: { layout: layoutOf(sizes) },
        parts: (seed) =>
          headsOf(seed, shape).map(({ head, angles }) => ({
            inputs: { dy: head, cos: angles, sin: angles },
            outputs: { dx: head.at },
          })),
      };
    },
  },
});

function oneSequence({ T, NH, HS }: Lengths) {
  return { B: 1, T, NH, HS, start: 0 };
}

/** Heads and a table of made-up numbers: it is not a rotation, and need not be, and no position shows in it. */
function turnedAtScale(sizes: Sizes) {
  const [B, T, NH, HS, start] = lengthsIn(sizes, "B", "T", "NH", "HS", "start");
  if (!(B === 1 && start === 0 && HS % 2 === 0)) {
    throw new RangeError(`sizes at scale: B=${B} HS=${HS} start=${start}, expected B=1, an even HS and start=0`);
  }
  const generated = { kind: "normal", shape: [T, HS / 2] } as const;
  return { shape: [1, T, NH, HS], table: allAs(["cos", "sin"], generated) };
}
