import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

/** Products that are added in all: a case takes a few milliseconds. */
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
  ],
  long: [
    { sizes: { R: 65_537, O: 1, C: 2 }, profile: "lattice" },
    { sizes: { R: 1, O: 65_537, C: 2 }, profile: "lattice" },
  ],
} as const satisfies Partial<CaseSpec>;

export const forward: CaseSpec = {
  op: "linear.forward",
  ...shared,
  build(sizes, profile, seed) {
    const [R, O, C] = [size(sizes, "R"), size(sizes, "O"), size(sizes, "C")];
    return { inputs: { x: fill(profile, seed, "x", [R, C]), w: fill(profile, seed, "w", [O, C]) }, scalars: {} };
  },
};

export const backward: CaseSpec = {
  op: "linear.backward",
  ...shared,
  build(sizes, profile, seed) {
    const { inputs } = forward.build(sizes, profile, seed);
    return { inputs: { dy: fill(profile, seed, "dy", [size(sizes, "R"), size(sizes, "O")]), ...inputs }, scalars: {} };
  },
};
