// What the ranks compute, put together, is the dense trace: in float64 the same numbers, in float32 clean under blame.
import { describe, expect, test } from "vitest";
import { blameInstances } from "../../judge/blame.ts";
import type { Recording } from "../../trace/recording.ts";
import { micro } from "../../trace/instance.ts";
import { instancesOf } from "../../trace/instances.ts";
import { operations } from "../../reference/ops/index.ts";
import { cut, join } from "../../reference/parallel/cut.ts";
import type { Layout } from "../../reference/parallel/layout.ts";
import type { RankGroup, Rank } from "../../reference/parallel/lockstep.ts";
import { recordRanks } from "../../reference/parallel/recorded.ts";
import { shardState } from "../../reference/parallel/shards.ts";
import { type ParallelOptions, parallelStep } from "../../reference/parallel/step.ts";
import { targets } from "../../reference/targets.ts";
import { type Floats, type Ints, type Tensor, view } from "../../reference/tensor.ts";
import { recordPasses, recordUpdate } from "../../reference/training/recorded.ts";
import { splitBatch } from "../../reference/training/micro-batches.ts";
import { differentiate, update } from "../../reference/training/step.ts";
import { PARALLEL_STEP } from "../thresholds.ts";
import { batchOf, hyperparameters, type Problem, relative, stateOf } from "./problem.ts";

const problem: Omit<Problem, "layout"> = {
  config: {
    dim: 16,
    nLayers: 1,
    nHeads: 8,
    nKvHeads: 4,
    ffnDim: 12,
    vocabSize: 11,
    normEps: 1e-5,
    ropeTheta: 10_000,
    tiedEmbeddings: true,
    maxSeqLen: 4,
  },
  B: 4,
  T: 4,
  seed: 3,
  h: hyperparameters(true),
  t: 1,
};

const layouts: readonly Layout[] = [
  { data: 1, tensor: 4, sequence: false, zero: 0 },
  { data: 2, tensor: 2, sequence: true, zero: 1 },
  { data: 4, tensor: 1, sequence: false, zero: 2 },
  { data: 2, tensor: 4, sequence: true, zero: 3 },
];
const cases = layouts.flatMap((layout) =>
  [true, false].map((tiedEmbeddings) => ({
    p: { ...problem, layout, config: { ...problem.config, tiedEmbeddings } },
    name: `${JSON.stringify(layout)}, ${tiedEmbeddings ? "tied" : "untied"}`,
  })),
);

type Trace = Map<string, Tensor<Floats | Ints>>;

/** The recording of one parallel step, with what it started from. */
function recorded(p: Problem, Storage: typeof Float32Array | typeof Float64Array, options?: ParallelOptions): Trace {
  const { config, layout, h, t, seed } = p;
  const state = stateOf<Floats>(config, seed, Storage);
  const batch = batchOf(p);
  const trace: Trace = new Map();
  for (const [name, w] of state.weights) trace.set(`weights.${name}`, w);
  for (const moment of ["firstMoment", "secondMoment"] as const) {
    for (const [name, m] of state[moment]) trace.set(`initial.${moment}.${name}`, m);
  }
  trace.set("steps.0.tokens", batch.tokens);
  trace.set("steps.0.targets", batch.targets);
  for (const [i, part] of splitBatch(batch, options?.microBatches ?? 1).entries()) {
    for (const name of ["tokens", "targets"] as const) trace.set(`${micro(i)}${name}`, part[name]);
  }
  const record = (name: string, tensor: Tensor): void => {
    if (/^(gradients|gradientNorm|clipped|weights|firstMoment|secondMoment)\b/.test(name)) {
      trace.set(`steps.0.${name}`, tensor);
      if (name.startsWith("gradients.")) trace.set(name, tensor);
    } else trace.set(name, tensor);
  };
  const { ranks } = parallelStep(config, h, t, layout, shardState(config, layout, state), batch, options);
  recordRanks(layout, ranks, record);
  return trace;
}

const blameOf = (p: Problem, trace: Trace, microBatches = 1): ReturnType<typeof blameInstances> => {
  const like = { data: new Float32Array(0), shape: [0] };
  const instances = instancesOf({ config: p.config, hyperparameters: p.h, B: p.B, T: p.T, microBatches, like });
  const recording: Recording = {
    path: "memory",
    metadata: {},
    dtype: undefined,
    read: (name) => {
      const tensor = trace.get(name);
      return tensor && { tensor, dtype: "float32" };
    },
    close: () => {},
  };
  return blameInstances(instances, operations, recording, targets.ieee);
};

