// On which sizes a candidate's precision is measured, and on which its relations are tried.
import type { DTypeName } from "../reference/dtype.ts";
import { axesOf, type Operation } from "../reference/operation.ts";
import type { CaseSpec, Sizes } from "./case.ts";
import type { MadeUp } from "./profile.ts";
import { alikeKeys, alongTheNorm, both, type Change, counted, mirrored, savedAgain } from "./cancelling.ts";
import { joinSizes, type Parts, partsOf } from "./fused.ts";

/** Sizes, and the outputs that are sums as long as they allow. Several draws where an output has few elements. */
export interface Probe {
  readonly sizes: Sizes;
  readonly outputs: readonly string[];
  readonly draws?: number;
  /** Of the numbers; unit without it. */
  readonly profile?: MadeUp;
  /** What is done to the inputs, and in words. */
  readonly change?: { readonly name: string; readonly of: Change };
}

/** The length of sums at which a proof alone would let low precision pass. */
export const LONG = 4096;

/** The length of sums that do not count beside those. */
const SHORT = 64;

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
  "cast.forward": () => [{ sizes: { N: 512 }, outputs: ["y"] }],
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

const zeroSum = (axis: string, odd: readonly string[]) => ({
  name: `terms along ${axis} in pairs that cancel`,
  of: mirrored(axis, odd),
});
const wholeNumbers = { name: "whole numbers that add up to at most 2^11", of: counted };
/** So many products of 5 on average stay below 2^11. */
const COUNTED = 256;

