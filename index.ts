// The entry touchstone-llama, for people who test kernels: pure, in Node, browsers, Deno and workers alike.
//
//   ops, fuse            what can be judged
//   oracle, compare      one problem: truth and bound of each element, and outputs against them
//   judge                a kernel: drawn cases, precision, relations, hygiene
//   cases, replay        problems drawn by fast-check, and from a printed line
//   targets, tensor      whose accuracies are allowed, and numbers with a shape
//   reference            the LLaMA itself: ops, block, model, training step
export { cases, replay } from "./judge/api/cases.ts";
export { judge, type JudgeOptions, type JudgeResult } from "./judge/api/judge.ts";
export { fuse, type OpInfo, ops } from "./judge/api/ops.ts";
export { compare, type CompareResult, type Expectation, oracle } from "./judge/api/oracle.ts";
export type { TermsOptions } from "./judge/api/terms.ts";
export type { AnyOp, FusedName, InputsOf, KernelFunction, OutputsOf, ProblemOf, ScalarsOf } from "./judge/api/types.ts";
export type { Comparison, Finding } from "./judge/compare.ts";
export type { Candidate, CandidateResult } from "./reference/candidate.ts";
export { customTarget } from "./reference/custom-target.ts";
export * as reference from "./reference/index.ts";
export type { OpName } from "./reference/ops/index.ts";
export { type Target, targets } from "./reference/targets.ts";
export { type Tensor, tensor } from "./reference/tensor.ts";