describe.each(cases)("$name", ({ p }) => {
  test("in float64, every recorded tensor is the dense step's", () => {
    const got = recorded(p, Float64Array);
    const wanted = new Map<string, Tensor>();
    const state = stateOf(p.config, p.seed, Float64Array);
    const passes = differentiate(p.config, state.weights, batchOf(p));
    recordPasses(passes, (name, t) => wanted.set(name, t));
    const { clipped, state: next } = update(p.h, p.t, state, passes.gradients.weights, passes.norm);
    recordUpdate(clipped, next, (name, t) => wanted.set(`steps.0.${name}`, t));
    const left: string[] = [];
    for (const [name, t] of wanted) {
      const found = got.get(name) ?? got.get(`steps.0.${name}`);
      if (found === undefined) {
        left.push(name);
        continue;
      }
      expect(found.shape, name).toEqual(t.shape);
      const off = relative(found.data, t.data);
      expect(off <= PARALLEL_STEP, `${name}: ${off}`).toBe(true);
    }
    // Sums that no rank has.
    const terms = /^activationGradientTerms\.layers\.0\.(ffn_norm\.(gate|up)|attention_norm\.(q|k|qk|v))$/;
    expect(left.filter((name) => !terms.test(name))).toEqual([]);
  });

  test("in float32, blame finds nothing and leaves nothing out", () => {
    const { faults, left, judged } = blameOf(p, recorded(p, Float32Array));
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    expect(judged.reduce((sum, { elements }) => sum + elements, 0)).toBeGreaterThan(0);
    expect(judged.reduce((sum, { unjudged }) => sum + unjudged, 0)).toBe(0);
  });

  test.each(["selective", "full"] as const)("in float32, recomputing %s in parts, blame finds nothing", (recompute) => {
    const parts = p.B / p.layout.data;
    if (parts === 1) return expect(recorded(p, Float32Array, { recompute })).toEqual(recorded(p, Float32Array));
    const { faults, left } = blameOf(p, recorded(p, Float32Array, { recompute, microBatches: parts }), parts);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
  });

  test("in float32 on rings that round at every hop, blame finds nothing", () => {
    const hopping = recorded(p, Float32Array, { through: ringing });
    expect(blameOf(p, hopping).faults).toEqual([]);
    if (Math.max(p.layout.data, p.layout.tensor) > 2) {
      const exact = recorded(p, Float32Array);
      expect([...hopping.values()].some((t, i) => t.data.join() !== [...exact.values()][i].data.join())).toBe(true);
    }
  });

  test("a fault is blamed on the op that the ranks share", () => {
    const { tensor, data } = p.layout;
    const through = (rank: Rank): Rank =>
      tensor > 1
        ? { ...rank, tensor: { ...rank.tensor, ...twice(rank.tensor, "activations.layers.0.ffn_output") } }
        : { ...rank, data: { ...rank.data, ...twice(rank.data, "gradients.layers.0.feed_forward.w2.weight") } };
    expect(data * tensor).toBeGreaterThan(1);
    const [first] = blameOf(p, recorded(p, Float32Array, { through })).faults;
    expect(first?.segment).toBe("layer 0, w2");
    expect(first?.op).toBe(tensor > 1 ? "linear.forward" : "linear.backward");
  });
});

/** Sums of this group that count one member twice. */
function twice(group: RankGroup, sent: string): Partial<RankGroup> {
  const grown = <P extends Floats>(what: string, x: Tensor<P>): Tensor<P> =>
    what === sent && group.index === 0 ? { data: x.data.map((value) => 2 * value) as P, shape: x.shape } : x;
  return {
    *allReduce(what, x, reduction) {
      return yield* group.allReduce(what, grown(what, x), reduction);
    },
    *reduceScatter(what, x, axis) {
      return yield* group.reduceScatter(what, grown(what, x), axis);
    },
  };
}

/** A rank whose sums go round a ring, part by part, each from another member on, and are rounded at every hop. */
function ringing(rank: Rank): Rank {
  const onRing = (group: RankGroup): RankGroup => {
    function* hops<P extends Floats>(what: string, x: Tensor<P>, axis: number) {
      const all = yield* group.allGather(what, view(x, [1, ...x.shape]), 0);
      const of = (member: number): Tensor<P> => view(cut(all, 0, group.size, member), x.shape);
      return Array.from({ length: group.size }, (_, part) => {
        const sum = cut(of((part + 1) % group.size), axis, group.size, part); // it ends at the member that keeps the part
        for (let hop = 2; hop <= group.size; hop++) {
          const { data } = cut(of((part + hop) % group.size), axis, group.size, part);
          for (let i = 0; i < data.length; i++) sum.data[i] += data[i];
        }
        return sum;
      });
    }
    return {
      ...group,
      *allReduce(what, x, reduction) {
        if (reduction === "max" || !(x.data instanceof Float32Array)) return yield* group.allReduce(what, x, reduction);
        return view(join(yield* hops(what, view(x, [x.data.length]), 0), 0), x.shape);
      },
      *reduceScatter(what, x, axis) {
        return (yield* hops(what, x, axis))[group.index];
      },
    };
  };
  return { ...rank, tensor: onRing(rank.tensor), data: onRing(rank.data) };
}
