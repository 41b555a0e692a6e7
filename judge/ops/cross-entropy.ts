import * as fc from "fast-check";
import * as crossEntropy from "../../reference/ops/cross-entropy.ts";
import { bits, integer, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { axis, type CaseSpec, type Problem, type Sizes, size } from "../case.ts";
import { asLogits, asStored, fill, fillIds, madeUp, type MadeUp } from "../profile.ts";
import { type None, none } from "../../reference/none.ts";
import { eachRow } from "../around.ts";
import { backwardBound } from "../../reference/ops/cross-entropy.bound.ts";
import type { Reals } from "../../reference/bounds.ts";
import { lengthsIn, type Part, PER_ROW, rowsOf, sampled, vectorOf, whole } from "../at-scale.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { logits as logitsShifted } from "../relations/shifts.ts";
import { type Large, MOST_CLASSES, MOST_ROWS, subsetsOf } from "../large.ts";
import { type Padding, weightless } from "../invariance/padding.ts";
import { judgeRow, type Unread } from "../row.ts";
import { largest } from "../../reference/lists.ts";

/** The most logits, so that a case takes a few milliseconds. */
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
    { sizes: { R: 9, V: 1, ignored: "none", ignoreIndex: -100 }, profile: "signed-zeros" }, // e⁰ alone: lse is 0 where a target promises that it is 1
    { sizes: { R: 5, V: 37, ignored: "some", ignoreIndex: -100 } },
    { sizes: { R: 2, V: 65, ignored: "none", ignoreIndex: -100 }, profile: "small-scores" },
    { sizes: { R: 70, V: 3, ignored: "some", ignoreIndex: 0 }, profile: "unit" },
    { sizes: { R: 1030, V: 2, ignored: "some", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 1, V: 4099, ignored: "none", ignoreIndex: -100 }, profile: "unit" },
    { sizes: { R: 60, V: 37, ignored: "some", ignoreIndex: -1 }, profile: "unit" },
    { sizes: { R: 60, V: 37, ignored: "some", ignoreIndex: 36 }, profile: "unit" }, // the last class
    { sizes: { R: 60, V: 37, ignored: "some", ignoreIndex: 17 }, profile: "unit" },
    { sizes: { R: 60, V: 37, ignored: "some", ignoreIndex: 1_000_000 }, profile: "unit" },
    { sizes: { R: 9, V: 67, ignored: "some", ignoreIndex: -100 }, profile: "below-zero" },
    { sizes: { R: 9, V: 67, ignored: "some", ignoreIndex: -100 }, profile: "below-masks" },
    { sizes: { R: 70, V: 67, ignored: "none", ignoreIndex: -100 }, profile: "peak" }, // at every place of a tile of 64
    { sizes: { R: 9, V: 67, ignored: "some", ignoreIndex: -100 }, profile: "masked" },
    { sizes: { R: 6, V: 2100, ignored: "none", ignoreIndex: -100 }, profile: "masked" }, // whole tiles of 1,024
  ],
  large: {
    axes: { R: MOST_ROWS, V: MOST_CLASSES },
    work: (sizes) => 20 * size(sizes, "R") * size(sizes, "V"),
    together: [
      ...subsetsOf(["R", "V"]),
      { long: ["R", "V"], share: 1 / 8 },
      { long: ["V"], share: 1, fixed: { R: 1 } }, // one row, as in decoding
      { long: ["V"], share: 1 / 8, fixed: { R: 3 }, profile: "tail" },
    ],
    areSums: true,
    mend: (sizes) => (sizes.ignored === "all" ? { ...sizes, ignored: "none" } : sizes),
  },
  around: none("the loss is one number of all, and a gradient depends on how many rows count"),
} as const satisfies Partial<CaseSpec & { large: Large; around: None }>;

const ordinary = { R: 19, V: 70, ignored: "some", ignoreIndex: -100 };
const noneIgnored = { ignored: "none", ignoreIndex: crossEntropy.IGNORE_INDEX };
const LOSS_ROWS = 256;
/** Sampled rows of logits: a power of two, so that rescaling dloss from 2,048 rows to these is exact. */
const GRADIENT_ROWS = 4;

/** Rows that count neither in the loss nor in the number of rows. */
const ignoredRows = <Output extends string>(outputs: readonly Output[]): Padding<"R", Output, "targets"> => ({
  axis: "R",
  outputs,
  fill: { targets: ({ ignoreIndex }) => Number(ignoreIndex) },
});

