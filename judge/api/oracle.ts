// The oracle, and the comparison of existing outputs with it.
import { dtypes } from "../../reference/dtype.ts";
import { type Outputs, storageOf } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import type { Chosen } from "../choose.ts";
import { boundIn, type Comparison } from "../compare.ts";
import { concludeProblem } from "../conclusion.ts";
import { type Profile, profiles } from "../profile.ts";
import type { Terms } from "../terms.ts";
import { allowancesOf, expectedAround, judgeOutputs, roundProblem, truth } from "../verdict.ts";
import { checkFields, checkInputs, checkScalars, checkTensor, fieldsOf, shown } from "./input.ts";
import { chosenOf } from "./ops.ts";
import { offeredBy, type TermsOptions, termsOf } from "./terms.ts";
import type { AnyOp, OutputsOf, ProblemOf } from "./types.ts";
import { largest } from "../../reference/lists.ts";
import { declaredOrder } from "../sums.ts";

/**
 * The expected output. Both tensors have its shape.
 *
 * @example
 * ```ts
 * import type { Expectation } from "touchstone-llama";
 *
 * const isWithin = ({ truth, bound }: Expectation, i: number, got: number) =>
 *   Math.abs(got - truth.data[i]) <= bound.data[i];
 * ```
 */
export interface Expectation {
  /** The exact output, in float64; where the terms declare intermediates of attention's backward as stored in 16 bits, with these rounded. */
  readonly truth: Tensor<Float64Array>;
  /**
   * How far a correct kernel may land from each element. Infinite where a correct kernel has no bound: an intermediate may
   * overflow, or the truth is infinite or NaN and the target promises nothing about those. In bfloat16 and float16 the two
   * sides may differ, and this is the wider one: `compare` judges each side separately.
   */
  readonly bound: Tensor<Float64Array>;
}

/**
 * The exact outputs for these inputs, and how far a correct kernel may land from each element: in any order of summation, any
 * tiling, with the accuracies that the target's specification allows. Throws TypeError or RangeError for a bad problem or bad
 * terms.
 *
 * @example
 * ```ts
 * import { oracle, tensor } from "touchstone-llama";
 *
 * const gate = tensor(new Float32Array([1, -2, 0.5]), [1, 3]);
 * const up = tensor(new Float32Array([3, 1, -1]), [1, 3]);
 * const { y } = oracle({ op: "swiglu.forward", inputs: { gate, up }, scalars: {} });
 * const mine = new Float32Array([2.1931758, -0.23840584, -0.31122968]);
 * mine.every((got, i) => Math.abs(got - y.truth.data[i]) <= y.bound.data[i]); // true
 * ```
 */
export function oracle<Op extends AnyOp>(
  problem: ProblemOf<Op>,
  terms?: TermsOptions,
): { readonly [Output in keyof OutputsOf<Op>]: Expectation } {
  const {
    chosen: { operation },
    given,
    settled,
  } = settle(problem, terms);
  const rounded = roundProblem(operation, given, settled.dtype);
  const exact = truth(operation, rounded);
  const allowances = allowancesOf(operation, rounded, settled.target);
  const expectations = Object.keys(operation.outputs).map((name) => {
    const dtype = storageOf(operation, name, settled.dtype);
    const { want, allowed } = expectedAround(exact[name], allowances[name]);
    const bound = want.data.map((w, i) => {
      if (Number.isFinite(w)) return boundIn(w, allowed.data[i], dtypes[dtype]);
      return settled.target.promisesNonFinite ? 0 : Infinity;
    });
    return [name, { truth: want, bound: { data: bound, shape: want.shape } }];
  });
  return Object.fromEntries(expectations);
}

/**
 * The verdict on the outputs of one problem.
 *
 * @example
 * ```ts
 * import { type CompareResult, compare, ops, tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([1, 2]), [2]);
 * const y = ops["cast.forward"].reference({ x }, {});
 * const result: CompareResult = compare({ op: "cast.forward", inputs: { x }, scalars: {} }, y);
 * result.worst; // 0: the largest error as a fraction of its bound
 * ```
 */
