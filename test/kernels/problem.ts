// A small model and its step, for what a whole step holds and gives on the device.
import type { LlamaConfig } from "../../reference/config.ts";
import { type Hyperparameters, paperHyperparameters } from "../../reference/training/hyperparameters.ts";

export const config: LlamaConfig = {
  dim: 12,
  nLayers: 3,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 20,
  vocabSize: 11,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 16,
};

export const hyperparameters: Hyperparameters = {
  learningRate: 0.01,
  warmupSteps: 0,
  totalSteps: 9,
  ...paperHyperparameters,
};
