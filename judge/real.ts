// Inputs that a real training step gave to each op: the trained model that ships with the project runs on its training text,
// after a few more steps, so that the moments are not zero.
import { paperHyperparameters } from "../reference/training/hyperparameters.ts";
import { fileURLToPath } from "node:url";
import { checkConfig, type LlamaConfig } from "../reference/config.ts";
import { bits, streamOf } from "../reference/random.ts";
import { zeros, type Floats, type Ints, type Tensor } from "../reference/tensor.ts";
import { batchAt } from "../reference/text/batches.ts";
import { fromUtf8 } from "../reference/text/tokenizer-utf8.ts";
import { recordPasses, recordUpdate } from "../reference/training/recorded.ts";
import { differentiate, initialState, update } from "../reference/training/step.ts";
import { checkWeights, weightShapes } from "../reference/weights.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { readTextBytes } from "../formats/text.ts";
import { readTokenizer } from "../formats/tokenizer.ts";
import { inputsOf, instancesOf } from "../trace/instances.ts";
import type { RealInputs } from "./campaign.ts";
import type { Problem } from "./case.ts";

const hyperparameters = {
  learningRate: 1e-3,
  warmupSteps: 2,
  totalSteps: 100,
  ...paperHyperparameters,
};
const [B, T] = [2, 19];
const STEPS = 4;
const SEED = 1;

let recorded: ReadonlyMap<string, readonly Problem[]> | undefined;

/**
 * Inputs that a real training step gave to each op, for the option `real` of `judge`. Records the step when it is first asked for:
 * about a second.
 *
 * @example
 * ```ts
 * import { judge, ops } from "touchstone-llama";
 * import { realInputs } from "touchstone-llama/node";
 *
 * await judge("swiglu.forward", ops["swiglu.forward"].reference, { runs: 10, real: realInputs });
 * ```
 */
export const realInputs: RealInputs = (op, seed) => {
  recorded ??= recordStep();
  const problems = recorded.get(op);
  return problems?.[bits(seed, streamOf("real"), 0) % problems.length];
};

function recordStep(): Map<string, Problem[]> {
  const { config, weights } = trainedModel();
  const text = fromUtf8(readTextBytes(beside("../golden/text/frozen-corpus.txt.gz")));
  const tokens = readTokenizer(beside("../golden/models/small/tokenizer.model")).encode(text.slice(0, 8192));
  let state = initialState(weights);
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

/** The model of golden/models/small. */
function trainedModel() {
  const path = beside("../golden/models/small/model.safetensors");
  const { metadata, tensors } = readSafetensors(path);
  const config = JSON.parse(metadata.config) as LlamaConfig;
  checkConfig(config);
  const weights = new Map(
    [...weightShapes(config).keys()].map((name) => [name, tensors.get(`weights.${name}`) as Tensor<Float32Array>]),
  );
  checkWeights(config, weights);
  return { config, weights };
}

function beside(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
