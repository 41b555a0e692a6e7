// From a candidate's outputs on one problem to a verdict: truth, bound, comparison, and the candidate's own complaints.
import { failureLine } from "./candidates/result.ts";
import { runCandidate } from "./candidates/run.ts";
import { isUnsupported, refusalOf } from "./candidates/unsupported.ts";
import type { Allowance, Errors } from "../reference/bounds.ts";
import { type DTypeName, dtypes, formats, round, ulp } from "../reference/dtype.ts";
import {
  type Inputs,
  type Operation,
  type Outputs,
  outputShapes,
  type Scalars,
  storageOf,
} from "../reference/operation.ts";
import { storesAround } from "../reference/ops/attention.slopes.bound.ts";
import type { Target } from "../reference/targets.ts";
import { sizeOf, type Floats, type Ints, type Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import { type Candidate, type CandidateResult, ProtocolError } from "../reference/candidate.ts";
import { FormatError } from "../formats/error.ts";
import type { Conditioning } from "./conditioning.ts";
import { type Improbable, improbableIn, isDrawn, sizesIn, sumsOf } from "./improbable/suspicion.ts";
import { compareOutput, type Comparison, describeFinding, type Expected } from "./compare.ts";
import { isStop } from "./deadline.ts";
import { WorkerEnded } from "./jobs/workers.ts";
import type { Missed } from "./missed.ts";
import { brokenPromise } from "./promises.ts";
import { fittingTrees, withLengths } from "./sums.ts";
import type { Terms } from "./terms.ts";

/**
 * A comparison; of a large output also what would have been missed, and what checks of the whole of it see (judge/whole.ts); of some
 * small ones how many elements cancel.
 */
export interface Compared extends Comparison {
  readonly conditioning?: Conditioning;
  /** What is within its bounds and implausible, where the numbers are such that this can be said (judge/improbable). */
  readonly improbable?: Improbable;
  readonly missed?: Missed;
  readonly smallestRow?: number;
  readonly note?: string;
  /** Its numbers are coarser than float32 leaves them, as far as a cheap look sees: its precision is to be measured there. */
  readonly looksLow?: true;
}

export interface Verdict {
  readonly comparisons: readonly Compared[];
  /** One line each; empty when the candidate passed. */
  readonly findings: readonly string[];
  /** Sums with a declared tree: whether it has as many terms as they have here. */
  readonly fits?: Readonly<Record<string, boolean>>;
  /** It gave nothing: it threw, crashed or hung. */
  readonly gaveNothing?: true;
  /** Why the candidate refused the problem, in its words: nothing is compared, and nothing found. */
  readonly refused?: string;
}

/** The exact outputs: the op in float64 on the same float32 inputs and scalars. */
export function truth(operation: Operation, { inputs, scalars }: Problem): Record<string, Tensor<Float64Array>> {
  return operation.evaluate(widen(inputs), roundScalars(operation, scalars), Float64Array);
}

/** Float inputs as float64, ids as they are. */
export function widen(inputs: Inputs): Inputs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, t]) => [
      name,
      t.data instanceof Int32Array ? t : { data: new Float64Array(t.data), shape: t.shape },
    ]),
  );
}

/**
 * The scalars as a kernel gets them: real numbers rounded to float32, decimals as they are. Rounding twice changes nothing,
 * so the truth, the allowances and the runners of candidates may each round their arguments.
 */
export function roundScalars(operation: Operation, scalars: Scalars): Scalars {
  return Object.fromEntries(
    Object.entries(scalars).map(([name, value]) => [
      name,
      operation.scalars[name] === "real" && typeof value === "number" ? Math.fround(value) : value,
    ]),
  );
}

/** The problem as a candidate of that dtype gets it: inputs rounded to it, real scalars to float32. */
export function roundProblem(operation: Operation, given: Problem, dtype: DTypeName): Problem {
  const rounded = Object.entries(given.inputs).map(([name, t]): [string, Tensor<Floats | Ints>] => {
    const format = dtypes[storageOf(operation, name, dtype)];
    return t.data instanceof Int32Array || format.name === "float32"
      ? [name, t]
      : [name, { data: (t.data as Floats).map((x) => round(x, format)) as Floats, shape: t.shape }];
  });
  return { ...given, inputs: Object.fromEntries(rounded), scalars: roundScalars(operation, given.scalars) };
}

