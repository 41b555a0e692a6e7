// How much of an output no kernel can be expected to get right: elements that cancel.
//
// A kernel rounds what it computes with to float32. Take the best that it can do: each number that goes into an element is rounded
// once, and everything else is exact. Element y is ill-conditioned where that alone may move it by as much as it is,
//
//   Σ |∂y/∂xᵢ| · u · |xᵢ|  ≥  |y|,   u = 2⁻²⁴
//
// such as a gradient that is 0 because its terms cancel, a softmax's over one key. Its sign is then a matter of luck. The left side is
// the op's own bound, for a target whose arithmetic is exact and inputs that err by u. What moves by less than a normal number has
// left the range rather than cancelled, and does not count.
import { dtypes } from "../reference/dtype.ts";
import type { Operation } from "../reference/operation.ts";
import { type FunctionName, functionNames, type Region, type Target } from "../reference/targets.ts";
import type { Floats, Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import { allowancesOf, compareAll, type Comparing, expectedAround, roundScalars, truth, widen } from "./verdict.ts";

/** Elements of one output, and how many of them are ill-conditioned. */
export interface Conditioning {
  readonly elements: number;
  readonly ill: number;
}

const { u, max, minNormal } = dtypes.float32;
const everywhere: readonly Region[] = [{ from: -max, to: max }];

/** Arithmetic that does not err. Its sums keep no terms, since no order of additions matters. */
const faultless: Target = {
  name: "exact",
  source: "no rounding at all",
  u: 0,
  flushes: false,
  fusedSums: true,
  promisesNonFinite: false,
  functions: Object.fromEntries(functionNames.map((name) => [name, everywhere])) as Record<
    FunctionName,
    readonly Region[]
  >,
};

/** Of each output of a problem, among the elements that have a finite bound. */
export function conditioningOf(
  operation: Operation,
  { inputs, scalars }: Problem,
  want: Readonly<Record<string, Tensor>>,
  allowed: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Conditioning>> {
  const names = Object.keys(operation.outputs);
  // An element whose bound is less than itself is not ill-conditioned: mostly none is left.
  const mayBeIll = (name: string, i: number): boolean => {
    const [w, a] = [Math.abs(want[name].data[i]), allowed[name].data[i]];
    return w < Infinity && a < Infinity && a >= minNormal && !(a < w);
  };
  const open = names.some((name) => want[name].data.some((_, i) => mayBeIll(name, i)));
  const moved = open ? movedBy(operation, { inputs, scalars }) : undefined;
  return Object.fromEntries(
    names.map((name) => {
      const [{ data }, bounds] = [want[name], allowed[name].data];
      let [elements, ill] = [0, 0];
      for (let i = 0; i < data.length; i++) {
        if (!(bounds[i] < Infinity)) continue;
        elements++;
        if (moved === undefined || !mayBeIll(name, i)) continue;
        const by = moved[name].data[i];
        if (by >= minNormal && !(by < Math.abs(data[i]))) ill++;
      }
      return [name, { elements, ill }];
    }),
  );
}

/** By how much each element may move where each input is rounded once. */
function movedBy(operation: Operation, { inputs, scalars }: Problem): Readonly<Record<string, Tensor>> {
  const errors = Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { data, shape }]) =>
      data instanceof Int32Array
        ? []
        : [[name, { data: (data as Floats).map((x) => Math.abs(x) * u) as Floats, shape }]],
    ),
  );
  return operation.bound(widen(inputs), roundScalars(operation, scalars), faultless, errors);
}

/** Holds every element to its bound, and counts those that are ill-conditioned. */
export const withConditioning: Comparing = (operation, problem, terms) => {
  const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, terms.target)];
  const conditioning = conditioningOf(operation, problem, want, allowed);
  return (name, got) => {
    const expected = expectedAround(want[name], allowed[name]);
    return { ...compareAll(operation, problem, terms, name, got, expected), conditioning: conditioning[name] };
  };
};