/** Each lse depends on its own row; the loss is one number of all. */
function* aroundStatistics({ inputs: { logits } }: Problem, output: string, list: readonly number[]): Generator<Part> {
  if (output !== "lse") return;
  for (const row of list) {
    const inputs = { logits: rowsOf([row], logits.shape[1]), targets: { shape: [1], at: () => row } };
    yield { inputs, outputs: { lse: () => row } };
  }
}

export const forward = judgeRow("cross-entropy.forward", {
  ...shared,
  large: { ...shared.large, blocks: aroundStatistics },
  build(sizes, profile, seed) {
    const ignoreIndex = size(sizes, "ignoreIndex", -Infinity);
    const logits = asLogits(fill(profile, seed, "logits", [size(sizes, "R"), size(sizes, "V")]), profile);
    return { inputs: { logits, targets: targetsOf(sizes, logits, seed, ignoreIndex) }, scalars: { ignoreIndex } };
  },
  sampling: none("the loss is one number of all"),
  ordinary,
  probes: (n) => [{ sizes: { R: 4, V: n, ignored: "none", ignoreIndex: -100 }, outputs: ["loss", "lse"], draws: 4 }],
  lowProbes: none("loss and lse stay float32"),
  cancelling: none("loss and lse stay float32"),
  independence: [alone("R", ["lse"])],
  padding: [weightless("V", ["loss", "lse"], "logits"), ignoredRows(["loss"])],
  symmetry: [along("R"), along("V", { ids: { targets: "V" } })],
  scaling: none("exponentials do not scale"),
  shift: [logitsShifted],
  overlooked: none("every input is read"),
  shown,
  unread: ignoredLogits,
  atScale: {
    // The loss is a mean over every row, so there are only as many as can be summed in a few seconds.
    sizes: ({ V, T }) => ({ R: Math.min(LOSS_ROWS, T), V, ...noneIgnored }),
    of: (sizes) => {
      const { R, V, ignoreIndex, logits, targets } = classesAtScale(sizes);
      return {
        inputs: { logits, targets },
        scalars: { ignoreIndex },
        parts: () => [
          { inputs: { logits: whole(R, V), targets: whole(R) }, outputs: { loss: () => 0, lse: (i) => i } },
        ],
      };
    },
  },
});

