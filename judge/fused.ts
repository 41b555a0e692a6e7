// A fused kernel computes several ops in a row without storing what passes between them: it is judged by the composed
// bound, each op's bound taking the allowance of the one before as the error of its first input.
import { aroundTruth } from "../reference/bounds.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../reference/operation.ts";
import { axesOf } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import { withLengths } from "./sums.ts";
import type { Evaluation } from "../zoo/evaluation.ts";

/** A fused op and its parts. */
export interface Fused extends Operation {
  readonly parts: Parts;
}

export interface Parts {
  readonly a: Operation;
  readonly b: Operation;
  /** The output of a that b reads, and the input of b that it is. */
  readonly main: string;
  readonly fed: string;
  /** The fused op's names for an input or scalar of a, for one of b, and for an axis of b; axes of a keep their letters. */
  readonly ofA: (name: string) => string;
  readonly ofB: (name: string) => string;
  readonly axisOfB: (axis: string) => string;
  /** The inputs and scalars of each part. */
  readonly first: (inputs: Inputs, scalars: Scalars) => { readonly inputs: Inputs; readonly scalars: Scalars };
  readonly second: (
    inputs: Inputs,
    scalars: Scalars,
    passed: Tensor,
  ) => { readonly inputs: Inputs; readonly scalars: Scalars };
}

/** The parts of a fused op; undefined for any other op. */
export function partsOf(operation: Operation): Parts | undefined {
  return (operation as Partial<Fused>).parts;
}

/** How many ops one is made of. */
export function opsIn(operation: Operation): number {
  const parts = partsOf(operation);
  return parts === undefined ? 1 : opsIn(parts.a) + opsIn(parts.b);
}

/** The fused op's names for those of the second op. */
export interface Renaming {
  readonly inputs: ReadonlyMap<string, string>;
  readonly scalars: ReadonlyMap<string, string>;
  readonly axes: ReadonlyMap<string, string>;
  /** The input that takes the first op's main output. */
  readonly fed: string;
}

/**
 * The op "a+b": the first output of a is the first input of b. A name that both use is written "OP.name" for each of them
 * (rmsnorm.w, linear.w). When both ops are the same, the second's names begin with "OP2."; an axis of b with a different
 * length gets the suffix 2. The outputs are those of b. Throws RangeError where the two do not fit.
 */
export function fuseOperations(a: Operation, b: Operation): Fused {
  const names = renaming(a, b);
  const own = ownNames(a, b);
  const splitFirst = (values: Readonly<Record<string, unknown>>, list: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.keys(list).map((name) => [name, values[own.get(name) ?? name]]));
  const first = (inputs: Inputs, scalars: Scalars) => ({
    inputs: splitFirst(inputs, a.inputs) as Inputs,
    scalars: splitFirst(scalars, a.scalars) as Scalars,
  });
  const second = (inputs: Inputs, scalars: Scalars, passed: Tensor) => ({
    inputs: Object.fromEntries(
      Object.keys(b.inputs).map((name) => [name, name === names.fed ? passed : inputs[names.inputs.get(name)!]]),
    ),
    scalars: Object.fromEntries([...names.scalars].map(([name, outer]) => [name, scalars[outer]])),
  });
  const main = Object.keys(a.outputs)[0];
  const renameAxes = (spec: string) =>
    axesOf(spec)
      .map((axis) => renamedAxis(names.axes, axis))
      .join(",");
  const rest = Object.entries(b.inputs).filter(([name]) => name !== names.fed);
  const parts: Parts = {
    a,
    b,
    main,
    fed: names.fed,
    ofA: (name) => own.get(name) ?? name,
    ofB: (name) => names.inputs.get(name) ?? names.scalars.get(name) ?? name,
    axisOfB: (axis) => renamedAxis(names.axes, axis),
    first,
    second,
  };
  return {
    parts,
    name: `${a.name}+${b.name}`,
    summary: `${a.summary};  then with ${names.fed} = ${main}:  ${b.summary}`,
    inputs: {
      ...Object.fromEntries(Object.entries(a.inputs).map(([name, spec]) => [own.get(name) ?? name, spec])),
      ...Object.fromEntries(rest.map(([name, spec]) => [names.inputs.get(name)!, renameAxes(spec)])),
    },
    integers: [
      ...a.integers.map((name) => own.get(name) ?? name),
      ...b.integers.map((name) => names.inputs.get(name) ?? name),
    ],
    scalars: {
      ...Object.fromEntries(Object.entries(a.scalars).map(([name, kind]) => [own.get(name) ?? name, kind])),
      ...Object.fromEntries(Object.entries(b.scalars).map(([name, kind]) => [names.scalars.get(name)!, kind])),
    },
    outputs: Object.fromEntries(Object.entries(b.outputs).map(([name, spec]) => [name, renameAxes(spec)])),
    stores: { ...a.stores, ...b.stores },
    sums: { ...a.sums, ...b.sums },
    covered: { ...a.covered, ...b.covered },
    uncovered: { ...a.uncovered, ...b.uncovered },
    exact: [], // what passes between them is a sum of products already: it may need more than 24 bits
    wide: [...a.wide, ...b.wide],
    none: {},
    evaluate: (inputs, scalars, Storage) => {
      const one = first(inputs, scalars);
      const passed = (a.evaluate(one.inputs, one.scalars, Storage) as Outputs)[main];
      const two = second(inputs, scalars, passed);
      return b.evaluate(two.inputs, two.scalars, Storage);
    },
    bound: (inputs, scalars, target, errors = {}) => {
      const one = first(inputs, scalars);
      const passed = a.evaluate(one.inputs, one.scalars, Float64Array)[main];
      const firstErrors = splitFirst(errors, a.inputs) as typeof errors;
      const allowed = aroundTruth(
        passed.data,
        a.bound(one.inputs, one.scalars, withLengths(target, a, one), firstErrors)[main],
      );
      const two = second(inputs, scalars, passed);
      const secondErrors = Object.fromEntries(rest.map(([name]) => [name, errors[names.inputs.get(name)!]]));
      return b.bound(two.inputs, two.scalars, withLengths(target, b, two), {
        ...defined(secondErrors),
        [names.fed]: allowed,
      });
    },
  };
}

