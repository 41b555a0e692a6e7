import * as fc from "fast-check";
import { gradientBound, scales } from "../../reference/ops/rmsnorm.bound.ts";
import type { Approx } from "../../reference/rounding.ts";
import type { Target } from "../../reference/targets.ts";
import { forward as rmsnorm } from "../../reference/ops/rmsnorm.ts";
import { axis, type CaseSpec, type Problem, size, type Sizes } from "../case.ts";
import { asStored, fill, inRange, type MadeUp, madeUp, unlessHuge } from "../profile.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import { none } from "../../reference/none.ts";
import { normal, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { columnsOf, lengthsIn, PER_ROW, rowsOf, sampled, vectorOf, whole } from "../at-scale.ts";
import { alongTheNorm } from "../cancelling.ts";
import { COUNTED, wholeNumbers, zeroSum } from "../probes.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { byRow, eachRow } from "../around.ts";
import { type Large, MOST_COLUMNS, MOST_ROWS, subsetsOf } from "../large.ts";
import { sumOver } from "../invariance/padding.ts";
import { judgeRow } from "../row.ts";

const MOST_ELEMENTS = 4000;

/** LLaMA's two eps, and one so small that only rows of zeros and of subnormal numbers have a smaller mean square. */
const EPS = ["1e-5", "1e-6", "1e-30"] as const;

const shared = {
  sizes: { R: axis(60), C: axis(300), eps: fc.constantFrom(...EPS) },
  fits: (sizes) => size(sizes, "R") * size(sizes, "C") <= MOST_ELEMENTS,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, C: 5, eps: "1e-5" }, profile: "unit" },
    { sizes: { R: 3, C: 1, eps: "1e-5" }, profile: "unit" },
    { sizes: { R: 3, C: 43, eps: "1e-5" } },
    { sizes: { R: 3, C: 7, eps: "1e-5" }, profile: "small-scores" }, // eps is a share of the mean square
    { sizes: { R: 9, C: 66, eps: "1e-6" } }, // columns overhang one workgroup, rows one tile
    { sizes: { R: 2, C: 1025, eps: "1e-6" }, profile: "unit" },
    { sizes: { R: 2, C: 1025, eps: "1e-6" }, profile: "sorted" }, // the last columns count most
    { sizes: { R: 1, C: 8193, eps: "1e-6" }, profile: "unit" }, // 65B has 8,192 channels
    { sizes: { R: 300, C: 2, eps: "1e-6" }, profile: "unit" },
    { sizes: { R: 3, C: 1025, eps: "1e-5" }, profile: "huge" }, // the sum of squares still fits, its square does not
    { sizes: { R: 3, C: 70, eps: "1e-5" }, profile: "near-underflow" },
    { sizes: { R: 70, C: 67, eps: "1e-5" }, profile: "peak" },
  ],
  large: {
    axes: { R: MOST_ROWS, C: MOST_COLUMNS },
    work: (sizes) => 15 * size(sizes, "R") * size(sizes, "C"),
    together: [
      ...subsetsOf(["R", "C"]),
      { long: ["R", "C"], share: 1 / 8 },
      { long: ["C"], share: 1, fixed: { R: 1 } }, // one row, as in decoding
      { long: ["C"], share: 1 / 16, fixed: { R: 3 }, profile: "tail" },
    ],
  },
} as const satisfies Partial<CaseSpec & { large: Large }>;

const usual = { eps: "1e-5" };
const ordinary = { R: 9, C: 70, ...usual };

function scalarEps(sizes: Sizes): number {
  const eps = Number(sizes.eps);
  if (!(eps >= 0)) throw new RangeError(`eps is ${sizes.eps ?? "missing"}, expected a number that is not negative`);
  return eps;
}

/** Numbers of the profile huge, up to 2·10¹⁰, of which the gradient has a bound: products with rstd³, of 10⁻³⁰, do not vanish. */
function withCubes(t: Tensor<Float32Array>, profile: MadeUp, dtype: DTypeName): Tensor<Float32Array> {
  if (profile !== "huge" || dtype === "float16") return t;
  return { data: t.data.map((x) => x / 2 ** 24), shape: t.shape };
}

/** Gains of ordinary size where x is scaled: scaling both would leave float32's range. */
function gainProfile(profile: MadeUp): MadeUp {
  return ["large", "tiny", "subnormal", "huge", "near-underflow", "tail", "peak"].includes(profile) ? "unit" : profile;
}

