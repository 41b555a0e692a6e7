import fc from "fast-check";
import { power } from "../../reference/elementary.ts";
import { streamOf, uniform } from "../../reference/random.ts";
import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

/** What is decayed, and what is not. */
const parameters = ["matrix", "gain"] as const;
const learningRates = [3e-4, 0.01, 1]; // a large one shows errors of the direction beside w's own rounding
const secondBetas = [0.95, 0.999]; // LLaMA's, and Adam's own

export const forward: CaseSpec = {
  op: "adamw.forward",
  sizes: {
    N: axis(200),
    step: fc.oneof(
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom(100, 1000, 100000),
      fc.nat(100000).map((t) => t + 1),
    ),
    parameter: fc.constantFrom(...parameters),
  },
  profiles: madeUp,
  examples: [
    { sizes: { N: 0, step: 1, parameter: "matrix" }, profile: "unit" },
    { sizes: { N: 67, step: 1, parameter: "matrix" } },
    { sizes: { N: 67, step: 2, parameter: "gain" } },
    { sizes: { N: 193, step: 100000, parameter: "matrix" }, profile: "unit" },
  ],
  long: [{ sizes: { N: 65_601, step: 7, parameter: "matrix" }, profile: "unit" }],
  build(sizes, profile, seed) {
    const pick = (name: string, from: readonly number[]): number =>
      from[Math.floor(uniform(seed, streamOf(name), 0) * from.length)];
    const shape = [size(sizes, "N")];
    const step = size(sizes, "step");
    const m = fill(profile, seed, "m", shape);
    const v = fill(profile, seed, "v", shape);
    for (let i = 0; i < v.data.length; i++) v.data[i] *= v.data[i];
    if (step === 1) {
      m.data.fill(0);
      v.data.fill(0);
    }
    const beta1 = 0.9;
    const beta2 = pick("beta2", secondBetas);
    return {
      inputs: { w: fill(profile, seed, "w", shape), g: fill(profile, seed, "g", shape), m, v },
      scalars: {
        learningRate: pick("learningRate", learningRates),
        beta1,
        beta2,
        oneMinusBeta1: 1 - beta1,
        oneMinusBeta2: 1 - beta2,
        correction1: 1 - power(beta1, step),
        correction2: 1 - power(beta2, step),
        eps: pick("eps", [1e-8, 1e-5]),
        weightDecay: sizes.parameter === "matrix" ? 0.1 : 0,
      },
    };
  },
};
