import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

export const forward: CaseSpec = {
  op: "add.forward",
  sizes: { N: axis(1500) },
  profiles: madeUp,
  examples: [{ sizes: { N: 0 }, profile: "unit" }, { sizes: { N: 131 } }],
  long: [{ sizes: { N: 65_601 }, profile: "unit" }],
  build(sizes, profile, seed) {
    const shape = [size(sizes, "N")];
    return { inputs: { a: fill(profile, seed, "a", shape), b: fill(profile, seed, "b", shape) }, scalars: {} };
  },
};