/** The axes of the tensor that passes between the parts: letter in the fused op and in a → letter in b. */
export function axesPassed({ a, b, main, fed }: Parts): Map<string, string> {
  const taken = axesOf(b.inputs[fed]);
  return new Map(axesOf(a.outputs[main]).map((axis, i) => [axis, taken[i]]));
}

/** The lengths of b's axes under b's letters. */
export function lengthsOfB({ b, axisOfB }: Parts, lengths: ReadonlyMap<string, number>): Map<string, number> {
  const axes = [...Object.values(b.inputs), ...Object.values(b.outputs)].flatMap(axesOf);
  return new Map(
    axes.flatMap((axis) => (lengths.has(axisOfB(axis)) ? [[axis, lengths.get(axisOfB(axis))!] as const] : [])),
  );
}

/** The same entries under other axis letters. */
export function renamedOrders<V>(orders: Readonly<Record<string, V>>, to: (axis: string) => string): Record<string, V> {
  return Object.fromEntries(Object.entries(orders).map(([axis, order]) => [to(axis), order]));
}

/** Correct evaluations of a fused op, which stores nothing between its parts. Every evaluation of each part occurs in one. */
export function fuseEvaluations(
  { a, b, main, first, second }: Parts,
  firsts: readonly Evaluation[],
  seconds: readonly Evaluation[],
): Evaluation[] {
  if (firsts.length === 0 || seconds.length === 0) return [];
  return Array.from({ length: Math.max(firsts.length, seconds.length) }, (_, i): Evaluation => {
    const [one, two] = [firsts[i % firsts.length], seconds[i % seconds.length]];
    return {
      op: `${a.name}+${b.name}`,
      covers: [...one.covers, ...two.covers],
      evaluate: (f, inputs, scalars) => {
        const start = first(inputs, scalars);
        const end = second(inputs, scalars, one.evaluate(f, start.inputs, start.scalars)[main]);
        return two.evaluate(f, end.inputs, end.scalars);
      },
    };
  });
}

export function renaming(a: Operation, b: Operation): Renaming {
  const [fed, fedSpec] = Object.entries(b.inputs)[0] ?? [];
  const [main, mainSpec] = Object.entries(a.outputs)[0];
  if (fed === undefined || fedSpec === undefined || axesOf(fedSpec).length !== axesOf(mainSpec).length) {
    throw new RangeError(
      `${a.name}+${b.name}: ${main} [${mainSpec}] does not fit ${fed ?? "no input"} [${fedSpec ?? ""}]`,
    );
  }
  for (const operation of [a, b]) {
    if (!operation.name.endsWith(".forward")) {
      throw new RangeError(`${a.name}+${b.name}: only forward ops can be fused, not ${operation.name}`);
    }
  }
  const taken = new Set([...Object.values(a.inputs), ...Object.values(a.outputs)].flatMap(axesOf));
  const axes = new Map(axesOf(fedSpec).map((axis, i) => [axis, axesOf(mainSpec)[i]]));
  for (const axis of [...Object.values(b.inputs), ...Object.values(b.outputs)].flatMap(axesOf)) {
    if (!axes.has(axis) && !axis.endsWith("/2")) axes.set(axis, taken.has(axis) ? `${axis}2` : axis);
  }
  const clash = new Set([...Object.keys(a.inputs), ...Object.keys(a.scalars)]);
  const owner = stem(a) === stem(b) ? `${stem(b)}2` : stem(b);
  const outer = (name: string) => (clash.has(name) ? `${owner}.${name}` : name);
  return {
    inputs: new Map(
      Object.keys(b.inputs)
        .filter((name) => name !== fed)
        .map((name) => [name, outer(name)]),
    ),
    scalars: new Map(Object.keys(b.scalars).map((name) => [name, outer(name)])),
    axes,
    fed,
  };
}

/** New names for those of the first op that the second uses too. */
export function ownNames(a: Operation, b: Operation): Map<string, string> {
  const { fed } = renaming(a, b);
  const clash = new Set([...Object.keys(b.inputs).filter((name) => name !== fed), ...Object.keys(b.scalars)]);
  return new Map(
    [...Object.keys(a.inputs), ...Object.keys(a.scalars)]
      .filter((name) => clash.has(name))
      .map((name) => [name, `${stem(a)}.${name}`]),
  );
}

export function renamedAxis(axes: ReadonlyMap<string, string>, axis: string): string {
  return axis.endsWith("/2") ? `${axes.get(axis.slice(0, -2)) ?? axis.slice(0, -2)}/2` : (axes.get(axis) ?? axis);
}

export function rename<V>(values: Readonly<Record<string, V>>, names: ReadonlyMap<string, string>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [names.get(name) ?? name, value]));
}

function defined<V>(values: Readonly<Record<string, V | undefined>>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, V] => entry[1] !== undefined));
}

/** "rmsnorm" for "rmsnorm.forward"; for a fused op, the stem of its last part. */
function stem(operation: Operation): string {
  return operation.name.split("+").at(-1)!.split(".")[0];
}
