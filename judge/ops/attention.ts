import * as attention from "../../reference/ops/attention.ts";
import { axis, type CaseSpec, type Problem, size, type Sizes } from "../case.ts";
import { asStored, atRangesEnd, fill, type MadeUp, madeUp, unlessHuge } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { integer, streamOf } from "../../reference/random.ts";
import { allAs, type Cut, type Lengths, lengthsIn, type Part, sampled } from "../at-scale.ts";
import { alikeKeys, both, counted, mirroredAlong, savedAgain } from "../cancelling.ts";
import { COUNTED, MEASURED, SIDES, zeroSum } from "../probes.ts";
import { alone, causal, groupsOfHeads } from "../relations/independence.ts";
import { along, headsWithinGroups } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { scores } from "../relations/shifts.ts";
import { shownScore } from "../attention-shown.ts";
import { cached, decoding, eachHeadSize, piece } from "../attention-sizes.ts";
import { HEAD_SIZES, type Large, MOST_POSITIONS, type Together } from "../large.ts";
import { setSame } from "../attention-checks.ts";
import { gradientSampling, querySampling } from "../attention-around.ts";
import { judgeRow } from "../row.ts";
import { MOST_TRUTH } from "../sampled.ts";
import { SCORES, setScores, withRoom } from "../scores.ts";

/** The most work for all pairs of a query and a key, so that a case takes a few milliseconds. */
const MOST_WORK = 30_000;
/** The cost of a pair in addition to its products, in products: exponentials, scalars, invocations. */
const PAIR = 10;

/**
 * Powers of two that bring q · k / √HS to where one key takes nearly all and e^s without a maximum overflows, but no
 * score is so large that its own error blurs the softmax.
 */
const QUERY_SCALES: Partial<Record<MadeUp, number>> = { large: 1 / 2048 };

/** Upstream gradients are small where v is huge: float16 holds dP and what follows from it. */
function gradientProfile(profile: MadeUp): MadeUp {
  if (profile === "huge") return "small-scores";
  if (profile === "near-underflow") return "unit";
  return SCORES.has(profile) ? "unit" : profile;
}

const one = { B: 1, NKV: 1, groups: 1 };
type Axis = "B" | "NKV" | "groups" | "T" | "S" | "HS";

function together(share: number, ...subsets: readonly (readonly Axis[])[]): Together<Axis>[] {
  return subsets.map((long) => ({ long, share }));
}

function oneHead(share: number, ...subsets: readonly (readonly Axis[])[]): Together<Axis>[] {
  return subsets.map((long) => ({ long, share, fixed: one }));
}

