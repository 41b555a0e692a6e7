import fc from "fast-check";
import { forward as rmsnorm } from "../../reference/ops/rmsnorm.ts";
import { axis, type CaseSpec, size, type Sizes } from "../case.ts";
import { fill, type MadeUp, madeUp } from "../profile.ts";

const MOST_ELEMENTS = 4000;

/** LLaMA's two eps; and one so small that only the squares of subnormal numbers lie below it, and rows of zeros. */
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
  ],
  long: [{ sizes: { R: 65_537, C: 1, eps: "1e-5" }, profile: "unit" }], // more rows than workgroups along an axis
} as const satisfies Partial<CaseSpec>;

function scalarEps(sizes: Sizes): number {
  const eps = Number(sizes.eps);
  if (!(eps >= 0)) throw new RangeError(`eps is ${sizes.eps ?? "missing"}, expected a number that is not negative`);
  return eps;
}

/** Gains of ordinary size where x is scaled: the scale of both together would leave float32's range. */
function gainProfile(profile: MadeUp): MadeUp {
  return profile === "large" || profile === "tiny" || profile === "subnormal" ? "unit" : profile;
}

export const forward: CaseSpec = {
  op: "rmsnorm.forward",
  ...shared,
  build(sizes, profile, seed) {
    const [R, C] = [size(sizes, "R"), size(sizes, "C")];
    return {
      inputs: { x: fill(profile, seed, "x", [R, C]), w: fill(gainProfile(profile), seed, "w", [C]) },
      scalars: { eps: scalarEps(sizes) },
    };
  },
};

export const backward: CaseSpec = {
  op: "rmsnorm.backward",
  ...shared,
  // The forward has no such case: the mean of nothing is undefined.
  examples: [...shared.examples, { sizes: { R: 3, C: 0, eps: "1e-5" }, profile: "unit" }],
  build(sizes, profile, seed) {
    const { inputs, scalars } = forward.build(sizes, profile, seed);
    const { x, w } = inputs as Record<string, ReturnType<typeof fill>>;
    const { rstd } = rmsnorm(x, w, Math.fround(Number(scalars.eps)));
    return { inputs: { dy: fill(profile, seed, "dy", x.shape), x, w, rstd }, scalars: {} };
  },
};
