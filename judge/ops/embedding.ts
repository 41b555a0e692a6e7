import { axis, type CaseSpec, size } from "../case.ts";
import { fill, fillIds, madeUp } from "../profile.ts";

export const forward: CaseSpec = {
  op: "embedding.forward",
  sizes: { R: axis(70), V: axis(100), C: axis(70) },
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, V: 3, C: 5 }, profile: "unit" },
    { sizes: { R: 3, V: 5, C: 0 }, profile: "unit" },
    { sizes: { R: 7, V: 1, C: 3 }, profile: "unit" },
    { sizes: { R: 11, V: 5, C: 13 } },
    { sizes: { R: 99, V: 70_000, C: 1 }, profile: "unit" }, // ids that float16, or 16 bits, do not hold
  ],
  long: [{ sizes: { R: 65_537, V: 3, C: 1 }, profile: "unit" }],
  build(sizes, profile, seed) {
    const [R, V, C] = [size(sizes, "R"), size(sizes, "V"), size(sizes, "C")];
    return {
      inputs: { tokens: fillIds(seed, "tokens", [R], V), w: fill(profile, seed, "w", [V, C]) },
      scalars: {},
    };
  },
};

export const backward: CaseSpec = {
  op: "embedding.backward",
  sizes: { R: axis(300), V: axis(60), C: axis(100) },
  fits: (sizes) => size(sizes, "R") * size(sizes, "C") <= 10_000 && size(sizes, "V") * size(sizes, "C") <= 4000,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, V: 3, C: 5 }, profile: "unit" }, // no token occurs, every gradient is 0
    { sizes: { R: 5, V: 3, C: 0 }, profile: "unit" },
    { sizes: { R: 1, V: 7, C: 3 }, profile: "unit" },
    { sizes: { R: 67, V: 5, C: 3 } },
    { sizes: { R: 66, V: 9, C: 67 }, profile: "unit" },
    { sizes: { R: 300, V: 1, C: 2 }, profile: "lattice" }, // all tokens are the same
    { sizes: { R: 1030, V: 3, C: 2 }, profile: "lattice" },
    { sizes: { R: 99, V: 2400, C: 1 }, profile: "unit" }, // most tokens never occur; some ids are none of float16
  ],
  long: [
    { sizes: { R: 65_537, V: 3, C: 1 }, profile: "lattice" },
    { sizes: { R: 4100, V: 32_001, C: 1 }, profile: "unit" },
  ],
  build(sizes, profile, seed) {
    const [R, V, C] = [size(sizes, "R"), size(sizes, "V"), size(sizes, "C")];
    return {
      inputs: { dy: fill(profile, seed, "dy", [R, C]), tokens: fillIds(seed, "tokens", [R], V) },
      scalars: { V },
    };
  },
};