/**
 * How far each element of a correct kernel's outputs may land, before the rounding of a lower dtype. `errors` are errors of
 * the inputs in addition to those that the kernel declares.
 */
export function allowancesOf(
  operation: Operation,
  { inputs, scalars, profile }: Problem,
  target: Target,
  errors: Errors<string> = {},
): Record<string, Allowance> {
  const given = roundScalars(operation, scalars);
  const own = withLengths(target, operation, { inputs, scalars });
  const allowed = operation.bound(widen(inputs), given, own, sums(declaredErrors(inputs, target), errors));
  // On the integer lattice every product and every partial sum is exact, in any order; float16 holds no integers above 2¹¹.
  if (profile === "lattice" && target.arithmetic === undefined)
    for (const name of operation.exact) allowed[name].data.fill(0);
  return allowed;
}

/** What to expect of one output: from the truth, or from the centre that its allowance has. */
export function expectedAround(want: Tensor<Float64Array>, allowed: Allowance): Expected {
  return { want: allowed.centre === undefined ? want : { data: allowed.centre, shape: want.shape }, allowed };
}

/** Errors of the inputs that the kernel declares as read in a lower format, to either neighbour of each number. */
export function declaredErrors(inputs: Inputs, target: Target): Record<string, Tensor> {
  const errors: Record<string, Tensor> = {};
  for (const [name, format] of Object.entries(target.stores ?? {})) {
    const t = inputs[name];
    if (t === undefined || t.data instanceof Int32Array) continue;
    const data = Float64Array.from(t.data, (x) => (round(x, formats[format]) === x ? 0 : ulp(x, formats[format])));
    errors[name] = { data, shape: t.shape };
  }
  return errors;
}

/** Errors of the same inputs, added. */
function sums(a: Errors<string>, b: Errors<string>): Errors<string> {
  const both: Record<string, Tensor | undefined> = { ...a };
  for (const [name, t] of Object.entries(b)) {
    const other = a[name];
    if (t === undefined) continue;
    both[name] = other === undefined ? t : { data: other.data.map((e, i) => e + t.data[i]) as Floats, shape: t.shape };
  }
  return both as Errors<string>;
}

/** Compares one output of a problem with its truth; its shape is right, and so are those of the candidate's other outputs, if given. */
export type Compare = (output: string, got: Tensor, outputs?: Readonly<Record<string, Tensor | undefined>>) => Compared;
/** How the outputs of a problem are compared: every element, or some of a large output. The truth is taken where it is needed. */
export type Comparing = (operation: Operation, problem: Problem, terms: Terms) => Compare;

/**
 * Runs the candidate on the problem and judges its outputs. Never throws for anything that the candidate does; throws
 * FormatError where the judge's own files cannot be written, ProtocolError where the candidate's client is of another
 * version, Interrupted and OutOfTime.
 */
export async function judgeProblem(
  operation: Operation,
  candidate: Candidate,
  given: Problem,
  terms: Terms,
  comparing?: Comparing,
): Promise<Verdict> {
  const problem = roundProblem(operation, given, terms.dtype);
  const answer = await answerOf(operation, candidate, problem);
  if ("findings" in answer) return answer;
  return judgeOutputs(operation, answer.outputs, problem, terms, answer.complaints, comparing);
}

/** What the candidate answers to a problem of its dtype, or the verdict that it failed or refused. Throws as judgeProblem does. */
export async function answerOf(
  operation: Operation,
  candidate: Candidate,
  problem: Problem,
): Promise<CandidateResult | Verdict> {
  try {
    return await runCandidate(operation, candidate, problem);
  } catch (error) {
    if (isJudges(error)) throw error;
    if (isUnsupported(error)) return { comparisons: [], findings: [], refused: refusalOf(error).message };
    return { comparisons: [], findings: [failureLine(candidate, error)], gaveNothing: true };
  }
}

