// Inputs that a real training step gave to each op: a small LLaMA on the text that ships with the project, after a few
// steps, so that weights and moments are not as they were drawn.
import { readFileSync } from "node:fs";
import type { LlamaConfig } from "../../reference/config.ts";
import { bits, streamOf } from "../../reference/random.ts";
import { zeros, type Floats, type Ints, type Tensor } from "../../reference/tensor.ts";
import { batchAt } from "../../reference/text/batches.ts";
import { BYTE_VOCABULARY, encode } from "../../reference/text/bytes.ts";
import { recordPasses, recordUpdate } from "../../reference/training/recorded.ts";
import { differentiate, initialState, update } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { inputsOf, instancesOf } from "../trace/instances.ts";
import type { Problem } from "./case.ts";

/** The recorded inputs of an op, those of another instance for another seed; undefined where the op has none. */
export type RealInputs = (op: string, seed: number) => Problem | undefined;

const config: LlamaConfig = {
  dim: 48,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  ffnDim: 100,
  vocabSize: BYTE_VOCABULARY,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: true,
  maxSeqLen: 64,
};
const hyperparameters = {
  learningRate: 0.01,
  warmupSteps: 2,
  totalSteps: 100,
  minLearningRateRatio: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  adamEps: 1e-8,
  maxGradientNorm: 1,
};
const [B, T] = [2, 19];
const STEPS = 8;
const SEED = 1;

let recorded: ReadonlyMap<string, readonly Problem[]> | undefined;

/** Records the step when it is first asked for: about a second. */
export const realInputs: RealInputs = (op, seed) => {
  recorded ??= recordStep();
  const problems = recorded.get(op);
  return problems?.[bits(seed, streamOf("real"), 0) % problems.length];
};

function recordStep(): Map<string, Problem[]> {
  const text = readFileSync(new URL("../text/default.txt", import.meta.url));
  const tokens = encode(text.subarray(0, 8192));
  let state = initialState(initialWeights(config, SEED, Float32Array));
  const tensors = new Map<string, Tensor<Floats | Ints>>();
  const take = (prefix: string) => (name: string, t: Tensor<Floats | Ints>) => void tensors.set(prefix + name, t);
  for (let step = 0; step < STEPS; step++) {
    const batch = batchAt(tokens, B, T, SEED, step);
    const passes = differentiate(config, state.weights, batch);
    const next = update(hyperparameters, step + 1, state, passes.gradients.weights, passes.norm);
    if (step === STEPS - 1) {
      for (const [name, w] of state.weights) take("weights.")(name, w);
      for (const [name, m] of state.firstMoment) take("initial.firstMoment.")(name, m);
      for (const [name, v] of state.secondMoment) take("initial.secondMoment.")(name, v);
      for (const name of ["tokens", "targets"] as const) take("steps.0.")(name, batch[name]);
      recordPasses(passes, take(""));
      recordPasses(passes, take("steps.0.")); // the optimizer's instances read gradients under the step's name
      recordUpdate(next.clipped, next.state, take("steps.0."));
    }
    state = next.state;
  }
  const problems = new Map<string, Problem[]>();
  const like = zeros({ data: new Float32Array(0), shape: [0] });
  for (const instance of instancesOf({ config, hyperparameters, B, T, like })) {
    const inputs = inputsOf(instance, (name) => tensors.get(name)!);
    problems.set(instance.op, [...(problems.get(instance.op) ?? []), { inputs, scalars: instance.scalars }]);
  }
  return problems;
}
