// A wrong kernel at one case: of every output what it gave, what was expected, and which elements are outside.
import type { Allowance } from "../../reference/bounds.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { dtypes } from "../../reference/dtype.ts";
import { axesOf, type Operation, outputShapes, storageOf } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { boundIn, isWithin } from "../compare.ts";
import type { Terms } from "../terms.ts";
import { allowancesOf, answerOf, expectedAround, misshapen, roundProblem, truth } from "../verdict.ts";

/** The most work of a case that is looked at as a whole. */
export const MOST_WORK = 2e7;

/** One output. */
export interface Seen {
  readonly output: string;
  /** The letters of its axes. */
  readonly axes: readonly string[];
  readonly got: Tensor;
  readonly want: Tensor<Float64Array>;
  readonly allowed: Allowance;
  /** Flat indices of the elements outside their bounds, ascending. */
  readonly wrong: readonly number[];
  /** How many elements have a bound. */
  readonly judged: number;
}

export interface Portrait {
  readonly operation: Operation;
  readonly terms: Terms;
  /** As the candidate got it. */
  readonly problem: Problem;
  readonly outputs: readonly Seen[];
}

/** Undefined where the candidate gave no numbers, or of another shape. Throws what the judge itself throws. */
export async function portray(
  operation: Operation,
  candidate: Candidate,
  given: Problem,
  terms: Terms,
): Promise<Portrait | undefined> {
  const problem = roundProblem(operation, given, terms.dtype);
  const answer = await answerOf(operation, candidate, problem);
  if ("findings" in answer) return undefined;
  const shapes = outputShapes(operation, problem.inputs, problem.scalars);
  const names = Object.keys(operation.outputs);
  if (names.some((name) => misshapen(name, answer.outputs[name], shapes[name]) !== undefined)) return undefined;
  const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, terms.target)];
  const outputs = names.map((name): Seen => {
    const { want: expected, allowed: bounds } = expectedAround(want[name], allowed[name]);
    const { data, shape } = answer.outputs[name];
    const got = { data: data.slice(), shape }; // its memory may serve the next call
    const { wrong, judged } = counted({ want: expected, allowed: bounds }, got, storedAs(operation, name, terms));
    return { output: name, axes: axesOf(operation.outputs[name]), got, want: expected, allowed: bounds, wrong, judged };
  });
  return { operation, terms, problem, outputs };
}

/** The outputs that have elements outside. */
export function wrongOutputs({ outputs }: Portrait): Seen[] {
  return outputs.filter(({ wrong }) => wrong.length > 0);
}

/** The terms of one output: statistics stay float32. */
export function storedAs(operation: Operation, output: string, { target, dtype }: Terms): Terms {
  return { target, dtype: storageOf(operation, output, dtype) };
}

function counted(
  { want, allowed }: Pick<Seen, "want" | "allowed">,
  got: Tensor,
  { target, dtype }: Terms,
): Pick<Seen, "wrong" | "judged"> {
  const wrong: number[] = [];
  let judged = 0;
  for (const [i, w] of want.data.entries()) {
    const isFinite = Number.isFinite(w);
    if (isFinite ? !(boundIn(w, allowed.data[i], dtypes[dtype]) < Infinity) : !target.promisesNonFinite) continue;
    judged++;
    const isRight = isFinite ? isWithin(got.data[i], w, allowed.data[i], dtype) : Object.is(got.data[i], w);
    if (!isRight) wrong.push(i);
  }
  return { wrong, judged };
}
