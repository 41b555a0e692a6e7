// How far a correct kernel may be off at some elements, from the small problems on which they depend. Nothing is computed of the
// other elements, so it costs little at any size.
import type { Errors } from "../../reference/bounds.ts";
import { axesOf, type Inputs, type Operation } from "../../reference/operation.ts";
import { sizeOf } from "../../reference/tensor.ts";
import { cutOut } from "../around.ts";
import type { Problem } from "../case.ts";
import { indexOf } from "../compare.ts";
import type { Independence } from "../relations/independence.ts";
import { cut, lengthsOf, type Orders, type Trial } from "../relations/relation.ts";
import { withLengths } from "../sums.ts";
import { allowancesOf, declaredErrors } from "../verdict.ts";

/** Small problems of which the bound is taken, where the row has no better ones. */
const MOST_PROBLEMS = 8;

/** The allowance of each element of an output that was bounded, by flat index; or one that is not above it and costs less, where there is such a one. */
export function allowedAt(
  trial: Trial,
  problem: Problem,
  output: string,
  list: readonly number[],
  kind: "whole" | "least" = "whole",
): ReadonlyMap<number, number> {
  const { operation, spec } = trial;
  const target = withLengths(trial.target, operation, problem);
  const around = spec.around ?? spec.sampling?.around ?? spec.large?.blocks;
  if (around === undefined) return allowedByPlace(trial, problem, output, list);
  const found = new Map<number, number>();
  const errorsOf = (inputs: Inputs): Errors<string> => declaredErrors(inputs, target);
  const ascending = list.toSorted((a, b) => a - b);
  for (const part of around(problem, output, ascending)) {
    const small = cutOut(problem, part);
    const least = kind === "least" ? part.least?.(small, target, errorsOf)[output] : undefined; // absent for some declarations
    const bound = least ?? (part.bound?.(small, target, errorsOf) ?? allowancesOf(operation, small, target))[output];
    for (const i of part.keep?.[output] ?? bound.data.keys()) found.set(part.outputs[output]!(i), bound.data[i]);
  }
  return found;
}

/** The problem is cut to each element's place along every axis along which places do not see each other. */
function allowedByPlace(
  { operation, spec, target: given }: Trial,
  problem: Problem,
  output: string,
  list: readonly number[],
): ReadonlyMap<number, number> {
  const target = withLengths(given, operation, problem);
  const lengths = lengthsOf(operation, problem);
  const letters = axesOf(operation.outputs[output]);
  const shape = letters.map((letter) => lengthOf(lengths, letter));
  const independent = spec.independence.filter(
    ({ outputs, whole = [], signed = [] }) => outputs.includes(output) && whole.length + signed.length === 0,
  );
  const bounds = new Map<string, { readonly orders: Orders; readonly data: ArrayLike<number> }>();
  const found = new Map<number, number>();
  for (const i of list) {
    const index = indexOf(i, shape);
    const orders = placeOf(independent, letters, lengths, index);
    const key = JSON.stringify(Object.entries(orders).map(([axis, order]) => [axis, order[0], order.length]));
    let bound = bounds.get(key);
    if (bound === undefined) {
      if (bounds.size === MOST_PROBLEMS) continue;
      const { data } = allowancesOf(operation, cut(operation, problem, orders), target)[output];
      bounds.set(key, (bound = { orders, data }));
    }
    found.set(i, bound.data[flatIn(letters, shape, orders, index)]);
  }
  return found;
}

function lengthOf(lengths: ReadonlyMap<string, number>, letter: string): number {
  return lengths.get(letter) ?? (letter.endsWith("/2") ? lengths.get(letter.slice(0, -2))! / 2 : NaN);
}

/** The places that an element depends on, along the axes that can be cut. */
function placeOf(
  independent: readonly Independence[],
  letters: readonly string[],
  lengths: ReadonlyMap<string, number>,
  index: readonly number[],
): Orders {
  const orders: Record<string, readonly number[]> = {};
  for (const { axes, masked } of independent) {
    const own = axes.find((axis) => letters.includes(axis));
    if (own === undefined) continue;
    const at = index[letters.indexOf(own)];
    if (masked === true) {
      // A query sees the keys up to its own place, counted from the end.
      const seen = at + 1 + lengths.get("S")! - lengths.get("T")!;
      Object.assign(orders, { T: [at], S: range(0, Math.max(0, seen)) });
    } else Object.assign(orders, groupAt(axes, lengths, Math.floor((at * lengths.get(axes[0])!) / lengths.get(own)!)));
  }
  return orders;
}

/** Place g of the first axis, and its share of the others: a key/value head and its query heads. */
export function groupAt(axes: readonly string[], lengths: ReadonlyMap<string, number>, g: number): Orders {
  return Object.fromEntries(
    axes.map((axis) => {
      const size = lengths.get(axis)! / lengths.get(axes[0])!;
      return [axis, range(g * size, size)];
    }),
  );
}

export function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Where an element lies in the output of the problem that was cut. */
function flatIn(
  letters: readonly string[],
  shape: readonly number[],
  orders: Orders,
  index: readonly number[],
): number {
  return letters.reduce((flat, letter, i) => {
    const order = orders[letter];
    return flat * (order?.length ?? shape[i]) + (order === undefined ? index[i] : order.indexOf(index[i]));
  }, 0);
}

/** The numbers of an op's output at the first places of an axis. */
export function countOf({ outputs }: Operation, output: string, lengths: ReadonlyMap<string, number>): number {
  return sizeOf(axesOf(outputs[output]).map((letter) => lengthOf(lengths, letter)));
}
