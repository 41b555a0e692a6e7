import * as fc from "fast-check";
import { power } from "../../reference/elementary.ts";
import { streamOf, uniform } from "../../reference/random.ts";
import { axis, size, type Sizes } from "../case.ts";
import { fill, inRange, madeUp, unlessHuge } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { allAs, lengthsIn, sampled, SAMPLES, vectorOf } from "../at-scale.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { byElement } from "../around.ts";
import { MOST_ELEMENTS } from "../large.ts";
import { judgeRow } from "../row.ts";

/** A matrix is decayed, a gain is not. */
const parameters = ["matrix", "gain"] as const;
const learningRates = [3e-4, 0.01, 1]; // a large one lets errors of the direction exceed w's own rounding
const decayOf = ({ parameter }: Sizes): number => (parameter === "matrix" ? 0.1 : 0);
/** 1 − betaᵗ. */
const correctionOf = (beta: number, step: number): number => (beta === 0 ? 1 : 1 - power(beta, step));
const secondBetas = [0.95, 0.999]; // LLaMA's, and Adam's own

/** Hyperparameters at the ends of their ranges; the number of elements says which of them a case has. */
const ENDS = [
  { learningRate: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8 }, // the first step of a warm-up
  { learningRate: 1e-30, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
  { learningRate: 1e-3, beta1: 0, beta2: 0, eps: 1e-8 },
  { learningRate: 1e-3, beta1: 0.999, beta2: 0.999999, eps: 1e-8 },
  { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-15 },
  { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1 },
] as const;
/** Examples that have the hyperparameters at those ends, at the first step and at one whose corrections are 1. */
const atEnds = ENDS.flatMap((_, n) =>
  [1, 2, 1_000_000].map((step) => ({
    sizes: { N: 60 + n, step, parameter: "matrix" as const },
    profile: "ends" as const,
  })),
);

export const forward = judgeRow("adamw.forward", {
  sizes: {
    N: axis(200),
    step: fc.oneof(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 11, max: 10000 }), // 0.999^step fades slowly: a correction may not be left out here yet
      fc.constantFrom(30, 100, 1000, 3000, 100000),
      fc.nat(100000).map((t) => t + 1),
    ),
    parameter: fc.constantFrom(...parameters),
  },
  fits: none("every size goes with every other"),
  profiles: madeUp,
  examples: [
    { sizes: { N: 0, step: 1, parameter: "matrix" }, profile: "unit" },
    { sizes: { N: 67, step: 1, parameter: "matrix" } },
    { sizes: { N: 67, step: 2, parameter: "gain" } },
    { sizes: { N: 193, step: 100000, parameter: "matrix" }, profile: "unit" },
    { sizes: { N: 67, step: 2, parameter: "matrix" }, profile: "huge" },
    { sizes: { N: 67, step: 2, parameter: "matrix" }, profile: "near-underflow" },
    ...atEnds,
  ],
  build(sizes, profile, seed, dtype = "float32") {
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
    const usual = {
      learningRate: pick("learningRate", learningRates),
      beta1: 0.9,
      beta2: pick("beta2", secondBetas),
      eps: pick("eps", [1e-8, 1e-5]),
    };
    const { learningRate, beta1, beta2, eps } = profile === "ends" ? ENDS[shape[0] % ENDS.length] : usual;
    return {
      inputs: {
        w: fill(unlessHuge(profile), seed, "w", shape),
        g: inRange(fill(profile, seed, "g", shape), profile, dtype),
        m,
        v,
      },
      scalars: {
        learningRate,
        beta1,
        beta2,
        step,
        oneMinusBeta1: 1 - beta1,
        oneMinusBeta2: 1 - beta2,
        correction1: correctionOf(beta1, step),
        correction2: correctionOf(beta2, step),
        eps,
        weightDecay: decayOf(sizes),
      },
    };
  },
  large: { axes: { N: MOST_ELEMENTS }, work: (sizes) => 28 * size(sizes, "N"), isInBlocks: true },
  around: byElement(["w", "g", "m", "v"]),
  sampling: none("the truth of all is cheap"),
  ordinary: { N: 200, step: 7, parameter: "matrix" },
  probes: () => [{ sizes: { N: 256, step: 10, parameter: "matrix" }, outputs: ["w", "m", "v"] }],
  lowProbes: none("the state stays float32"),
  cancelling: none("no sum of many terms"),
  independence: [alone("N", ["w", "m", "v"])],
  padding: none("no output is a sum"),
  symmetry: [along("N")],
  scaling: none("eps is added to the root"),
  shift: none("no input is free of eps and decay"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    // A matrix of the feed-forward layer.
    sizes: ({ C, F }) => ({ N: F * C, step: 10, parameter: "matrix" }),
    of: (sizes) => {
      const [N, step] = lengthsIn(sizes, "N", "step");
      return {
        inputs: {
          w: { kind: "normal", shape: [N], scale: 1 / 64 },
          g: { kind: "normal", shape: [N], scale: 1 / 1024 },
          m: { kind: "normal", shape: [N], scale: 1 / 1024 },
          v: { kind: "uniform", shape: [N], scale: 1 / 1048576 },
        },
        scalars: {
          learningRate: 3e-4,
          beta1: 0.9,
          beta2: 0.95,
          step,
          oneMinusBeta1: 1 - 0.9,
          oneMinusBeta2: 1 - 0.95,
          correction1: 1 - power(0.9, step),
          correction2: 1 - power(0.95, step),
          eps: 1e-8,
          weightDecay: decayOf(sizes),
        },
        parts: (seed) => {
          const vector = vectorOf(sampled(seed, "element", SAMPLES, N));
          return [{ inputs: allAs(["w", "g", "m", "v"], vector), outputs: allAs(["w", "m", "v"], vector.at) }];
        },
      };
    },
  },
});