const shared = {
  sizes: { B: axis(3), NKV: axis(3), groups: axis(4), T: axis(130), S: axis(130), HS: axis(130) },
  fits: (sizes) => work(sizes) <= MOST_WORK && seesKeys(sizes),
  profiles: madeUp,
  examples: [
    { sizes: { B: 2, NKV: 2, groups: 3, T: 0, S: 5, HS: 4 }, profile: "unit" }, // dk and dv are 0
    { sizes: { B: 2, NKV: 1, groups: 2, T: 3, S: 0, HS: 4 }, profile: "unit" }, // y is 0
    { sizes: { B: 0, NKV: 2, groups: 1, T: 3, S: 3, HS: 4 }, profile: "unit" },
    { sizes: { B: 2, NKV: 2, groups: 0, T: 3, S: 3, HS: 4 }, profile: "unit" }, // no query heads
    { sizes: { B: 1, NKV: 1, groups: 1, T: 2, S: 2, HS: 1 }, profile: "unit" },
    { sizes: { B: 9, NKV: 1, groups: 1, T: 1, S: 1, HS: 1 }, profile: "signed-zeros" }, // lse is log e⁰
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
    { sizes: { B: 4, NKV: 2, groups: 4, T: 33, S: 34, HS: 2 }, profile: "unit" }, // many rows that see a key: of a lse of −∞ not every target promises something
    { sizes: { ...one, T: 65, S: 65, HS: 4 }, profile: "unit" }, // one query more than a tile of 64, and than two
    { sizes: { ...one, T: 129, S: 129, HS: 2 }, profile: "unit" },
    { sizes: { B: 1, NKV: 1, groups: 2, T: 3, S: 40, HS: 16 }, profile: "below-zero" },
    { sizes: { B: 1, NKV: 1, groups: 2, T: 17, S: 40, HS: 4 }, profile: "below-masks" },
    { sizes: { ...one, T: 3, S: 20, HS: 64 }, profile: "below-masks" },
    { sizes: { ...one, T: 3, S: 20, HS: 256 }, profile: "below-masks" },
    { sizes: { ...one, T: 67, S: 67, HS: 67 }, profile: "peak" }, // at every place of a tile of 64
    { sizes: { B: 1, NKV: 1, groups: 2, T: 3, S: 130, HS: 130 }, profile: "peak" },
    { sizes: { B: 1, NKV: 1, groups: 2, T: 5, S: 7, HS: 6 }, profile: "huge" }, // of v
    { sizes: { B: 1, NKV: 1, groups: 2, T: 5, S: 7, HS: 6 }, profile: "near-underflow" },
  ],
  large: {
    axes: { B: 65, NKV: 65, groups: 33, T: MOST_POSITIONS, S: MOST_POSITIONS, HS: HEAD_SIZES },
    work,
    admits: seesKeys,
    each: [...eachHeadSize(66), ...decoding, cached, piece(130, 643), piece(128, 640)],
    together: [
      ...together(1 / 32, ["B"], ["NKV"], ["groups"]),
      ...oneHead(1 / 32, ["S"], ["S", "HS"], ["T", "HS"]),
      // Batches, heads and groups to 32, with one query, and three at once with several.
      { long: ["B", "NKV", "groups"], share: 1 / 100, fixed: { T: 1, S: 2, HS: 4 } },
      { long: ["B", "NKV", "S"], share: 1 / 60, fixed: { groups: 1, T: 1, HS: 4 } },
      { long: ["B", "NKV", "HS"], share: 1 / 150, fixed: { groups: 1, T: 1, S: 2 } },
      { long: ["B", "groups", "S", "HS"], share: 1 / 48, fixed: { NKV: 1, T: 1 } },
      { long: ["NKV", "groups", "S", "HS"], share: 1 / 48, fixed: { B: 1, T: 1 } },
      { long: ["B", "NKV", "T"], share: 1 / 10, fixed: { groups: 1, HS: 4 } },
      { long: ["B", "groups", "T"], share: 1 / 10, fixed: { NKV: 1, HS: 4 } },
      { long: ["NKV", "groups", "T"], share: 1 / 10, fixed: { B: 1, HS: 4 } },
      { long: ["B", "T", "S", "HS"], share: 1 / 7, fixed: { NKV: 1, groups: 1 } },
      { long: ["NKV", "T", "S", "HS"], share: 1 / 7, fixed: { B: 1, groups: 1 } },
      { long: ["groups", "T", "S", "HS"], share: 1 / 12, fixed: { B: 1, NKV: 1 } },
      { long: ["T", "S"], share: 1 / 2, fixed: { ...one, HS: 4 } }, // both beyond 2,048
      { long: ["T", "S"], share: 1 / 5, fixed: { B: 2, NKV: 2, groups: 2 } }, // tiles of several heads
      { long: ["T", "S"], share: 1 / 10, fixed: { B: 1, NKV: 1, groups: 8, HS: 16 } }, // tiles of a wide group
      { long: ["T", "S"], share: 1 / 8, fixed: { ...one, HS: 256 } }, // 256 of each
      { long: ["T", "S"], share: 1 / 8, fixed: { ...one, HS: 256 }, profile: "peak" }, // one key counts: no number is lost in a sum
    ],
    mend: (sizes) => ({ ...sizes, S: Math.max(size(sizes, "S"), size(sizes, "T")) }), // so that every query sees keys
  },
} as const satisfies Partial<CaseSpec & { large: Large }>;

const ordinary = { B: 2, NKV: 2, groups: 2, T: 19, S: 21, HS: 10 };
// With one key its weight is 1 whatever q and k are, and dS is 0: no precision shows.
const [FEWEST_KEYS, FEWEST_TOKENS] = [4, 8];
const keysFor = (n: number): number => Math.max(FEWEST_KEYS, Math.ceil(n / 16));
/** Queries, and as many keys. */
const tokensFor = (n: number): number => Math.max(FEWEST_TOKENS, Math.ceil(n / 128));
/** How many queries see a sampled key: those after it are part of its gradient. */
const QUERIES = [1, 24] as const;