export interface CompareResult {
  /** Whether the verdict is "pass": every output is there, and every judged element within its bound. */
  readonly passed: boolean;
  /**
   * "FAIL" if there are findings; "inconclusive" if there are none but too little was judged: no element of some output, or
   * more than `allowUnjudged` of them without a finite bound.
   */
  readonly verdict: "pass" | "FAIL" | "inconclusive";
  /** What keeps the verdict from being conclusive, one line each; empty if the outputs passed. */
  readonly reasons: readonly string[];
  /** The order of summation that the bounds assume, such as "the declared order blocked:64"; absent where any order is allowed. */
  readonly order?: string;
  /** Outputs of the op that were not judged, since the terms name others; absent where all were. */
  readonly notOffered?: readonly string[];
  readonly elements: number;
  /** Elements without a finite bound. */
  readonly unjudged: number;
  /** The largest error as a fraction of its bound; above 1 if it is outside. */
  readonly worst: number;
  /** One line for each output that is outside: "y[0,65]: got 0.5, want -0.2195, off by 3.0e6 × the bound 7.5e-8". */
  readonly findings: readonly string[];
  /** For each output: counts, the worst element with its index, and the share of planted errors that would have been noticed. */
  readonly outputs: readonly Comparison[];
}

/**
 * The same for outputs of a kernel that gives some of the op's, which the terms' `outputs` name.
 *
 * @example
 * ```ts
 * import { compare, ops, replay } from "touchstone-llama";
 *
 * const problem = replay("rmsnorm.forward R=2 C=3 eps=1e-5 profile=unit seed=1", "rmsnorm.forward");
 * const { y } = ops["rmsnorm.forward"].reference(problem.inputs, problem.scalars);
 * compare(problem, { y }, { outputs: ["y"] }).passed; // true
 * ```
 */
export function compare<Op extends AnyOp>(
  problem: ProblemOf<Op>,
  outputs: Partial<OutputsOf<Op>>,
  terms: TermsOptions & Required<Pick<TermsOptions, "outputs">>,
): CompareResult;
/**
 * Compares outputs that exist already with the oracle. An output that is missing or misshapen is a finding; a value that is
 * not a tensor throws TypeError.
 *
 * @example
 * ```ts
 * import { compare, tensor } from "touchstone-llama";
 *
 * const a = tensor(new Float32Array([1, 2]), [2]);
 * const problem = { op: "add.forward", inputs: { a, b: a }, scalars: {} } as const;
 * compare(problem, { y: tensor(new Float32Array([2, 4]), [2]) }).passed; // true
 * compare(problem, { y: tensor(new Float32Array([2, 5]), [2]) }).findings; // ["y[1]: got 5, want 4, off by …"]
 * ```
 */
export function compare<Op extends AnyOp>(
  problem: ProblemOf<Op>,
  outputs: OutputsOf<Op>,
  terms?: TermsOptions,
): CompareResult;
export function compare<Op extends AnyOp>(
  problem: ProblemOf<Op>,
  outputs: Partial<OutputsOf<Op>>,
  terms?: TermsOptions,
): CompareResult {
  const { chosen, given, settled } = settle(problem, terms);
  const { operation } = offeredBy(chosen, terms);
  const names = Object.keys(operation.outputs);
  const fields = fieldsOf(outputs, "outputs", `the outputs of ${operation.name}: ${names.join(", ")}`);
  for (const name of names) {
    if (fields[name] !== undefined) checkTensor(fields[name], `outputs.${name}`, [Float32Array, Float64Array]);
  }
  const { comparisons, findings } = judgeOutputs(operation, outputs as Outputs, given, settled);
  const conclusion = concludeProblem(operation, { comparisons, findings }, settled.allowUnjudged);
  const sum = (of: (comparison: Comparison) => number): number => comparisons.reduce((n, one) => n + of(one), 0);
  const order = declaredOrder(settled.target, operation);
  return {
    passed: conclusion.verdict === "pass",
    ...conclusion,
    ...(order !== undefined && { order }),
    ...(operation.notOffered && { notOffered: operation.notOffered }),
    elements: sum(({ elements }) => elements),
    unjudged: sum(({ unjudged }) => unjudged),
    worst: Math.max(0, largest(comparisons.map(({ worst }) => worst))),
    findings,
    outputs: comparisons,
  };
}

/** A checked problem and its terms. */
export function settle(problem: unknown, terms: unknown): { chosen: Chosen; given: Problem; settled: Terms } {
  const fields = fieldsOf(problem, "problem", "{ op, inputs, scalars }");
  checkFields(fields, "problem", ["op", "inputs", "scalars", "profile", "replay"]);
  const { op, inputs, scalars, profile = "unit" } = fields;
  const chosen = chosenOf(op, "problem.op");
  const { operation } = chosen;
  checkInputs(operation, inputs);
  checkScalars(operation, scalars);
  if (!profiles.includes(profile as Profile)) {
    throw new RangeError(`problem.profile: got ${shown(profile)}, expected one of ${profiles.join(", ")}`);
  }
  const given = { inputs, scalars, profile } as Problem;
  return { chosen, given, settled: termsOf(operation, terms) };
}
