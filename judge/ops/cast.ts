import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

export const forward: CaseSpec = {
  op: "cast.forward",
  sizes: { N: axis(1500) },
  profiles: madeUp,
  examples: [{ sizes: { N: 0 }, profile: "unit" }, { sizes: { N: 1 }, profile: "unit" }, { sizes: { N: 131 } }],
  long: [{ sizes: { N: 65_601 }, profile: "unit" }],
  build(sizes, profile, seed) {
    return { inputs: { x: fill(profile, seed, "x", [size(sizes, "N")]) }, scalars: {} };
  },
};
