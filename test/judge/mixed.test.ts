// Recordings of mixed precision as libraries make them: what is judged in which dtype, and what a left-out tensor may have been.
import { describe, expect, test } from "vitest";
import { type Blame, blameInstances } from "../../judge/blame.ts";
import { recordedDType, isMixed, type Recording } from "../../trace/recording.ts";
import { instancesOf } from "../../trace/instances.ts";
import { type DTypeName, dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { type Corrupt, recordStep, type Tensors } from "./recorded-step.ts";

const config = {
  dim: 12,
  nLayers: 2,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 20,
  vocabSize: 11,
  maxSeqLen: 8,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
};
const h = { learningRate: 1e-3, warmupSteps: 1, totalSteps: 10, minLearningRateRatio: 0.1, weightDecay: 0.1 };
const hyperparameters = { ...h, beta1: 0.9, beta2: 0.95, adamEps: 1e-8, maxGradientNorm: 0.1 };
const shape = { config, hyperparameters, B: 2, T: 5, like: { data: new Float32Array(0), shape: [0] } };
const low = (x: number): number => round(x, dtypes.bfloat16);
const lowered = ({ data, shape: axes }: Tensor<Floats | Ints>): Tensor => ({
  data: Float32Array.from(data, low),
  shape: axes,
});

interface Options {
  readonly dtypeOf: (name: string) => DTypeName;
  readonly without?: RegExp;
  readonly declared?: DTypeName;
}

function recording(tensors: Tensors, { dtypeOf: of, without, declared }: Options): Recording {
  return {
    path: "memory",
    metadata: {},
    dtype: declared,
    read: (name) => {
      const tensor = tensors.get(name);
      return tensor === undefined || without?.test(name) ? undefined : { tensor, dtype: of(name) };
    },
    close: () => {},
  };
}

describe("sums whose terms are left out", () => {
  // What hooks do not see: a library adds the terms up in 16 bits, and rounds each sum on the way.
  const parts = { ...shape, B: 4, microBatches: 4 };
  const instances = instancesOf(parts);
  const without = /GradientTerms|accumulated|rstd$|lse$/;
  const wide = /^steps\.0\.((first|second)Moment|weights|gradientNorm)|loss$|rope\./;
  const names16 = (name: string): DTypeName => (wide.test(name) ? "float32" : "bfloat16");
  const judge = (corrupt?: Corrupt): Blame => {
    const tensors = recordStep(parts, instances, "bfloat16", corrupt);
    return blameInstances(instances, operations, recording(tensors, { dtypeOf: names16, without }), targets.ieee);
  };

  test("are sound where each partial sum was rounded to the recording's dtype", () => {
    expect(judge().faults).toEqual([]);
  });

  test("are outside where a term is missing", () => {
    const planted = instances.findIndex(({ outputs }) => outputs.dx?.name.endsWith("layers.1.attention_norm.v"));
    const lost: Corrupt = (_, n, output, t) =>
      n === planted && output === "dx" ? { ...t, data: t.data.map(() => 0) as Floats } : t;
    expect(judge(lost).faults.map(({ tensor }) => tensor)).toEqual([
      "microBatches.0.activationGradients.layers.1.attention_norm",
    ]);
  });
});

// Norms and the residual stream stay float32; products, rotations, attention and the rest read and give bfloat16.
describe("a step whose norms stay in float32", () => {
  const isLow = (op: string): boolean => /^(linear|rope|attention|swiglu)\./.test(op);
  const instances = instancesOf({ ...shape, mixed: true });
  const autocast: Corrupt = ({ op, inputs, scalars }, _, output, t, tensors) => {
    if (op === "cast.forward") return lowered(t);
    if (!isLow(op)) return t;
    const read = Object.entries(inputs).map(([name, one]) => {
      const { name: from, shape: axes } = one as { name: string; shape: number[] };
      const whole = tensors.get(from)!;
      const narrow = /^(cos|sin|lse)$/.test(name) ? whole : lowered(whole);
      return [name, { data: narrow.data, shape: axes }];
    });
    const { data } = operations.get(op)!.evaluate(Object.fromEntries(read), scalars, Float64Array)[output];
    return output === "lse" ? { ...t, data } : lowered({ ...t, data });
  };
  const tensors = recordStep(shape, instances, "float32", autocast);
  const names = new Map(instances.flatMap(({ op, outputs }) => Object.values(outputs).map(({ name }) => [name, op])));
  const names16 = (name: string): DTypeName =>
    name.startsWith("activation") && !/(lse|rstd|loss)$/.test(name) && isLow(names.get(name) ?? "")
      ? "bfloat16"
      : "float32";
  const without = /^castWeights|^activations\.logits/;
  const stores = { x: "bfloat16", w: "bfloat16", dy: "bfloat16", q: "bfloat16", k: "bfloat16", v: "bfloat16" } as const;
  const declaring: Target = { ...targets.ieee, stores };
  const judge = (corrupted = tensors, target = declaring, options: Partial<Options> = {}): Blame =>
    blameInstances(instances, operations, recording(corrupted, { dtypeOf: names16, without, ...options }), target);

  test("is one of mixed precision, whether or not it holds the logits", () => {
    for (const left of [without, /^activations\.(norm|embedding)/]) {
      const one = recording(tensors, { dtypeOf: names16, without: left });
      expect([recordedDType(one), isMixed(one)]).toEqual(["bfloat16", true]);
    }
  });

  test("is sound once it declares its 16-bit inputs: gradients of weights came in 16 bits, and are recorded wide", () => {
    const { faults, left } = judge();
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    expect(judge(tensors, targets.ieee).faults.map(({ op }) => op)).toContain("linear.forward");
  });

  test("is sound where everything is recorded in float32 and the dtype is given", () => {
    const told = { dtypeOf: (): DTypeName => "float32", declared: "bfloat16" } as const;
    expect(judge(tensors, declaring, told).faults).toEqual([]);
  });

  // Twice the largest element: 1 % is within what an operand read as either of its neighbours in bfloat16 may do.
  test("one element doubled in any op: that op is named first", () => {
    for (const [planted, instance] of instances.entries()) {
      const { op, outputs } = instance;
      if (op === "cast.forward" || Object.values(outputs).some(({ name }) => without.test(name))) continue;
      const corrupt: Corrupt = (one, n, output, t, stored) => {
        const right = autocast(one, n, output, t, stored);
        if (n !== planted || output !== Object.keys(one.outputs)[0]) return right;
        const largest = Math.max(...Array.from(right.data, Math.abs));
        const at = right.data.findIndex((x) => Math.abs(x) === largest);
        return { ...right, data: Float32Array.from(right.data, (x, i) => (i === at ? 2 * x : x)) };
      };
      const [first] = judge(recordStep(shape, instances, "float32", corrupt)).faults;
      expect([planted, first?.op]).toEqual([planted, op]);
    }
  });

  test("a declaration for the passes excuses neither the optimizer nor the copies", () => {
    const name = "steps.0.weights.layers.0.attention.wq.weight";
    const rounded = new Map(tensors).set(name, lowered(tensors.get(name)!));
    expect(judge(rounded).faults.map(({ tensor }) => tensor)).toEqual([name]);
    const copy = "castWeights.layers.0.attention.wq.weight";
    const cut = Float32Array.from(tensors.get(copy)!.data as Floats, (x) => x + dtypes.bfloat16.u * x);
    const moved = new Map(tensors).set(copy, lowered({ ...tensors.get(copy)!, data: cut }));
    expect(judge(moved, declaring, { without: /logits$/ }).faults[0]?.op).toBe("cast.forward");
  });
});
