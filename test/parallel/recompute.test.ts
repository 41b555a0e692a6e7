// Recomputation and micro-batches on ranks: the same bits under every policy, the dense step in any number of parts, a clean
// trace, and the faults that would break it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Layout } from "../../reference/parallel/layout.ts";
import type { RankGroup, Rank } from "../../reference/parallel/lockstep.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { type ParallelOptions, parallelStep } from "../../reference/parallel/step.ts";
import type { TensorName } from "../../reference/model/block-table.ts";
import { kept, type Policy, policyNames } from "../../reference/model/policies.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { anyPolicy } from "../model/problem.ts";
import { PARALLEL_STEP } from "../thresholds.ts";
import { batchOf, difference, hyperparameters, type Problem, problems, stateOf, grouped } from "./problem.ts";

const run = (
  p: Problem,
  options: ParallelOptions,
  Storage: Float32ArrayConstructor | Float64ArrayConstructor = Float32Array,
) => {
  const { config, layout, h, t, seed } = p;
  const state = stateOf<Floats>(config, seed, Storage);
  return parallelStep(config, h, t, layout, shardState(config, layout, state), batchOf(p), options);
};

test("every rank's gradients and next state have the same bits under every policy", () => {
  fc.assert(
    fc.property(problems, anyPolicy, (p, recompute) => {
      const [want, got] = [run(p, {}), run(p, { recompute })];
      expect(got.shards).toEqual(want.shards);
      expect([got.losses, got.gradientNorms]).toEqual([want.losses, want.gradientNorms]);
      for (const [rank, { passes }] of got.ranks.entries()) {
        expect(passes.weights).toEqual(want.ranks[rank].passes.weights);
        const { activations, gradients } = passes.parts[0];
        for (const [i, { again, ...layer }] of gradients.layers.entries()) {
          const { again: _, ...wanted } = want.ranks[rank].passes.parts[0].gradients.layers[i];
          expect(layer).toEqual(wanted);
          // What was computed again, and as often sent, is what the forward computed.
          for (const [name, t] of again) expect(t, name).toEqual(tensorOf(activations.layers[i], name));
          const { recomputed } = kept(recompute);
          expect([...again.keys()].toSorted()).toEqual(
            recomputed.flatMap(({ outputs }) => Object.values(outputs)).toSorted(),
          );
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("every legal layout, policy and number of micro-batches gives the dense step in float64", () => {
  const parts = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(problems, anyPolicy, parts, (p, recompute, microBatches) => {
      const { worst, where } = difference({ ...p, B: p.B * microBatches }, { recompute, microBatches });
      expect(worst <= PARALLEL_STEP, `${where}: ${worst}`).toBe(true);
    }),
    { numRuns: 60 },
  );
});

function tensorOf(layer: object, name: TensorName): unknown {
  return name.split(".").reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], layer);
}

const p: Problem = {
  config: grouped,
  layout: { data: 1, tensor: 2, sequence: true, zero: 0 },
  B: 4,
  T: 4,
  seed: 5,
  h: hyperparameters(false),
  t: 2,
};

describe("what recomputation sends", () => {
  // Of each block in the backward: full computes attentionOutput again, whose terms are summed over the ranks; what enters the
  // products is gathered once under every policy.
  const wanted: [Policy, sums: number, gathers: number][] = [
    ["none", 1, 2],
    ["selective", 1, 2],
    ["full", 2, 2],
    [["attentionResidual"], 1, 2],
  ];
  test.each(wanted)("under %s", (recompute, sums, gathers) => {
    const { traffic } = run(p, { recompute });
    const count = (what: string): number => traffic.filter((sent) => sent.rank === 0 && sent.what === what).length;
    expect(count("activations.layers.1.attention_output")).toBe(sums);
    expect(count("activations.layers.1.ffn_output")).toBe(1);
    expect(count("activations.layers.1.attention_norm")).toBe(gathers);
    expect(count("activations.layers.1.ffn_norm")).toBe(gathers);
  });
});

/** A tensor group whose n-th collective of that name behaves otherwise. */
const nth = (rank: Rank, what: string, n: number, change: <P extends Floats>(x: Tensor<P>) => Tensor<P>): Rank => {
  let met = 0;
  const isIt = (sent: string): boolean => sent === what && ++met === n;
  const { tensor } = rank;
  const group: Partial<RankGroup> = {
    *reduceScatter(sent, x, axis) {
      const here = isIt(sent);
      const sum = yield* tensor.reduceScatter(sent, x, axis);
      return here ? change(sum) : sum;
    },
    *allGather(sent, x, axis) {
      const here = isIt(sent);
      const whole = yield* tensor.allGather(sent, x, axis);
      return here ? change(whole) : whole;
    },
  };
  return { ...rank, tensor: { ...tensor, ...group } };
};
const halved = <P extends Floats>({ data, shape }: Tensor<P>): Tensor<P> => ({
  data: data.map((x) => x / 2) as P,
  shape,
});

describe("planted faults break the property", () => {
  const worst = (options: ParallelOptions): number => difference(p, options).worst;
  test.each([
    ["a sum that recomputation counts half", "activations.layers.1.attention_output"],
    ["rows gathered again that are not the forward's", "activations.layers.1.ffn_norm"],
  ])("%s", (_, what) => {
    expect(worst({ recompute: "full" }) <= PARALLEL_STEP).toBe(true);
    expect(worst({ recompute: "full", through: (rank) => nth(rank, what, 2, halved) }) <= PARALLEL_STEP).toBe(false);
  });

  test("a mean over half of the targets, as many as one micro-batch has", () => {
    const layout: Layout = { data: 2, tensor: 1, sequence: false, zero: 2 };
    const through = (rank: Rank): Rank => ({
      ...rank,
      data: {
        ...rank.data,
        *allReduce(what, x, reduction) {
          const sum = yield* rank.data.allReduce(what, x, reduction);
          return what === "targets" ? halved(sum) : sum;
        },
      },
    });
    for (const recompute of policyNames) {
      const options = { recompute, microBatches: 2 };
      expect(difference({ ...p, layout }, options).worst <= PARALLEL_STEP).toBe(true);
      expect(difference({ ...p, layout }, { ...options, through }).worst <= PARALLEL_STEP).toBe(false);
    }
  });
});

test("parts that do not divide the batch, or not over the data ranks, are refused", () => {
  expect(() => run(p, { microBatches: 3 })).toThrow("a batch of 4 sequences cannot be split into 3 micro-batches");
  const layout: Layout = { ...p.layout, data: 4 };
  expect(() => run({ ...p, layout }, { microBatches: 2 })).toThrow("data 4 does not divide");
});