export const forward = judgeRow("rmsnorm.forward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const [R, C] = [size(sizes, "R"), size(sizes, "C")];
    return {
      inputs: {
        x: inRange(fill(profile, seed, "x", [R, C]), profile, dtype),
        w: fill(gainProfile(profile), seed, "w", [C]),
      },
      scalars: { eps: scalarEps(sizes) },
    };
  },
  around: byRow(["x"], ["w"], ["rstd"]),
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: (n) => [{ sizes: { R: 1, C: n, ...usual }, outputs: ["y", "rstd"], draws: 3 }],
  lowProbes: (n) => [{ sizes: { R: 32, C: Math.ceil(n / 4), ...usual }, outputs: ["y", "rstd"] }],
  cancelling: () => [
    { sizes: { R: 32, C: COUNTED / 2, ...usual }, outputs: ["y", "rstd"], profile: "lattice", change: wholeNumbers },
  ],
  independence: [alone("R", ["y", "rstd"])],
  padding: none("the mean counts its channels"),
  symmetry: [along("R"), along("C", { sums: ["y"] })],
  scaling: [
    {
      name: "x times 8, eps times 64",
      statement: "RMSNorm depends on the scale of x only through eps.",
      by: { x: 3, eps: 6 },
      outputs: { rstd: -3 },
    },
    linearIn(["w"], ["y"]),
  ],
  shift: none("its scalings say all"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ({ C, T: R }) => ({ R, C, eps: "1e-6" }),
    of: (sizes) => {
      const [R, C] = lengthsIn(sizes, "R", "C");
      return {
        inputs: { x: { kind: "normal", shape: [R, C] }, w: { kind: "normal", shape: [C] } },
        scalars: { eps: scalarEps(sizes) },
        parts: (seed) =>
          sampled(seed, "row", 4, R).map((r, n) => ({
            inputs: { x: rowsOf([r], C), w: whole(C) },
            outputs: { y: (i) => r * C + i, rstd: () => r },
            keep: { y: sampled(seed + n, "column", PER_ROW, C), rstd: [0] },
          })),
      };
    },
  },
});

/** Replaces the smallest eps: an autograd computes rstd³, whose largest value, eps^(−3/2), must stay in float32's range. */
const SMALLEST_BACKWARD = "1e-24";