/** Of one head: some queries, each with the keys that it sees. */
function someQueries({ inputs: { q, k } }: Problem, seed: number): readonly Part[] {
  const [[, T, NH, HS], [, S, NKV]] = [q.shape, k.shape];
  const seeing = sampled(seed, "query", MEASURED.queries, T).filter((t) => S - T + t >= 0);
  return seeing.map((t) => {
    const [query, seen] = [tokensOfHead(0, NH, HS, t, 1), tokensOfHead(0, NKV, HS, 0, S - T + t + 1)];
    return { inputs: { q: query, k: seen, v: seen }, outputs: { y: query.at, lse: () => t } };
  });
}

/** Few queries that see no key: their y is 0, which says little. */
function seesKeys(sizes: Sizes): boolean {
  return size(sizes, "T") <= size(sizes, "S") + 2;
}

function work(sizes: Sizes): number {
  const [B, NKV, groups, T, S, HS] = ["B", "NKV", "groups", "T", "S", "HS"].map((name) => size(sizes, name));
  return B * NKV * groups * T * S * (HS + PAIR);
}

export const forward = judgeRow("attention.forward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const [B, NKV, groups, T, S, HS] = ["B", "NKV", "groups", "T", "S", "HS"].map((name) => size(sizes, name));
    const q = fill(unlessHuge(profile), seed, "q", [B, T, NKV * groups, HS]);
    const factor = QUERY_SCALES[profile] ?? 1;
    const ofValues = SCORES.has(profile) ? "unit" : profile;
    const inputs = {
      q: { data: q.data.map((x) => factor * x), shape: q.shape },
      k: fill(unlessHuge(profile), seed, "k", [B, S, NKV, HS]),
      v: atRangesEnd(fill(ofValues, seed, "v", [B, S, NKV, HS]), profile, dtype),
    };
    if (SCORES.has(profile)) setScores(profile, seed, inputs.q, inputs.k);
    else if (work(sizes) > MOST_TRUTH && profile !== "huge") setSame(inputs.v, seed);
    return { inputs, scalars: {} };
  },
  around: none("the bound of all is cheap"),
  sampling: querySampling,
  ordinary,
  probes: (n) => [
    { sizes: { ...one, T: 2, S: keysFor(n), HS: 64 }, outputs: ["y", "lse"] },
    ...SIDES.map((T) => {
      const sizes = { ...one, T, S: Math.max(T, Math.ceil(n / 16)), HS: 64 };
      return { sizes, outputs: ["y", "lse"] as const, tiles: someQueries };
    }),
  ],
  lowProbes: (n) => [{ sizes: { ...one, T: 4, S: keysFor(n), HS: 64 }, outputs: ["y", "lse"] }],
  cancelling: (n) => [
    { sizes: { ...one, T: 1, S: Math.ceil(n / 16), HS: 64 }, outputs: ["y"], change: zeroSum("S", ["v"]) },
    {
      sizes: { ...one, T: 1, S: COUNTED, HS: 64 },
      outputs: ["y"],
      profile: "lattice",
      change: { name: "equal keys and whole numbers", of: both(counted, alikeKeys) },
    },
  ],
  independence: [alone("B", ["y", "lse"]), groupsOfHeads(["y", "lse"]), causal(["y", "lse"])],
  padding: none("every key that a query sees has a weight"),
  symmetry: [along("B"), headsWithinGroups(), along("HS", { sums: ["y"] })],
  scaling: [linearIn(["v"], ["y"])],
  shift: [scores],
  overlooked: none("every input is read"),
  shown: shownScore,
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: atScale,
    of: (sizes) => {
      const { T, NH, HS, queries, keys } = sequence(sizes);
      return {
        inputs: { q: { kind: "normal", shape: queries }, ...allAs(["k", "v"], { kind: "normal", shape: keys }) },
        scalars: {},
        // Query t is the last of T = 1 queries on S = t + 1 keys.
        parts: (seed) =>
          sampled(seed, "query", 4, T).map((t, n) => {
            const h = integer(seed, streamOf("head"), n, NH);
            const [query, seen] = [tokensOfHead(h, NH, HS, t, 1), tokensOfHead(h, NH, HS, 0, t + 1)];
            return { inputs: { q: query, k: seen, v: seen }, outputs: { y: query.at, lse: () => h * T + t } };
          }),
      };
    },
  },
});