/** What 16-bit outputs need besides: sums that are 0, whose errors are all that comes out, and sums that float16 holds. */
const low: Readonly<Record<string, (n: number) => readonly Probe[]>> = {
  "embedding.backward": (n) => [
    { sizes: { R: n, V: 1, C: 16 }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
    { sizes: { R: COUNTED, V: 1, C: 64 }, outputs: ["dw"], profile: "lattice", change: wholeNumbers },
  ],
  "rmsnorm.forward": () => [
    { sizes: { R: 32, C: COUNTED / 2, eps }, outputs: ["y", "rstd"], profile: "lattice", change: wholeNumbers },
  ],
  "rmsnorm.backward": (n) => [
    {
      sizes: { R: 32, C: Math.ceil(n / 8), eps: "1e-30" },
      outputs: ["dx"],
      change: { name: "dy along the norm", of: alongTheNorm },
    },
    { sizes: { R: n, C: 8, eps }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
  ],
  "linear.forward": (n) => [
    { sizes: { R: 4, O: 6, C: n }, outputs: ["y"], change: zeroSum("C", ["w"]) },
    { sizes: { R: 8, O: 8, C: COUNTED }, outputs: ["y"], profile: "lattice", change: wholeNumbers },
  ],
  "linear.backward": (n) => [
    { sizes: { R: 6, O: n, C: 4 }, outputs: ["dx"], change: zeroSum("O", ["dy"]) },
    { sizes: { R: n, O: 6, C: 4 }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
    { sizes: { R: 8, O: COUNTED, C: 8 }, outputs: ["dx"], profile: "lattice", change: wholeNumbers },
    { sizes: { R: COUNTED, O: 8, C: 8 }, outputs: ["dw"], profile: "lattice", change: wholeNumbers },
  ],
  "gradient-norm.forward": () => [
    { sizes: { N: COUNTED / 2 }, outputs: ["norm"], profile: "lattice", change: wholeNumbers, draws: 12 },
  ],
  "attention.forward": (n) => [
    {
      sizes: { B: 1, NKV: 1, groups: 1, T: 1, S: Math.ceil(n / 16), HS: 64 },
      outputs: ["y"],
      change: zeroSum("S", ["v"]),
    },
    {
      sizes: { B: 1, NKV: 1, groups: 1, T: 1, S: COUNTED, HS: 64 },
      outputs: ["y"],
      profile: "lattice",
      change: { name: "equal keys and whole numbers", of: both(counted, alikeKeys) },
    },
  ],
  "attention.backward": (n) => [
    {
      sizes: { B: 1, NKV: 1, groups: 1, T: 1, S: Math.ceil(n / 16), HS: 32 },
      outputs: ["dq"],
      change: { name: "keys in pairs that cancel", of: both(mirrored("S", ["v"]), savedAgain) },
    },
    {
      sizes: { B: 1, NKV: 1, groups: Math.ceil(n / 32), T: 1, S: 2, HS: 32 },
      outputs: ["dk", "dv"],
      change: zeroSum("NH", ["dy"]),
    },
  ],
};

/**
 * In place of the ordinary ones: of an error within a rounding only a share of the elements tells, so there are more of them;
 * and where a whole row shares the error of one sum, few rows are few errors.
 */
const rows: Readonly<Record<string, (n: number) => readonly Probe[]>> = {
  "rmsnorm.forward": (n) => [{ sizes: { R: 32, C: Math.ceil(n / 4), eps }, outputs: ["y", "rstd"] }],
  "rmsnorm.backward": (n) => [
    { sizes: { R: 8, C: Math.ceil(n / 8), eps }, outputs: ["dx"] },
    { sizes: { R: Math.ceil(n / 8), C: 128, eps }, outputs: ["dw"] },
  ],
  "attention.forward": (n) => [
    { sizes: { B: 1, NKV: 1, groups: 1, T: 4, S: Math.ceil(n / 16), HS: 64 }, outputs: ["y", "lse"] },
  ],
  "linear.forward": (n) => [{ sizes: { R: 8, O: 8, C: n }, outputs: ["y"] }],
  "linear.backward": (n) => [
    { sizes: { R: 8, O: n, C: 8 }, outputs: ["dx"] },
    { sizes: { R: n, O: 8, C: 8 }, outputs: ["dw"] },
  ],
};

/** Where precision is measured; empty for an op that has no probes. */
export function precisionProbes(operation: Operation, n = LONG, dtype: DTypeName = "float32"): readonly Probe[] {
  const parts = partsOf(operation);
  if (parts !== undefined) return fusedProbes(operation, parts, n);
  const op = operation.name;
  const ordinary = measured[op]?.(n) ?? [];
  return dtype === "float32" ? ordinary : [...(rows[op]?.(n) ?? ordinary), ...(low[op]?.(n) ?? [])];
}

/** The longest sums of the first part, the second's being as they come; and those of the second, the first's being short. */
function fusedProbes(operation: Operation, parts: Parts, n: number): Probe[] {
  const { a, b, main, fed } = parts;
  const outputs = Object.keys(operation.outputs);
  const [passed, taken] = [axesOf(a.outputs[main]), axesOf(b.inputs[fed])];
  const [long, others] = [precisionProbes(a, n), precisionProbes(b, n)];
  const [short] = precisionProbes(a, SHORT);
  if (long.length === 0 || others.length === 0) return [];
  const [{ sizes: second }] = others;
  const firsts = long.map(({ sizes, draws = 1 }): Probe => ({
    sizes: joinSizes(parts, sizes, second),
    outputs,
    draws,
  }));
  const seconds = others.map(({ sizes, draws = 1 }): Probe => {
    const decided = taken.flatMap((axis, i) => (axis in sizes ? [[passed[i], sizes[axis]] as const] : []));
    return { sizes: joinSizes(parts, { ...short.sizes, ...Object.fromEntries(decided) }, sizes), outputs, draws };
  });
  const lines = new Set<string>();
  return [...firsts, ...seconds].filter(({ sizes }) => {
    const line = Object.entries(sizes).toSorted().join();
    return !lines.has(line) && lines.add(line);
  });
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
  cast: { N: 200 },
  clip: { N: 200 },
  "gradient-norm": { N: 700 },
  adamw: { N: 200, step: 7, parameter: "matrix" },
};

/** Sizes of an ordinary case; of an op that has no such row, those of the example whose shortest length is longest. */
export function ordinarySizes(operation: Operation, spec: CaseSpec): Sizes {
  const known = usualSizes(operation);
  if (known !== undefined && Object.keys(known).toSorted().join() === Object.keys(spec.sizes).toSorted().join())
    return known;
  const shortest = (sizes: Sizes): number =>
    Math.min(...Object.values(sizes).map((x) => (typeof x === "number" ? x : Infinity)));
  const made = spec.examples.filter(({ profile = "unit" }) => profile === "unit" || profile === "lattice");
  return made.toSorted((a, b) => shortest(b.sizes) - shortest(a.sizes))[0].sizes;
}

function usualSizes(operation: Operation): Sizes | undefined {
  const parts = partsOf(operation);
  if (parts === undefined) return usual[operation.name.split(".")[0]];
  const [first, second] = [usualSizes(parts.a), usualSizes(parts.b)];
  return first === undefined || second === undefined ? undefined : joinSizes(parts, first, second);
}
