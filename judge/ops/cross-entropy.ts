import fc from "fast-check";
import * as crossEntropy from "../../reference/ops/cross-entropy.ts";
import { bits, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { axis, type CaseSpec, type Sizes, size } from "../case.ts";
import { fill, fillIds, madeUp, type MadeUp } from "../profile.ts";

/** Logits in all: a case takes a few milliseconds. */
const MOST_LOGITS = 2500;

const shared = {
  sizes: {
    R: axis(40),
    V: axis(600),
    ignored: fc.constantFrom("none", "some", "some", "all"),
    ignoreIndex: fc.constantFrom(crossEntropy.IGNORE_INDEX, 0), // 0 is a class as well: padding, perhaps
  },
  fits: (sizes) => size(sizes, "R") * size(sizes, "V") <= MOST_LOGITS,
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, V: 5, ignored: "none", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 2, V: 0, ignored: "all", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 3, V: 4, ignored: "all", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 3, V: 1, ignored: "none", ignoreIndex: -100 }, profile: "unit" }, // the only class: loss 0
    { sizes: { R: 5, V: 37, ignored: "some", ignoreIndex: -100 } },
    { sizes: { R: 2, V: 65, ignored: "none", ignoreIndex: -100 }, profile: "small-scores" },
    { sizes: { R: 70, V: 3, ignored: "some", ignoreIndex: 0 }, profile: "unit" },
    { sizes: { R: 1030, V: 2, ignored: "some", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 1, V: 4099, ignored: "none", ignoreIndex: -100 }, profile: "unit" },
  ],
  long: [
    { sizes: { R: 1, V: 32_001, ignored: "none", ignoreIndex: -100 }, profile: "unit" }, // LLaMA has 32,000 classes
    { sizes: { R: 65_537, V: 2, ignored: "some", ignoreIndex: -100 }, profile: "unit" }, // more rows than workgroups along an axis
  ],
} as const satisfies Partial<CaseSpec>;

export const forward: CaseSpec = {
  op: "cross-entropy.forward",
  ...shared,
  build(sizes, profile, seed) {
    const ignoreIndex = size(sizes, "ignoreIndex");
    const logits = fill(profile, seed, "logits", [size(sizes, "R"), size(sizes, "V")]);
    return { inputs: { logits, targets: targetsOf(sizes, logits, seed, ignoreIndex) }, scalars: { ignoreIndex } };
  },
};

export const backward: CaseSpec = {
  op: "cross-entropy.backward",
  ...shared,
  build(sizes, profile, seed) {
    const { inputs, scalars } = forward.build(sizes, profile, seed);
    const logits = inputs.logits as Tensor<Float32Array>;
    const targets = inputs.targets as Tensor<Int32Array>;
    const { lse } = crossEntropy.forward(logits, targets, size(sizes, "ignoreIndex"));
    return { inputs: { dloss: upstream(profile, seed), logits, targets, lse }, scalars };
  },
};

/** Classes, a quarter of them the likeliest one, so that p − 1 cancels; some, all or none of them ignored. */
function targetsOf(sizes: Sizes, logits: Tensor, seed: number, ignoreIndex: number): Tensor<Int32Array> {
  const [R, V] = logits.shape;
  const targets = fillIds(seed, "targets", [R], V);
  const [likeliest, ignored] = [streamOf("likeliest"), streamOf("ignored")];
  for (let r = 0; r < R; r++) {
    const row = logits.data.subarray(r * V, (r + 1) * V);
    if (bits(seed, likeliest, r) % 4 === 0) targets.data[r] = row.indexOf(Math.max(...row));
    const drawn = sizes.ignored === "some" && bits(seed, ignored, r) % 3 === 0;
    if (drawn || sizes.ignored === "all") targets.data[r] = ignoreIndex;
  }
  return targets;
}

/** dloss is one number; under these profiles it would often be zero, and every gradient with it. */
function upstream(profile: MadeUp, seed: number): Tensor<Float32Array> {
  return fill(profile === "one-hot" || profile === "lattice" ? "unit" : profile, seed, "dloss", []);
}
