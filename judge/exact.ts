// Elements of a large output against truth and bound, from small problems around them.
import type { Allowance, Errors } from "../reference/bounds.ts";
import type { Inputs, Operation } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type Around, cutOut } from "./around.ts";
import type { Problem } from "./case.ts";
import type { Part } from "./at-scale.ts";
import { type Comparison, compareOutput, type Expected, indexOf, isWithin } from "./compare.ts";
import { withLengths } from "./sums.ts";
import type { Terms } from "./terms.ts";
import { allowancesOf, declaredErrors, expectedAround, truth } from "./verdict.ts";

/** One output of a problem, and the small problems that give its elements. */
export interface Source {
  readonly around: Around;
  readonly operation: Operation;
  readonly problem: Problem;
  /** The dtype is that of the output. */
  readonly terms: Terms;
  readonly output: string;
}

/** Elements with what a correct kernel gives there. */
export interface Exact {
  /** The flat indices. */
  readonly at: readonly number[];
  readonly want: readonly number[];
  readonly allowed: readonly number[];
}

/**
 * Truth and allowance at `spots`, flat indices, ascending. Of an output that is `got`, what lies within a smaller allowance may have that
 * one in place of its own.
 */
export function exactAt(given: Source, spots: readonly number[], got?: Tensor): Exact {
  const { around, operation, problem, output, terms } = given;
  const source = { ...given, terms: { ...terms, target: withLengths(terms.target, operation, problem) } };
  const [at, want, allowed]: [number[], number[], number[]] = [[], [], []];
  for (const part of spots.length === 0 ? [] : around(problem, output, spots)) {
    const small = cutOut(problem, part);
    const exact = truth(operation, small)[output];
    const locate = part.outputs[output]!;
    const places = [...(part.keep?.[output] ?? exact.data.keys())];
    const isEnough =
      got &&
      ((least: Allowance) => {
        const { data } = expectedAround(exact, least).want;
        return places.every((i) => isWithin(got.data[locate(i)], data[i], least.data[i], terms.dtype));
      });
    const bound = allowanceOf(source, part, small, isEnough);
    const { want: wanted } = expectedAround(exact, bound);
    for (const i of places) {
      at.push(locate(i));
      want.push(wanted.data[i]);
      allowed.push(bound.data[i]);
    }
  }
  return { at, want, allowed };
}

/** Those elements whose flat index is chosen. */
export function someOf({ at, want, allowed }: Exact, isChosen: (i: number) => boolean): Exact {
  const chosen = [...at.keys()].filter((n) => isChosen(at[n]));
  const of = (list: readonly number[]): number[] => chosen.map((n) => list[n]);
  return { at: of(at), want: of(want), allowed: of(allowed) };
}

/** The allowance of a part's output, or a smaller one where that is enough. */
function allowanceOf(
  { operation, terms: { target }, output }: Source,
  part: Part,
  small: Problem,
  isEnough: ((least: Allowance) => boolean) | undefined,
): Allowance {
  const errorsOf = (inputs: Inputs): Errors<string> => declaredErrors(inputs, target);
  const least = isEnough && part.least?.(small, target, errorsOf)[output];
  if (least !== undefined && isEnough?.(least) === true) return least;
  return (part.bound?.(small, target, errorsOf) ?? allowancesOf(operation, small, target))[output];
}

/** The same elements as tensors of one axis. */
export function expectedOf({ want, allowed }: Exact): Expected {
  return { want: vector(want), allowed: vector(allowed) };
}

/** Compares those elements of an output; the worst has its index in the whole output. */
export function compareAt(output: string, got: Tensor, exact: Exact, terms: Terms): Comparison {
  const { at } = exact;
  const comparison = compareOutput(output, vector(at.map((i) => got.data[i])), expectedOf(exact), terms);
  const { at: worst } = comparison;
  return worst === undefined
    ? comparison
    : { ...comparison, at: { ...worst, index: indexOf(at[worst.index[0]], got.shape) } };
}

function vector(data: readonly number[]): Tensor<Float64Array> {
  return { data: Float64Array.from(data), shape: [data.length] };
}
