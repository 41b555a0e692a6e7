// The reference as a program uses it: each op with its forward and backward, the model, and the training step.
//
// All of it is generic in its storage: Float32Array rounds each stored element once, Float64Array holds the truth.
export * as adamw from "./ops/adamw.ts";
export * as add from "./ops/add.ts";
export * as attention from "./ops/attention.ts";
export * as cast from "./ops/cast.ts";
export * as clip from "./ops/clip.ts";
export * as crossEntropy from "./ops/cross-entropy.ts";
export * as embedding from "./ops/embedding.ts";
export * as gradientNorm from "./ops/gradient-norm.ts";
export * as linear from "./ops/linear.ts";
export * as rmsnorm from "./ops/rmsnorm.ts";
export * as rope from "./ops/rope.ts";
export * as ropeTable from "./ops/rope-table.ts";
export * as softmax from "./ops/softmax.ts";
export * as swiglu from "./ops/swiglu.ts";

export * as block from "./model/block.ts";
export * as model from "./model/model.ts";
export * as training from "./training/step.ts";

export { checkConfig, type LlamaConfig, presets } from "./config.ts";
export { checkHyperparameters, type Hyperparameters } from "./training/hyperparameters.ts";
export {
  checkWeights,
  countParameters,
  initialWeights,
  layerWeights,
  type LayerWeights,
  type Weights,
  weightShapes,
} from "./weights.ts";
