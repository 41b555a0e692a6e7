// The entry touchstone-llama, for people who test kernels: pure, in Node, browsers, Deno and workers alike.
//
//   ops, fuse            what can be judged
//   oracle, compare      one problem: truth and bound of each element, and outputs against them
//   judge                a kernel: drawn cases, precision, relations, hygiene
//   invariance           which bits of a kernel depend on what surrounds them, and at which sizes they change
//   cases, replay        problems drawn by fast-check, and from a printed line
//   targets, tensor      whose accuracies are allowed, and numbers with a shape
//   reference            the LLaMA itself: ops, block, model, training step
export { cases, replay } from "./judge/api/cases.ts";
export { invariance, type InvarianceOptions, type InvarianceResult } from "./judge/api/invariance.ts";
export { judge, type JudgeOptions, type JudgeResult } from "./judge/api/judge.ts";
export { fuse, type OpInfo, ops } from "./judge/api/ops.ts";
export { compare, type CompareResult, type Expectation, oracle } from "./judge/api/oracle.ts";
export type { TermsOptions } from "./judge/api/terms.ts";
export type {
  AnyOp,
  FusedName,
  InputsOf,
  KernelFunction,
  OutputsOf,
  PartialKernel,
  ProblemOf,
  ScalarsOf,
} from "./judge/api/types.ts";
export type { Comparison, Finding } from "./judge/compare.ts";
export type { BitMap, BitRange } from "./judge/invariance/map.ts";
export { type Candidate, type CandidateResult, Unsupported } from "./reference/candidate.ts";
export { customTarget } from "./reference/custom-target.ts";
/**
 * The LLaMA itself, readable: each op with its forward and backward, the block, the model and the training step. Functions are
 * generic in their storage: Float32Array rounds each stored element once, Float64Array carries the truth. They throw TypeError
 * or RangeError for tensors that do not fit together.
 *
 * @example
 * ```ts
 * import { reference, tensor } from "touchstone-llama";
 *
 * // One op, by its equation's arguments; float64 in, float64 out.
 * const x = tensor(new Float64Array([3, 4]), [1, 2]);
 * const { y, rstd } = reference.rmsnorm.forward(x, tensor(new Float64Array([1, 1]), [2]), 1e-5);
 *
 * // A model and its training step: the loss of one batch, and the next state.
 * const config = { ...reference.presets.tiny, nLayers: 1 };
 * const state = reference.training.initialState(reference.initialWeights(config, 1, Float32Array));
 * const tokens = tensor(Int32Array.of(1, 2, 3, 4), [1, 4]);
 * const { logits } = reference.model.forward(config, state.weights, tokens); // [4, V]
 * const { loss, gradients } = reference.training.differentiate(config, state.weights, { tokens, targets: tokens });
 * ```
 */
export * as reference from "./reference/index.ts";
export type { OpName } from "./reference/ops/index.ts";
export type { SumOrder } from "./reference/sum-order.ts";
export type { SumTree } from "./reference/sum-tree.ts";
export { type Target, targets } from "./reference/targets.ts";
export { type Tensor, tensor } from "./reference/tensor.ts";
