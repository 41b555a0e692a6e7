import fc from "fast-check";
import { axis, type CaseSpec, size } from "../case.ts";

// The bases of LLaMA 1 and 2, Code Llama, Llama 3, and one that hardly turns slower from pair to pair.
const bases = [10000, 1000000, 500000, 2];

export const forward: CaseSpec = {
  op: "rope-table.forward",
  sizes: {
    theta: fc.constantFrom(...bases),
    HS: axis(66).map((half) => 2 * half),
    // A float32 angle means little beyond a few thousand, and its bound is as wide; so only some positions are large.
    start: fc.oneof(
      { weight: 2, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 500 }) },
      { weight: 1, arbitrary: fc.integer({ min: 501, max: 131072 }) },
    ),
    T: axis(40),
  },
  fits: (sizes) => size(sizes, "T") * size(sizes, "HS") <= 3000,
  profiles: ["unit"],
  examples: [
    { sizes: { theta: 10000, HS: 2, start: 0, T: 1 } },
    { sizes: { theta: 10000, HS: 6, start: 5, T: 0 } },
    { sizes: { theta: 10000, HS: 0, start: 0, T: 3 } },
    { sizes: { theta: 10000, HS: 10, start: 0, T: 67 } },
    { sizes: { theta: 500000, HS: 128, start: 17, T: 5 } },
    { sizes: { theta: 10000, HS: 34, start: -3, T: 7 } },
    { sizes: { theta: 10000, HS: 34, start: 131000, T: 7 } },
  ],
  long: [
    { sizes: { theta: 10000, HS: 4, start: 0, T: 4100 }, profile: "unit" },
    { sizes: { theta: 10000, HS: 256, start: 1, T: 3 }, profile: "unit" },
  ],
  build: (sizes) => ({
    inputs: {},
    scalars: {
      theta: size(sizes, "theta"),
      HS: size(sizes, "HS"),
      start: size(sizes, "start"),
      T: size(sizes, "T"),
    },
  }),
};