/** Whether an error says nothing about the candidate. */
export function isJudges(error: unknown): boolean {
  const kinds = [FormatError, ProtocolError, WorkerEnded];
  return isStop(error) || kinds.some((kind) => error instanceof kind);
}

/** The verdict on outputs that exist already, as if a candidate had been given the problem rounded to the dtype. */
export function judgeOutputs(
  operation: Operation,
  outputs: Outputs,
  given: Problem,
  terms: Terms,
  complaints: readonly string[] = [],
  comparing: Comparing = everyElement,
): Verdict {
  const problem = roundProblem(operation, given, terms.dtype);
  const findings = [...complaints];
  const shapes = outputShapes(operation, problem.inputs, problem.scalars);
  const compare = comparing(operation, problem, terms);
  const comparisons: Compared[] = [];
  const shaped: Record<string, Tensor> = {};
  for (const name of Object.keys(operation.outputs)) {
    const wrong = misshapen(name, outputs[name], shapes[name]);
    if (wrong === undefined) shaped[name] = outputs[name];
    else findings.push(wrong);
  }
  for (const [name, got] of Object.entries(shaped)) {
    const declared = compare(name, got, shaped);
    const plain = declared.outside > 0 ? unrounded(terms) : undefined;
    const kept = plain && comparing(operation, problem, plain)(name, got, shaped);
    const comparison = kept?.outside === 0 ? kept : declared;
    comparisons.push(comparison);
    if (!(comparison.outside > 0) || comparison.at === undefined) continue;
    const under = (target: Target): Compared => comparing(operation, problem, { ...terms, target })(name, got, shaped);
    findings.push(`${describeFinding(comparison.at)}${brokenPromise(terms.target, under, comparison.at)}`);
  }
  const fits = fittingTrees(terms.target, operation, problem);
  return { comparisons, findings, ...(fits && { fits }) };
}

/**
 * The terms without stores that are rounded in the truth, where there are some: a kernel may have another way for a few rows, without
 * matrix units, that stores nothing. An output as a whole comes from one or the other.
 */
function unrounded({ target, ...others }: Terms): Terms | undefined {
  const stores = Object.entries(target.stores ?? {});
  const rest = stores.filter(([name]) => !storesAround.includes(name));
  if (rest.length === stores.length) return undefined;
  return { ...others, target: { ...target, stores: Object.fromEntries(rest) } };
}

/** What is wrong with an output before any of its numbers is looked at. */
export function misshapen(name: string, got: Tensor | undefined, shape: readonly number[]): string | undefined {
  if (got === undefined) return `output ${name} is missing`;
  const isRight = got.shape.join() === shape.join() && got.data.length === sizeOf(shape);
  return isRight ? undefined : `output ${name} has shape [${got.shape}], expected [${shape}]`;
}

/** Holds every element to its bound. */
export const everyElement: Comparing = (operation, problem, terms) => {
  const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, terms.target)];
  return (name, got) => compareAll(operation, problem, terms, name, got, expectedAround(want[name], allowed[name]));
};

/** All elements of one output: against the bounds, and where that can be said against what is plausible. */
export function compareAll(
  operation: Operation,
  problem: Problem,
  { target, dtype }: Terms,
  output: string,
  got: Tensor,
  expected: Expected,
): Compared {
  const terms = { target, dtype: storageOf(operation, output, dtype) };
  const compared = compareOutput(output, got, expected, terms);
  if (!isDrawn(operation.name, output, problem, terms)) return compared;
  const { want, allowed } = expected;
  const at = [...want.data.keys()];
  const { shape, data } = got;
  const sizeAt = sizesIn(want, terms);
  const given = { sums: sumsOf(operation, problem, output), output, shape, got: data, sizeAt, terms };
  const exact = { at, want: [...want.data], allowed: [...allowed.data] };
  return { ...compared, improbable: improbableIn(given, exact, at) };
}
