import fc from "fast-check";
import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

export const forward: CaseSpec = {
  op: "gradient-norm.forward",
  sizes: {
    N: fc.oneof(
      { weight: 29, arbitrary: axis(70) },
      { weight: 1, arbitrary: fc.integer({ min: 71, max: 3000 }) }, // more than one workgroup, and than one round of it
    ),
  },
  profiles: madeUp,
  examples: [
    { sizes: { N: 0 }, profile: "unit" },
    { sizes: { N: 1 } },
    { sizes: { N: 2 } },
    { sizes: { N: 65 } },
    { sizes: { N: 257 } },
    { sizes: { N: 700 } },
    { sizes: { N: 17000 }, profile: "unit" },
  ],
  long: [{ sizes: { N: 65_601 }, profile: "sorted" }], // the last elements count most
  build: (sizes, profile, seed) => ({ inputs: { g: fill(profile, seed, "g", [size(sizes, "N")]) }, scalars: {} }),
};