export const backward = judgeRow("cross-entropy.backward", {
  ...shared,
  build(sizes, profile, seed, dtype = "float32") {
    const { inputs, scalars } = forward.build(sizes, profile, seed);
    const { targets } = inputs;
    const logits = asStored(inputs.logits, dtype); // to which lse belongs
    const { lse } = crossEntropy.forward(logits, targets, size(sizes, "ignoreIndex", -Infinity));
    return { inputs: { dloss: upstream(profile, seed), logits, targets, lse }, scalars };
  },
  large: { ...shared.large, isInBlocks: true, blocks: aroundRows },
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: (n) => [{ sizes: { R: 1, V: n, ignored: "none", ignoreIndex: -100 }, outputs: ["dlogits"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("no output is a sum"),
  independence: [alone("R", ["dlogits"], { whole: ["targets"] })], // how many targets count is part of every gradient
  padding: [weightless("V", ["dlogits"], "logits"), ignoredRows(["dlogits"])],
  symmetry: [along("R"), along("V", { ids: { targets: "V" } })],
  scaling: [linearIn(["dloss"], ["dlogits"])],
  shift: none("the forward's, whose lse it is given"),
  overlooked: ["lse"], // may be recomputed
  shown,
  unread: ignoredLogits,
  atScale: {
    sizes: ({ V, T: R }) => ({ R, V, ...noneIgnored }),
    of: (sizes) => {
      const { R, V, ignoreIndex, logits, targets } = classesAtScale(sizes);
      return {
        inputs: {
          dloss: { kind: "uniform", shape: [] },
          logits,
          targets,
          lse: { kind: "forward", shape: [R], op: "cross-entropy.forward" },
        },
        scalars: { ignoreIndex },
        parts: (seed) => {
          const r = sampled(seed, "row", GRADIENT_ROWS, R);
          const keep = r.flatMap((row, n) => {
            const target = integer(seed, streamOf("targets"), row, V);
            const columns = new Set([...sampled(seed + n, "class", PER_ROW, V), target]);
            return [...columns].toSorted((a, b) => a - b).map((v) => n * V + v);
          });
          // The mean is over R rows; the small problem's mean is over its own rows.
          const share = { shape: [], at: () => 0, value: (x: number) => (x * r.length) / R };
          return [
            {
              inputs: { dloss: share, logits: rowsOf(r, V), targets: vectorOf(r) },
              outputs: { dlogits: rowsOf(r, V).at },
              keep: { dlogits: keep },
            },
          ];
        },
      };
    },
  },
});

type GradientPart = Part<"dloss" | "logits" | "targets" | "lse", "dlogits">;

/** Each row of dlogits, as the only one that counts: its dloss is what each of those that count has of it. */
function aroundRows({ inputs, scalars }: Problem, _: string, list: readonly number[]): Iterable<GradientPart> {
  const { dloss, logits, targets } = inputs as { dloss: Tensor; logits: Tensor; targets: Tensor<Int32Array> };
  const V = logits.shape[1];
  const ignoreIndex = Number(scalars.ignoreIndex);
  const n = crossEntropy.countTargets(targets, V, ignoreIndex);
  return eachRow(V, list, (r, columns) => ({
    inputs: {
      dloss: { ...whole(), value: (x) => x / n, isWide: true },
      logits: rowsOf([r], V),
      targets: vectorOf([r]),
      lse: vectorOf([r]),
    },
    outputs: { dlogits: (i) => r * V + i },
    keep: { dlogits: columns },
    bound: ({ inputs: small }, target, errorsOf) => {
      const row = { ...(small as Reals<"logits" | "lse"> & { targets: Tensor<Int32Array> }), dloss };
      return backwardBound(row, { ignoreIndex }, target, errorsOf(row), n);
    },
  }));
}

/** Logits and targets at the size of a model; every target counts. */
function classesAtScale(sizes: Sizes) {
  const [R, V] = lengthsIn(sizes, "R", "V");
  const ignoreIndex = size(sizes, "ignoreIndex", -Infinity);
  if (sizes.ignored !== "none" || (ignoreIndex >= 0 && ignoreIndex < V)) {
    throw new RangeError(
      `sizes at scale: ignored=${sizes.ignored} ignoreIndex=${ignoreIndex}, expected ignored=none and an index of no class`,
    );
  }
  return {
    R,
    V,
    ignoreIndex,
    logits: { kind: "normal", shape: [R, V], scale: 4 },
    targets: { kind: "integer", shape: [R], below: V },
  } as const;
}

/** Classes, a quarter of them the likeliest one, so that p − 1 cancels; some, all or none of them ignored. No target is masked. */
function targetsOf(sizes: Sizes, logits: Tensor, seed: number, ignoreIndex: number): Tensor<Int32Array> {
  const [R, V] = logits.shape;
  const targets = fillIds(seed, "targets", [R], V);
  const [likeliest, ignored] = [streamOf("likeliest"), streamOf("ignored")];
  for (let r = 0; r < R; r++) {
    const row = logits.data.subarray(r * V, (r + 1) * V);
    const isMasked = row[targets.data[r]] === -Infinity;
    if (isMasked || bits(seed, likeliest, r) % 4 === 0) targets.data[r] = row.indexOf(largest(row));
    const drawn = sizes.ignored === "some" && bits(seed, ignored, r) % 3 === 0;
    if (drawn || sizes.ignored === "all") targets.data[r] = ignoreIndex;
  }
  return targets;
}

/** dloss is one number, which some profiles would often make zero, and every gradient with it; others are of logits alone. */
function upstream(profile: MadeUp, seed: number): Tensor<Float32Array> {
  const isOrdinary = madeUp.includes(profile) && profile !== "one-hot" && profile !== "lattice";
  return fill(isOrdinary ? profile : "unit", seed, "dloss", []);
}

/** A logit of a row that counts. */
function shown(input: string, { inputs, scalars }: Problem): number | undefined {
  if (input !== "logits") return 0;
  const row = inputs.targets.data.findIndex((target) => target !== scalars.ignoreIndex);
  return row < 0 ? undefined : row * inputs.logits.shape[1];
}

/** No loss and no gradient contains them. */
function ignoredLogits({ inputs, scalars }: Problem): Unread | undefined {
  const row = inputs.targets.data.findIndex((target) => target === scalars.ignoreIndex);
  if (row < 0) return undefined;
  const V = inputs.logits.shape[1];
  return {
    name: "the logits of an ignored row",
    input: "logits",
    places: Array.from({ length: V }, (_, v) => row * V + v),
  };
}
