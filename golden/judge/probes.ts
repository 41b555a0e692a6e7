// On which sizes a candidate's precision is measured, and on which its relations are tried.
import type { CaseSpec, Sizes } from "../cases/case.ts";

/** Sizes, and the outputs that are sums as long as they allow. Several draws where an output has few elements. */
export interface Probe {
  readonly sizes: Sizes;
  readonly outputs: readonly string[];
  readonly draws?: number;
}

/** The length of sums at which a proof alone would let low precision pass. */
export const LONG = 4096;

const eps = "1e-5";

/** Sums of n terms where an op has sums of any length; few of them, so that emulating one takes milliseconds. */
const measured: Readonly<Record<string, (n: number) => readonly Probe[]>> = {
  "embedding.forward": () => [{ sizes: { R: 16, V: 9, C: 16 }, outputs: ["y"] }],
  "embedding.backward": (n) => [{ sizes: { R: n, V: 1, C: 8 }, outputs: ["dw"] }],
  "rmsnorm.forward": (n) => [{ sizes: { R: 1, C: n, eps }, outputs: ["y", "rstd"], draws: 3 }],
  "rmsnorm.backward": (n) => [
    { sizes: { R: 1, C: n, eps }, outputs: ["dx"] },
    { sizes: { R: n, C: 4, eps }, outputs: ["dw"] },
  ],
  "add.forward": () => [{ sizes: { N: 512 }, outputs: ["y"] }],
  "linear.forward": (n) => [{ sizes: { R: 3, O: 4, C: n }, outputs: ["y"] }],
  "linear.backward": (n) => [
    { sizes: { R: 8, O: n, C: 1 }, outputs: ["dx"] },
    { sizes: { R: n, O: 8, C: 1 }, outputs: ["dw"] },
  ],
  "rope-table.forward": () => [{ sizes: { theta: 10000, HS: 32, start: 3, T: 8 }, outputs: ["cos", "sin"] }],
  "rope.forward": () => [{ sizes: { B: 1, T: 8, NH: 2, HS: 32, start: 3, layout: "adjacent" }, outputs: ["y"] }],
  "rope.backward": () => [{ sizes: { B: 1, T: 8, NH: 2, HS: 32, start: 3, layout: "adjacent" }, outputs: ["dx"] }],
  "attention.forward": (n) => [
    { sizes: { B: 1, NKV: 1, groups: 1, T: 2, S: Math.ceil(n / 16), HS: 64 }, outputs: ["y", "lse"] },
  ],
  "attention.backward": (n) => [
    {
      sizes: { B: 1, NKV: 1, groups: 1, T: Math.ceil(n / 128), S: Math.ceil(n / 128), HS: 32 },
      outputs: ["dq", "dk", "dv"],
    },
  ],
  "swiglu.forward": () => [{ sizes: { R: 4, F: 128 }, outputs: ["y"] }],
  "swiglu.backward": () => [{ sizes: { R: 4, F: 128 }, outputs: ["dgate", "dup"] }],
  "cross-entropy.forward": (n) => [
    { sizes: { R: 1, V: n, ignored: "none", ignoreIndex: -100 }, outputs: ["loss", "lse"], draws: 4 },
  ],
  "cross-entropy.backward": (n) => [
    { sizes: { R: 1, V: n, ignored: "none", ignoreIndex: -100 }, outputs: ["dlogits"] },
  ],
  "gradient-norm.forward": (n) => [{ sizes: { N: n }, outputs: ["norm"], draws: 12 }],
  "clip.forward": () => [{ sizes: { N: 256 }, outputs: ["g"], draws: 4 }],
  "adamw.forward": () => [{ sizes: { N: 256, step: 10, parameter: "matrix" }, outputs: ["w", "m", "v"] }],
};

/** Where precision is measured; empty for an op that has no probes. */
export function precisionProbes(op: string, n = LONG): readonly Probe[] {
  return measured[op]?.(n) ?? [];
}

/** Ordinary sizes: a few tiles and a rest along each axis, every query with a key. */
const usual: Readonly<Record<string, Sizes>> = {
  embedding: { R: 37, V: 11, C: 19 },
  rmsnorm: { R: 9, C: 70, eps },
  linear: { R: 37, O: 35, C: 41 },
  "rope-table": { theta: 10000, HS: 34, start: 17, T: 9 },
  rope: { B: 2, T: 9, NH: 3, HS: 10, start: 5, layout: "adjacent" },
  attention: { B: 2, NKV: 2, groups: 2, T: 19, S: 21, HS: 10 },
  swiglu: { R: 9, F: 70 },
  "cross-entropy": { R: 19, V: 70, ignored: "some", ignoreIndex: -100 },
  add: { N: 200 },
  clip: { N: 200 },
  "gradient-norm": { N: 700 },
  adamw: { N: 200, step: 7, parameter: "matrix" },
};

/** Sizes of an ordinary case; of an op that has no such row, those of the example whose shortest length is longest. */
export function ordinarySizes(spec: CaseSpec): Sizes {
  const known = usual[spec.op.split(".")[0]];
  if (known !== undefined && Object.keys(known).toSorted().join() === Object.keys(spec.sizes).toSorted().join())
    return known;
  const shortest = (sizes: Sizes): number =>
    Math.min(...Object.values(sizes).map((x) => (typeof x === "number" ? x : Infinity)));
  const made = spec.examples.filter(({ profile = "unit" }) => profile === "unit" || profile === "lattice");
  return made.toSorted((a, b) => shortest(b.sizes) - shortest(a.sizes))[0].sizes;
}