export const backward = judgeRow("attention.backward", {
  ...shared,
  large: { ...shared.large, each: [...eachHeadSize(66), cached, piece(66, 331), piece(64, 320)] },
  build(sizes, profile, seed, dtype = "float32") {
    const made = forward.build(sizes, profile, seed, dtype).inputs;
    const [q, k, v] = [made.q, made.k, made.v].map((t) => asStored(t, dtype)); // to which y and lse belong
    const { y, lse } = attention.forward(q, k, v); // rounded once: what a good forward leaves
    const dy = withRoom(fill(gradientProfile(profile), seed, "dy", q.shape), profile, dtype);
    return { inputs: { dy, q, k, v, y, lse }, scalars: {} };
  },
  around: none("a key's gradient depends on every later query"),
  sampling: gradientSampling,
  ordinary,
  probes: (n) => [{ sizes: { ...one, T: tokensFor(n), S: tokensFor(n), HS: 32 }, outputs: ["dq", "dk", "dv"] }],
  lowProbes: none("many queries and keys already"),
  cancelling: (n) => [
    {
      sizes: { ...one, T: 1, S: Math.ceil(n / 16), HS: 32 },
      outputs: ["dq"],
      change: { name: "keys in pairs that cancel", of: both(mirroredAlong("S", ["v"]), savedAgain) },
    },
    {
      sizes: { ...one, groups: Math.ceil(n / 32), T: 1, S: 2, HS: 32 },
      outputs: ["dk", "dv"],
      change: zeroSum("NH", ["dy"]),
    },
  ],
  independence: [alone("B", ["dq", "dk", "dv"]), groupsOfHeads(["dq", "dk", "dv"]), causal(["dq"])],
  padding: none("every key that a query sees has a weight"),
  symmetry: [along("B"), headsWithinGroups(["dk", "dv"]), along("HS", { sums: ["dq", "dk", "dv"] })],
  scaling: [linearIn(["dy"], ["dq", "dk", "dv"])],
  shift: none("the forward's, whose lse it is given"),
  overlooked: ["y", "lse"], // may be recomputed
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: atScale,
    of: (sizes) => {
      const { T, NH, HS, queries, keys } = sequence(sizes);
      return {
        inputs: {
          ...allAs(["dy", "q"], { kind: "normal", shape: queries }),
          ...allAs(["k", "v"], { kind: "normal", shape: keys }),
          y: { kind: "forward", shape: queries, op: "attention.forward" },
          lse: { kind: "forward", shape: [1, NH, T], op: "attention.forward" },
        },
        scalars: {},
        // dq of a query as above; dk and dv of key s need the queries from s to T − 1, the last ones on S = T keys.
        parts: (seed) => {
          const head = (n: number) => integer(seed, streamOf("head"), n, NH);
          const ofQueries = sampled(seed, "query", 4, T).map((t, n) => {
            const [query, seen] = [tokensOfHead(head(n), NH, HS, t, 1), tokensOfHead(head(n), NH, HS, 0, t + 1)];
            return { inputs: { dy: query, q: query, k: seen, v: seen }, outputs: { dq: query.at } };
          });
          const ofKeys = QUERIES.map((count, n) => {
            const h = head(ofQueries.length + n);
            const [after, all] = [tokensOfHead(h, NH, HS, T - count, count), tokensOfHead(h, NH, HS, 0, T)];
            const row = Array.from({ length: HS }, (_, i) => (T - count) * HS + i);
            return {
              inputs: { dy: after, q: after, k: all, v: all },
              outputs: { dk: all.at, dv: all.at },
              keep: { dk: row, dv: row },
            };
          });
          return [...ofQueries, ...ofKeys];
        },
      };
    },
  },
});

/** One causal sequence, each query head with keys of its own. */
function atScale({ T, NH, HS }: Lengths): Record<keyof typeof ordinary, number> {
  return { B: 1, NKV: NH, groups: 1, T, S: T, HS };
}

function sequence(sizes: Sizes) {
  const [B, NKV, groups, T, S, HS] = lengthsIn(sizes, "B", "NKV", "groups", "T", "S", "HS");
  if (!(B === 1 && groups === 1 && S === T)) {
    throw new RangeError(`sizes at scale: B=${B} groups=${groups} T=${T} S=${S}, expected B=1 groups=1 and S as T`);
  }
  return { T, NH: NKV, HS, queries: [1, T, NKV, HS], keys: [1, T, NKV, HS] };
}

/** Tokens of one head, of [1, T, NH, HS]. */
function tokensOfHead(h: number, NH: number, HS: number, from: number, count: number): Cut {
  return {
    shape: [1, count, 1, HS],
    at: (i) => ((from + Math.floor(i / HS)) * NH + h) * HS + (i % HS),
  };
}
