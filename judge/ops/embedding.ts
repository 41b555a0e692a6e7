import { axis, size } from "../case.ts";
import { atRangesEnd, fill, fillIds, madeUp } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { integer, streamOf } from "../../reference/random.ts";
import { gridOf, lengthsIn, PER_ROW, sampled, vectorOf } from "../at-scale.ts";
import { COUNTED, wholeNumbers, zeroSum } from "../probes.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { eachRow } from "../around.ts";
import { drawElements } from "../draws.ts";
import { type Large, MOST_CLASSES, MOST_COLUMNS, MOST_ROWS } from "../large.ts";
import { sumOver } from "../invariance/padding.ts";
import { judgeRow } from "../row.ts";

const large = {
  axes: { R: MOST_ROWS, V: MOST_CLASSES, C: MOST_COLUMNS },
  work: (sizes) => 10 * (size(sizes, "R") + size(sizes, "V")) * size(sizes, "C"),
} as const satisfies Large;

export const forward = judgeRow("embedding.forward", {
  sizes: { R: axis(70), V: axis(100), C: axis(70) },
  fits: none("every size goes with every other"),
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, V: 3, C: 5 }, profile: "unit" },
    { sizes: { R: 3, V: 5, C: 0 }, profile: "unit" },
    { sizes: { R: 7, V: 1, C: 3 }, profile: "unit" },
    { sizes: { R: 11, V: 5, C: 13 } },
    { sizes: { R: 11, V: 5, C: 13 }, profile: "huge" },
    { sizes: { R: 11, V: 5, C: 13 }, profile: "near-underflow" },
    { sizes: { R: 99, V: 70_000, C: 1 }, profile: "unit" }, // ids that float16, or 16 bits, do not hold
  ],
  build(sizes, profile, seed, dtype = "float32") {
    const [R, V, C] = [size(sizes, "R"), size(sizes, "V"), size(sizes, "C")];
    const w = atRangesEnd(fill(profile, seed, "w", [V, C]), profile, dtype);
    return { inputs: { tokens: fillIds(seed, "tokens", [R], V), w }, scalars: {} };
  },
  large: { ...large, each: [{ sizes: { R: 70, V: 65_600, C: 64 } }] }, // wide rows, and ids beyond 16 bits
  around: none("a copy or a sum of copies: the bound of all is cheap"),
  sampling: {
    around: ({ inputs: { tokens, w } }, _, list) => {
      return eachRow(w.shape[1], list, (r, c) => ({
        inputs: { tokens: { ...vectorOf([r]), value: () => 0 }, w: gridOf([tokens.data[r]], c, w.shape[1]) },
        outputs: { y: (i) => r * w.shape[1] + c[i] },
      }));
    },
    draw: (_, output, shape, seed) => drawElements(output, shape, 1, seed),
  },
  ordinary: { R: 37, V: 11, C: 19 },
  probes: () => [{ sizes: { R: 16, V: 9, C: 16 }, outputs: ["y"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("a copy: no sum"),
  independence: [alone("R", ["y"])],
  padding: [{ axis: "V", outputs: ["y"] }],
  symmetry: [along("R"), along("V", { ids: { tokens: "V" } })],
  scaling: [linearIn(["w"], ["y"])],
  shift: none("a copy, which its scaling says"),
  overlooked: none("every input is read"),
  shown: (_, { inputs }) => inputs.tokens.data[0] * inputs.w.shape[1], // the first number of the row that is copied first
  unread: none("every number is part of the formula"),
  atScale: none("a copy, at any size"),
});

export const backward = judgeRow("embedding.backward", {
  sizes: { R: axis(300), V: axis(60), C: axis(100) },
  fits: (sizes) => size(sizes, "R") * size(sizes, "C") <= 10_000 && size(sizes, "V") * size(sizes, "C") <= 4000,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, V: 3, C: 5 }, profile: "unit" }, // no token occurs, every gradient is 0
    { sizes: { R: 5, V: 3, C: 0 }, profile: "unit" },
    { sizes: { R: 1, V: 7, C: 3 }, profile: "unit" },
    { sizes: { R: 67, V: 5, C: 3 } },
    { sizes: { R: 19, V: 5, C: 3 }, profile: "huge" },
    { sizes: { R: 19, V: 5, C: 3 }, profile: "near-underflow" },
    { sizes: { R: 66, V: 9, C: 67 }, profile: "unit" },
    { sizes: { R: 300, V: 1, C: 2 }, profile: "lattice" }, // all tokens are the same
    { sizes: { R: 1030, V: 3, C: 2 }, profile: "lattice" },
    { sizes: { R: 99, V: 2400, C: 1 }, profile: "unit" }, // most tokens never occur; float16 does not hold some ids
  ],
  build(sizes, profile, seed, dtype = "float32") {
    const [R, V, C] = [size(sizes, "R"), size(sizes, "V"), size(sizes, "C")];
    const dy = atRangesEnd(fill(profile, seed, "dy", [R, C]), profile, dtype);
    return { inputs: { dy, tokens: fillIds(seed, "tokens", [R], V) }, scalars: { V } };
  },
  large,
  around: none("a copy or a sum of copies: the bound of all is cheap"),
  sampling: {
    // Each row of the table is the only one of a small vocabulary.
    around: ({ inputs: { dy, tokens } }, _, list) => {
      const C = dy.shape[1];
      const places = placesOf(tokens.data);
      return eachRow(C, list, (id, c) => {
        const r = places.get(id) ?? [];
        return {
          inputs: { dy: gridOf(r, c, C), tokens: { ...vectorOf(r), value: () => 0 } },
          outputs: { dw: (i) => id * C + c[i] },
          scalars: { V: 1 },
        };
      });
    },
    draw: (_, output, shape, seed) => drawElements(output, shape, 1, seed),
  },
  ordinary: { R: 37, V: 11, C: 19 },
  probes: (n) => [{ sizes: { R: n, V: 1, C: 8 }, outputs: ["dw"] }],
  lowProbes: none("every element is a sum of its own"),
  cancelling: (n) => [
    { sizes: { R: n, V: 1, C: 16 }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
    { sizes: { R: COUNTED, V: 1, C: 64 }, outputs: ["dw"], profile: "lattice", change: wholeNumbers },
  ],
  independence: none("any row may be one of any token"),
  padding: [sumOver("R", ["dw"]), { axis: "V", outputs: ["dw"] }],
  symmetry: [along("R"), along("V", { ids: { tokens: "V" } })],
  scaling: [linearIn(["dy"], ["dw"])],
  shift: none("linear in dy, which its scaling says"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ({ C, V, T: R }) => ({ R, V, C }),
    of: (sizes) => {
      const [R, V, C] = lengthsIn(sizes, "R", "V", "C");
      return {
        inputs: { dy: { kind: "normal", shape: [R, C] }, tokens: { kind: "integer", shape: [R], below: V } },
        scalars: { V },
        // The ids that occur most often, each as the only one of a small vocabulary.
        parts: (seed) => {
          const places = placesOf(Array.from({ length: R }, (_, r) => integer(seed, streamOf("tokens"), r, V)));
          const often = [...places].toSorted((a, b) => b[1].length - a[1].length || a[0] - b[0]).slice(0, 4);
          return often.map(([id, r], n) => {
            const c = sampled(seed + n, "column", PER_ROW, C);
            return {
              inputs: { dy: gridOf(r, c, C), tokens: { ...vectorOf(r), value: () => 0 } },
              outputs: { dw: (i) => id * C + c[i] },
              scalars: { V: 1 },
            };
          });
        },
      };
    },
  },
});

/** Where each id occurs. */
function placesOf(ids: ArrayLike<number>): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (let r = 0; r < ids.length; r++) {
    const own = places.get(ids[r]);
    if (own === undefined) places.set(ids[r], [r]);
    else own.push(r);
  }
  return places;
}