export const backward = judgeRow("rmsnorm.backward", {
  ...shared,
  sizes: { ...shared.sizes, eps: fc.constantFrom("1e-5", "1e-6", SMALLEST_BACKWARD) },
  // The forward has no such case: the mean of nothing is undefined.
  examples: [...shared.examples, { sizes: { R: 3, C: 0, eps: "1e-5" }, profile: "unit" }],
  build(sizes, profile, seed, dtype = "float32") {
    const { inputs, scalars } = forward.build(sizes, profile, seed, dtype);
    const { w } = inputs;
    const x = asStored(withCubes(inputs.x, profile, dtype), dtype); // rstd belongs to the x that a kernel reads
    const { rstd } = rmsnorm(x, w, Math.fround(scalars.eps));
    return { inputs: { dy: fill(unlessHuge(profile), seed, "dy", x.shape), x, w, rstd }, scalars };
  },
  around: ({ inputs: { x, rstd }, scalars: { eps } }, output, list) => {
    const [R, C] = x.shape;
    if (output === "dx") {
      return eachRow(C, list, (r, c) => ({
        inputs: { dy: rowsOf([r], C), x: rowsOf([r], C), w: whole(C), rstd: vectorOf([r]) },
        outputs: { dx: (i) => r * C + i },
        keep: { dx: c },
      }));
    }
    return [
      {
        inputs: { dy: columnsOf(list, R, C), x: columnsOf(list, R, C), w: vectorOf(list), rstd: whole(R) },
        outputs: { dw: (i) => list[i] },
        // A kernel that recomputes rstd does so from whole rows, of which the small problem has a few columns.
        bound: ({ inputs: small }, target, errorsOf) => {
          const { dy, x: columns, w } = small as Readonly<Record<string, Tensor>>;
          const rows = { x: x as Tensor, rstd: rstd as Tensor };
          const saved = scales(rows, Math.fround(Number(eps)), target, errorsOf(rows));
          return gradientBound({ dy, x: columns, w }, saved, target, errorsOf(small));
        },
      },
    ];
  },
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: (n) => [
    { sizes: { R: 1, C: n, ...usual }, outputs: ["dx"] },
    { sizes: { R: n, C: 4, ...usual }, outputs: ["dw"] },
  ],
  lowProbes: (n) => [
    { sizes: { R: 8, C: Math.ceil(n / 8), ...usual }, outputs: ["dx"] },
    { sizes: { R: Math.ceil(n / 8), C: 128, ...usual }, outputs: ["dw"] },
  ],
  cancelling: (n) => [
    {
      sizes: { R: 32, C: Math.ceil(n / 8), eps: "1e-30" },
      outputs: ["dx"],
      change: { name: "dy along the norm", of: alongTheNorm },
    },
    { sizes: { R: n, C: 8, ...usual }, outputs: ["dw"], change: zeroSum("R", ["dy"]) },
  ],
  independence: [alone("R", ["dx"]), alone("C", ["dw"], { signed: ["x"] })],
  padding: [sumOver("R", ["dw"])],
  symmetry: [along("R"), along("C", { sums: ["dx", "dw"] })], // dw depends on rstd, which a kernel may recompute
  scaling: [
    linearIn(["dy"], ["dx", "dw"]),
    {
      name: "x times 8, eps times 64, rstd by 8",
      statement: "A normalised row depends on the scale of x only through eps.",
      by: { x: 3, eps: 6, rstd: -3 },
      outputs: { dx: -3 },
    },
  ],
  shift: none("linear in dy, which its scaling says"),
  overlooked: ["rstd"],
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ({ C, T: R }) => ({ R, C, eps: "1e-6" }),
    of: (sizes) => {
      const [R, C] = lengthsIn(sizes, "R", "C");
      const eps = scalarEps(sizes);
      return {
        inputs: {
          dy: { kind: "normal", shape: [R, C] },
          x: { kind: "normal", shape: [R, C] },
          w: { kind: "normal", shape: [C] },
          rstd: { kind: "stored", shape: [R] },
        },
        scalars: { eps },
        stored: (seed) => ({ rstd: rstdAtScale(seed, R, C, eps) }),
        parts: (seed) => {
          const c = sampled(seed, "column", PER_ROW, C);
          return [
            ...sampled(seed, "row", 4, R).map((r, n) => ({
              inputs: { dy: rowsOf([r], C), x: rowsOf([r], C), w: whole(C), rstd: vectorOf([r]) },
              outputs: { dx: (i: number) => r * C + i },
              keep: { dx: sampled(seed + n, "column", PER_ROW, C) },
            })),
            {
              inputs: { dy: columnsOf(c, R, C), x: columnsOf(c, R, C), w: vectorOf(c), rstd: whole(R) },
              outputs: { dw: (i: number) => c[i] },
              // A kernel that recomputes rstd does so from whole rows, of which the small problem has a few columns.
              bound: ({ inputs }: Problem, target: Target) => {
                const { dy, x, w, rstd } = inputs as Readonly<Record<string, Tensor>>;
                return gradientBound({ dy, x, w }, scalesAtScale(seed, [R, C], eps, rstd, target), target);
              },
            },
          ];
        },
      };
    },
  },
});

/** Row r of x. */
function rowAtScale(seed: number, r: number, C: number): Tensor<Float32Array> {
  const stream = streamOf("x");
  return { data: Float32Array.from({ length: C }, (_, c) => normal(seed, stream, r * C + c)), shape: [1, C] };
}

/** The rstd that the forward leaves for the rows of x. */
function rstdAtScale(seed: number, R: number, C: number, eps: number): Tensor<Float32Array> {
  const gains: Tensor<Float32Array> = { data: new Float32Array(C), shape: [C] };
  const rstdOf = (r: number) => rmsnorm(rowAtScale(seed, r, C), gains, Math.fround(eps)).rstd.data[0];
  const data = Float32Array.from({ length: R }, (_, r) => rstdOf(r));
  return { data, shape: [R] };
}

/** The same with its error, for kernels that read it and for those that recompute it. */
function scalesAtScale(
  seed: number,
  [R, C]: readonly [number, number],
  eps: number,
  rstd: Tensor,
  target: Target,
): Approx[] {
  return Array.from({ length: R }, (_, r) => {
    const saved = { data: rstd.data.subarray(r, r + 1), shape: [1] };
    return scales({ x: rowAtScale(seed, r, C), rstd: saved }, Math.fround(eps), target)[0];
  });
}
