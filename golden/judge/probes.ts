// On which sizes a candidate's precision is measured, and on which its relations are tried.
import type { CaseSpec, Sizes } from "../cases/case.ts";
import { profiles } from "../cases/profile.ts";

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
    { sizes: { B: 1, NKV: 1, groups: 1, T: 2, S: Math.ceil(n / 16), HS: 64 }, outputs: ["y", "lse"], draws: 2 },
  ],
  "attention.backward": (n) => [
    {
      sizes: { B: 1, NKV: 1, groups: 1, T: Math.ceil(n / 128), S: Math.ceil(n / 128), HS: 32 },
      outputs: ["dq", "dk", "dv"],
    },
  ],
  "swiglu.forward": () => [{ sizes: { R: 4, F: 128 }, outputs: ["y"] }],
  "swiglu.backward": () => [{ sizes: { R: 4, F: 128 }, outputs: ["dgate", "dup"] }],
  "gradient-norm.forward": (n) => [{ sizes: { N: n }, outputs: ["norm"], draws: 12 }],
  "clip.forward": () => [{ sizes: { N: 256 }, outputs: ["g"], draws: 4 }],
  "adamw.forward": () => [{ sizes: { N: 256, step: 10, parameter: "matrix" }, outputs: ["w", "m", "v"] }],
};

/** Where precision is measured; empty for an op that has no probes. */
export function precisionProbes(op: string, n = LONG): readonly Probe[] {
  return measured[op]?.(n) ?? [];
}

/** Sizes of an ordinary case: of the examples that are made up of unit numbers, the one whose shortest length is longest. */
export function ordinarySizes(spec: CaseSpec): Sizes {
  const shortest = (sizes: Sizes): number =>
    Math.min(...Object.values(sizes).map((x) => (typeof x === "number" ? x : Infinity)));
  const [best] = spec.examples
    .filter(({ profile = profiles[0] }) => profile === "unit" || profile === "lattice")
    .toSorted((a, b) => shortest(b.sizes) - shortest(a.sizes));
  return best.sizes;
}
