import fc from "fast-check";
import * as ropeTable from "../../reference/ops/rope-table.ts";
import { layouts } from "../../reference/ops/rope.ts";
import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

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
  ],
  long: [
    { sizes: { B: 1, T: 4100, NH: 1, HS: 2, start: 0, layout: "adjacent" }, profile: "unit" },
    { sizes: { B: 1, T: 130, NH: 2, HS: 128, start: 0, layout: "half-split" }, profile: "unit" },
    { sizes: { B: 5, T: 3, NH: 65, HS: 4, start: 9, layout: "adjacent" }, profile: "unit" },
  ],
} as const satisfies Partial<CaseSpec>;

export const forward: CaseSpec = {
  op: "rope.forward",
  ...shared,
  build(sizes, profile, seed) {
    const [B, T, NH, HS] = ["B", "T", "NH", "HS"].map((name) => size(sizes, name));
    // A table made of integers keeps the lattice exact; one made of cancelling numbers is no rotation, and need not be.
    const madeUpTable = profile === "lattice" || profile === "cancelling";
    const { cos, sin } = madeUpTable
      ? { cos: fill(profile, seed, "cos", [T, HS / 2]), sin: fill(profile, seed, "sin", [T, HS / 2]) }
      : ropeTable.forward(THETA, HS, size(sizes, "start"), T);
    return {
      inputs: { x: fill(profile, seed, "x", [B, T, NH, HS]), cos, sin },
      scalars: { layout: sizes.layout },
    };
  },
};

export const backward: CaseSpec = {
  op: "rope.backward",
  ...shared,
  build(sizes, profile, seed) {
    const { inputs, scalars } = forward.build(sizes, profile, seed);
    const { x, cos, sin } = inputs;
    return { inputs: { dy: fill(profile, seed, "dy", x.shape), cos, sin }, scalars };
  },
};
