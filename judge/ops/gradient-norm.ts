import * as fc from "fast-check";
import { axis, size } from "../case.ts";
import { fill, inRange, madeUp } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { lengthsIn, whole } from "../at-scale.ts";
import { COUNTED, wholeNumbers } from "../probes.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { MOST_ELEMENTS } from "../large.ts";
import { judgeRow } from "../row.ts";

/** Ranks over which a matrix of the feed-forward layer is sharded. */
const RANKS = 64;

export const forward = judgeRow("gradient-norm.forward", {
  sizes: {
    N: fc.oneof(
      { weight: 29, arbitrary: axis(70) },
      { weight: 1, arbitrary: fc.integer({ min: 71, max: 3000 }) }, // more than one workgroup, and more than one round of it
    ),
  },
  fits: none("every size goes with every other"),
  profiles: madeUp,
  examples: [
    { sizes: { N: 0 }, profile: "unit" },
    { sizes: { N: 1 } },
    { sizes: { N: 2 } },
    { sizes: { N: 65 } },
    { sizes: { N: 257 } },
    { sizes: { N: 700 } },
    { sizes: { N: 17000 }, profile: "unit" },
    { sizes: { N: 700 }, profile: "huge" },
    { sizes: { N: 700 }, profile: "near-underflow" },
    { sizes: { N: 17000 }, profile: "huge" }, // many partial sums, of which each is beyond float16
  ],
  build: (sizes, profile, seed, dtype = "float32") => {
    const g = inRange(fill(profile, seed, "g", [size(sizes, "N")]), profile, dtype);
    return { inputs: { g }, scalars: {} };
  },
  // The second case is shorter, below two million: the bound of four million terms is vacuous where additions are rounded either way.
  large: { axes: { N: MOST_ELEMENTS }, work: (sizes) => 20 * size(sizes, "N") },
  around: none("one number of all"),
  sampling: none("the truth of all is cheap"),
  ordinary: { N: 700 },
  probes: (n) => [{ sizes: { N: n }, outputs: ["norm"], draws: 12 }],
  lowProbes: none("one sum: several draws are its errors"),
  cancelling: () => [
    { sizes: { N: COUNTED / 2 }, outputs: ["norm"], profile: "lattice", change: wholeNumbers, draws: 12 },
  ],
  independence: none("one number of all"),
  padding: [{ axis: "N", outputs: ["norm"] }],
  symmetry: [along("N")],
  scaling: [linearIn(["g"], ["norm"])],
  shift: none("its scaling says all"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    // A sum of more than 1 / u terms has no bound that holds in every order, and one matrix has more: so it is a rank's share.
    sizes: ({ C, F }) => ({ N: Math.ceil((F * C) / RANKS) }),
    of: (sizes) => {
      const [N] = lengthsIn(sizes, "N");
      return {
        inputs: { g: { kind: "normal", shape: [N], scale: 1 / 1024 } },
        scalars: {},
        parts: () => [{ inputs: { g: whole(N) }, outputs: { norm: () => 0 } }],
      };
    },
  },
});
