// A small recording for `touchstone trace --replay`.
import { paperHyperparameters } from "../reference/training/hyperparameters.ts";
import { writeSafetensors, type TensorToWrite } from "../formats/safetensors.ts";
import { presets } from "../reference/config.ts";
import { initialWeights } from "../reference/weights.ts";

const config = { ...presets.tiny, dim: 8, nHeads: 2, nKvHeads: 1, ffnDim: 8, nLayers: 1, vocabSize: 11, maxSeqLen: 8 };
const hyperparameters = {
  learningRate: 0.01,
  warmupSteps: 1,
  totalSteps: 9,
  ...paperHyperparameters,
};

/** Writes the recording of `steps` steps of a model, by default a tiny one. */
export function writeRecording(path: string, steps = 1, of: Partial<typeof config> = {}): void {
  const shape = { ...config, ...of };
  const [B, T] = [2, shape.maxSeqLen];
  const weights = initialWeights(shape, 1, Float32Array);
  const tensors = new Map<string, TensorToWrite>([...weights].map(([name, w]) => [`weights.${name}`, w]));
  for (const name of ["tokens", "targets"]) {
    const data = Int32Array.from({ length: steps * B * T }, (_, i) => (7 * i + name.length) % shape.vocabSize);
    tensors.set(name, { data, shape: [steps, B, T] });
  }
  writeSafetensors(path, tensors, { config: JSON.stringify({ ...shape, ...hyperparameters }) });
}
