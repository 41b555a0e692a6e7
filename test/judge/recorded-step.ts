// A whole step computed instance by instance, each from the stored results of earlier ones: if one is made wrong, everything
// after it follows from the wrong numbers, as in a real recording.
import { stepOps } from "../../judge/step-ops.ts";
import type { Recording } from "../../trace/recording.ts";
import { roundScalars } from "../../judge/verdict.ts";
import { type Instance, inputsOf, type TraceShape } from "../../trace/instances.ts";
import { micro } from "../../trace/instance.ts";
import { type DTypeName, dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { bits } from "../../reference/random.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { splitBatch } from "../../reference/training/micro-batches.ts";
import { initialWeights, weightShapes } from "../../reference/weights.ts";

export type Tensors = Map<string, Tensor<Floats | Ints>>;
/** Replaces an output before it is stored; index: the instance's place in the step. */
export type Corrupt = (instance: Instance, index: number, output: string, t: Tensor, stored: Tensors) => Tensor;

/** A tied head, grouped queries, and gradients that are clipped. */
export const small = {
  dim: 12,
  nLayers: 1,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 20,
  vocabSize: 11,
  maxSeqLen: 8,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: true,
};
export const hyperparameters = {
  learningRate: 1e-3,
  warmupSteps: 1,
  totalSteps: 10,
  minLearningRateRatio: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  adamEps: 1e-8,
  maxGradientNorm: 0.1,
};

/** The recording of step 0; the targets of the first row of every second sequence do not count. */
export function recordStep(
  { config, B, T, microBatches = 1 }: TraceShape,
  instances: readonly Instance[],
  dtype: DTypeName,
  corrupt: Corrupt = (_i, _n, _o, t) => t,
): Tensors {
  const tensors: Tensors = new Map();
  const store = (t: Tensor<Floats | Ints>, format: DTypeName): Tensor<Floats | Ints> =>
    t.data instanceof Int32Array || format === "float32"
      ? t
      : { data: Float32Array.from(t.data, (x) => round(x, dtypes[format])), shape: t.shape };
  for (const [name, w] of initialWeights(config, 7, Float32Array)) {
    tensors.set(`weights.${name}`, store({ data: w.data.map((x) => 8 * x), shape: w.shape }, dtype));
  }
  for (const [name, shape] of weightShapes(config)) {
    const zeros = { data: new Float32Array(shape.reduce((n, d) => n * d, 1)), shape };
    for (const moment of ["firstMoment", "secondMoment"]) tensors.set(`initial.${moment}.${name}`, zeros);
  }
  const [tokens, targets] = ["tokens", "targets"].map((name) => {
    const data = Int32Array.from({ length: B * T }, (_, i) => bits(3, name.length, i) % config.vocabSize);
    return { data, shape: [B, T] };
  });
  if (microBatches > 1) targets.data.fill(-100, 1, T); // the first sequence has one target that counts
  for (const [name, ids] of Object.entries({ tokens, targets })) tensors.set(`steps.0.${name}`, ids);
  tensors.set("activationGradients.loss", { data: Float32Array.of(1), shape: [] });
  if (microBatches > 1) {
    for (const [i, part] of splitBatch({ tokens, targets }, microBatches).entries()) {
      for (const [name, ids] of Object.entries(part)) tensors.set(`${micro(i)}${name}`, ids);
    }
  }
  for (const [n, instance] of instances.entries()) {
    const operation = stepOps.get(instance.op) ?? operations.get(instance.op)!;
    const inputs = inputsOf(instance, (name) => tensors.get(name)!);
    const outputs = operation.evaluate(inputs, roundScalars(operation, instance.scalars), Float32Array);
    for (const [output, { name, shape }] of Object.entries(instance.outputs)) {
      const format = operation.wide.includes(output) ? "float32" : dtype;
      const right = { data: outputs[output].data, shape };
      const stored = store(corrupt(instance, n, output, right, tensors), format);
      tensors.set(name, stored);
      if (name.startsWith("gradients.")) tensors.set(`steps.0.${name}`, stored); // the pass's name and the step's
    }
  }
  return tensors;
}

export function recordingOf(tensors: Tensors, dtype: DTypeName, without: readonly RegExp[] = []): Recording {
  return {
    path: "memory",
    metadata: {},
    dtype,
    read: (name) => {
      const tensor = tensors.get(name);
      return tensor === undefined || without.some((pattern) => pattern.test(name)) ? undefined : { tensor, dtype };
    },
    close: () => {},
  };
}

/** The largest element of the first output of one instance, 1 % too large. */
export function onePercent(instances: readonly Instance[], planted: number): Corrupt {
  return (_, n, output, t) => {
    if (n !== planted || output !== Object.keys(instances[n].outputs)[0]) return t;
    let largest = 0;
    for (let i = 0; i < t.data.length; i++) if (Math.abs(t.data[i]) > Math.abs(t.data[largest])) largest = i;
    return { data: t.data.map((x, i) => (i === largest ? 1.01 * x : x)) as Floats, shape: t.shape };
  };
}
