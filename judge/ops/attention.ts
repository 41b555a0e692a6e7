import * as attention from "../../reference/ops/attention.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { axis, type CaseSpec, size, type Sizes } from "../case.ts";
import { fill, type MadeUp, madeUp } from "../profile.ts";

/** Of the work of all pairs of a query and a key: a case takes a few milliseconds. */
const MOST_WORK = 30_000;
/** What a pair costs besides its products, in products: exponentials, scalars, invocations. */
const PAIR = 10;

/**
 * Powers of two that bring q · k / √HS to where one key takes nearly all and e^s without a maximum overflows, but no
 * score is so large that its own error blurs the softmax.
 */
const QUERY_SCALES: Partial<Record<MadeUp, number>> = { large: 1 / 2048 };

const shared = {
  sizes: { B: axis(3), NKV: axis(3), groups: axis(4), T: axis(130), S: axis(130), HS: axis(130) },
  // Few queries that see no key: their y is 0, which says little.
  fits: (sizes) => work(sizes) <= MOST_WORK && size(sizes, "T") <= size(sizes, "S") + 2,
  profiles: madeUp,
  examples: [
    { sizes: { B: 2, NKV: 2, groups: 3, T: 0, S: 5, HS: 4 }, profile: "unit" }, // dk and dv are 0
    { sizes: { B: 2, NKV: 2, groups: 3, T: 5, S: 0, HS: 4 }, profile: "unit" }, // y is 0
    { sizes: { B: 0, NKV: 2, groups: 1, T: 3, S: 3, HS: 4 }, profile: "unit" },
    { sizes: { B: 2, NKV: 2, groups: 0, T: 3, S: 3, HS: 4 }, profile: "unit" }, // no query heads
    { sizes: { B: 1, NKV: 1, groups: 1, T: 2, S: 2, HS: 1 }, profile: "unit" },
    { sizes: { B: 1, NKV: 2, groups: 1, T: 3, S: 1, HS: 3 }, profile: "unit" },
    { sizes: { B: 1, NKV: 1, groups: 2, T: 1, S: 3, HS: 2 }, profile: "unit" },
    { sizes: { B: 1, NKV: 1, groups: 1, T: 2, S: 30, HS: 2 }, profile: "unit" },
    { sizes: { B: 2, NKV: 1, groups: 1, T: 3, S: 3, HS: 1 }, profile: "unit" },
    { sizes: { B: 1, NKV: 2, groups: 1, T: 1, S: 40, HS: 1 }, profile: "unit" },
    { sizes: { B: 2, NKV: 2, groups: 3, T: 5, S: 7, HS: 6 } }, // a cache: fewer queries than keys
    { sizes: { B: 2, NKV: 3, groups: 2, T: 7, S: 5, HS: 5 }, profile: "unit" }, // two queries see no key
    { sizes: { B: 1, NKV: 2, groups: 2, T: 33, S: 35, HS: 3 }, profile: "small-scores" },
    { sizes: { B: 1, NKV: 1, groups: 1, T: 1, S: 130, HS: 3 }, profile: "unit" },
    { sizes: { B: 1, NKV: 1, groups: 1, T: 40, S: 40, HS: 5 }, profile: "large" },
    { sizes: { B: 1, NKV: 1, groups: 2, T: 37, S: 37, HS: 5 }, profile: "unit" }, // several tiles of queries, too
    { sizes: { B: 1, NKV: 1, groups: 2, T: 3, S: 19, HS: 130 }, profile: "unit" },
    { sizes: { B: 1, NKV: 1, groups: 1, T: 70, S: 3, HS: 4 }, profile: "unit" },
  ],
  long: [
    { sizes: { B: 1, NKV: 1, groups: 1, T: 260, S: 261, HS: 2 }, profile: "unit" }, // tiles of 256 by 256, and the next ones
    { sizes: { B: 1, NKV: 1, groups: 1, T: 3, S: 1030, HS: 4 }, profile: "unit" },
    { sizes: { B: 1, NKV: 3, groups: 8, T: 3, S: 5, HS: 2 }, profile: "unit" },
    { sizes: { B: 9, NKV: 1, groups: 1, T: 2, S: 3, HS: 2 }, profile: "unit" },
  ],
} as const satisfies Partial<CaseSpec>;

function work(sizes: Sizes): number {
  const [B, NKV, groups, T, S, HS] = ["B", "NKV", "groups", "T", "S", "HS"].map((name) => size(sizes, name));
  return B * NKV * groups * T * S * (HS + PAIR);
}

export const forward: CaseSpec = {
  op: "attention.forward",
  ...shared,
  build(sizes, profile, seed) {
    const [B, NKV, groups, T, S, HS] = ["B", "NKV", "groups", "T", "S", "HS"].map((name) => size(sizes, name));
    const q = fill(profile, seed, "q", [B, T, NKV * groups, HS]);
    const factor = QUERY_SCALES[profile] ?? 1;
    const inputs = {
      q: { data: q.data.map((x) => factor * x), shape: q.shape },
      k: fill(profile, seed, "k", [B, S, NKV, HS]),
      v: fill(profile, seed, "v", [B, S, NKV, HS]),
    };
    return { inputs, scalars: {} };
  },
};

export const backward: CaseSpec = {
  op: "attention.backward",
  ...shared,
  build(sizes, profile, seed) {
    const { q, k, v } = forward.build(sizes, profile, seed).inputs as Record<string, Tensor<Float32Array>>;
    const { y, lse } = attention.forward(q, k, v); // rounded once: what a good forward leaves
    return { inputs: { dy: fill(profile, seed, "dy", q.shape), q, k, v, y, lse }, scalars: {} };
  },
};
