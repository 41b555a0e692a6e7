// Mistakes that parallel training has really made (and their like), planted between a rank and the others: each must break the
// property that the step is the dense one.
import { describe, expect, test } from "vitest";
import type { Layout } from "../../reference/parallel/layout.ts";
import type { RankGroup, Rank } from "../../reference/parallel/lockstep.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { PARALLEL_STEP } from "../thresholds.ts";
import { difference, hyperparameters, type Problem, grouped } from "./problem.ts";

const base: Omit<Problem, "layout"> = {
  config: grouped,
  B: 4,
  T: 4,
  seed: 5,
  h: hyperparameters(false),
  t: 2,
};

interface Fault {
  readonly what: string;
  readonly layout: Layout;
  readonly through: (rank: Rank) => Rank;
  /** Where it is seen first or most. */
  readonly tied?: boolean;
}

/** A rank whose group of that name behaves otherwise. */
const withGroup = (rank: Rank, name: "tensor" | "data", change: Partial<RankGroup>): Rank => ({
  ...rank,
  [name]: { ...rank[name], ...change },
});

/** An all-reduce that is forgotten for what matches. */
const forgotten =
  (name: "tensor" | "data", what: RegExp) =>
  (rank: Rank): Rank =>
    withGroup(rank, name, {
      *allReduce(sent, x, reduction) {
        return what.test(sent) ? x : yield* rank[name].allReduce(sent, x, reduction);
      },
    });

const scaled = <P extends Floats>({ data, shape }: Tensor<P>, factor: number): Tensor<P> => ({
  data: data.map((x) => factor * x) as P,
  shape,
});

const tensor2: Layout = { data: 1, tensor: 2, sequence: false, zero: 0 };
const sequence2: Layout = { data: 1, tensor: 2, sequence: true, zero: 0 };
const data2: Layout = { data: 2, tensor: 1, sequence: false, zero: 0 };
const both: Layout = { data: 2, tensor: 2, sequence: true, zero: 0 };

const faults: readonly Fault[] = [
  {
    what: "gradients of the norms' gains not reduced under sequence parallelism (Megatron-LM 1446)",
    layout: sequence2,
    through: forgotten("tensor", /^gradients\..*norm\.weight$/),
  },
  {
    what: "positions gathered along the batch (TransformerEngine 530)",
    layout: sequence2,
    through: (rank) =>
      withGroup(rank, "tensor", {
        *allGather(what, x, axis) {
          return yield* rank.tensor.allGather(what, x, axis === 1 ? 0 : axis);
        },
      }),
  },
  {
    what: "the norm counts the gains of every tensor rank (Megatron-LM 7227)",
    layout: tensor2,
    through: (rank) => ({ ...rank, counts: () => true }),
  },
  {
    what: "the norm counts the gradients of every data rank (NeMo-RL 3788)",
    layout: both,
    through: (rank) =>
      withGroup(rank, "tensor", {
        *allGather(what, x, axis) {
          return yield* (what === "gradientNorm" ? rank.world : rank.tensor).allGather(what, x, axis);
        },
      }),
  },
  {
    what: "the mean of the data ranks' means instead of the mean over tokens (transformers 34191)",
    layout: data2,
    through: (rank) =>
      withGroup(rank, "data", {
        *allReduce(what, x, reduction) {
          return what === "targets" ? scaled(x, rank.data.size) : yield* rank.data.allReduce(what, x, reduction);
        },
      }),
  },
  {
    what: "the loss reduced over the tensor group instead of the data group",
    layout: both,
    through: (rank) =>
      withGroup(rank, "data", {
        *allReduce(what, x, reduction) {
          return yield* (what === "activations.loss" ? rank.tensor : rank.data).allReduce(what, x, reduction);
        },
      }),
  },
  {
    what: "gradients averaged over the data ranks, though the loss is a mean already",
    layout: data2,
    through: (rank) =>
      withGroup(rank, "data", {
        *allReduce(what, x, reduction) {
          const sum = yield* rank.data.allReduce(what, x, reduction);
          return what.startsWith("gradients.") ? scaled(sum, 1 / rank.data.size) : sum;
        },
      }),
  },
  {
    what: "gradients not summed over the data ranks",
    layout: data2,
    through: forgotten("data", /^gradients\./),
  },
  {
    what: "a rank keeps its neighbour's part of the summed gradients",
    layout: { ...data2, zero: 2 },
    through: (rank) =>
      withGroup(rank, "data", {
        *reduceScatter(what, x, axis) {
          const own = yield* rank.data.reduceScatter(what, x, axis);
          const parts = yield* rank.data.allGather(
            `${what} swapped`,
            { data: own.data, shape: [1, own.data.length] },
            1,
          );
          const other = parts.data.subarray(...(rank.data.index === 0 ? [own.data.length] : [0, own.data.length]));
          return { data: other as typeof own.data, shape: own.shape };
        },
      }),
  },
  {
    what: "the terms of wo's product not summed",
    layout: tensor2,
    through: forgotten("tensor", /^activations\..*attention_output$/),
  },
  {
    what: "the gradient at the input of the products not summed",
    layout: tensor2,
    through: forgotten("tensor", /^activationGradients\./),
  },
  {
    what: "each tensor rank subtracts its own largest logit",
    layout: tensor2,
    through: forgotten("tensor", /^logits\.max$/),
  },
  {
    what: "the softmax normalised over a rank's own part of the vocabulary",
    layout: tensor2,
    through: forgotten("tensor", /^logits\.sum$/),
  },
  {
    what: "the target's logit not fetched from its owner",
    layout: tensor2,
    through: forgotten("tensor", /^logits\.target$/),
  },
  {
    what: "the gradient of a tied head, as head, not summed over the data ranks (Megatron-LM 844)",
    layout: data2,
    tied: true,
    through: forgotten("data", /^gradients\.tok_embeddings\.weight\.head$/),
  },
];

describe.each(faults)("$what", ({ layout, through, tied = false }) => {
  const problem: Problem = { ...base, config: { ...base.config, tiedEmbeddings: tied }, layout };
  test("breaks the property, which holds without it", () => {
    expect(difference(problem).worst <= PARALLEL_STEP).toBe(true);
    const { worst, where } = difference(problem, { through });
    expect(worst <= PARALLEL_STEP, where).toBe(false);
  });
});
