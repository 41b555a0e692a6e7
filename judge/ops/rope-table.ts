import * as fc from "fast-check";
import { axis, size } from "../case.ts";
import { none } from "../../reference/none.ts";
import { table } from "../relations/shifts.ts";
import { HEAD_SIZES, MOST_POSITIONS } from "../large.ts";
import { judgeRow } from "../row.ts";

// The bases of LLaMA 1 and 2, Code Llama, Llama 3, and one with which the pairs turn at almost the same speed.
const bases = [10000, 1000000, 500000, 2];

export const forward = judgeRow("rope-table.forward", {
  sizes: {
    theta: fc.constantFrom(...bases),
    HS: axis(66).map((half) => 2 * half),
    // A float32 angle beyond a few thousand means little, and its bound is just as wide; so only some positions are large.
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
  build: (sizes) => ({
    inputs: {},
    scalars: {
      theta: size(sizes, "theta"),
      HS: size(sizes, "HS"),
      start: size(sizes, "start", -Infinity),
      T: size(sizes, "T"),
    },
  }),
  large: {
    axes: { T: MOST_POSITIONS, HS: HEAD_SIZES },
    work: (sizes) => 100 * size(sizes, "T") * size(sizes, "HS"),
  },
  around: none("two functions an element: the bound of all is cheap"),
  sampling: none("the truth of all is cheap"),
  ordinary: { theta: 10000, HS: 34, start: 17, T: 9 },
  // Sines of angles below 2⁻¹⁴ tell float16, which has few bits left there, from TF32.
  probes: () => [{ sizes: { theta: 500000, HS: 64, start: 1, T: 8 }, outputs: ["cos", "sin"] }],
  lowProbes: none("angles stay float32"),
  cancelling: none("no sum"),
  independence: none("no input"),
  padding: none("no input"),
  symmetry: none("no input"),
  scaling: none("no input"),
  shift: [table],
  overlooked: none("no input"),
  shown: none("no input"),
  unread: none("no input"),
  atScale: none("angles at large positions have a bound as wide as they are"),
});
