// A fused kernel computes several ops in a row without storing what passes between them: it is judged by the composed
// bound, each op's bound taking the allowance of the one before as the error of its first input.
import type { Inputs, Operation, Outputs, Scalars } from "../../reference/operation.ts";
import { axesOf } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { CaseSpec, Sizes } from "../cases/case.ts";

/** What the second op's names are called in the fused one. */
interface Renaming {
  readonly inputs: ReadonlyMap<string, string>;
  readonly scalars: ReadonlyMap<string, string>;
  readonly axes: ReadonlyMap<string, string>;
  /** The input that takes the first op's main output. */
  readonly fed: string;
}

/**
 * The op "a+b": the first output of a is the first input of b. A name that both use is written "OP.name" for each of them
 * (rmsnorm.w, linear.w); an axis letter that means another length in b gets a 2. The outputs are those of b.
 * Throws RangeError where the two do not fit.
 */
export function fuse(a: Operation, b: Operation): Operation {
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
  return {
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
    covered: [...a.covered, ...b.covered],
    exact: [], // what passes between them is a sum of products already: it may need more than 24 bits
    wide: [...a.wide, ...b.wide],
    evaluate: (inputs, scalars, Storage) => {
      const one = first(inputs, scalars);
      const passed = (a.evaluate(one.inputs, one.scalars, Storage) as Outputs)[main];
      const two = second(inputs, scalars, passed);
      return b.evaluate(two.inputs, two.scalars, Storage);
    },
    bound: (inputs, scalars, target, errors = {}) => {
      const one = first(inputs, scalars);
      const passed = a.evaluate(one.inputs, one.scalars, Float64Array)[main];
      const allowed = a.bound(one.inputs, one.scalars, target, splitFirst(errors, a.inputs) as typeof errors)[main];
      const two = second(inputs, scalars, passed);
      const secondErrors = Object.fromEntries(rest.map(([name]) => [name, errors[names.inputs.get(name)!]]));
      return b.bound(two.inputs, two.scalars, target, { ...defined(secondErrors), [names.fed]: allowed });
    },
  };
}

/** Cases for a fused op, drawn from those of its two parts. */
export function fuseCases(a: Operation, b: Operation, first: CaseSpec, second: CaseSpec): CaseSpec {
  const names = renaming(a, b);
  const own = ownNames(a, b);
  const main = Object.keys(a.outputs)[0];
  const fed = new Map(axesOf(b.inputs[names.fed]).map((axis, i) => [axis, axesOf(a.outputs[main])[i]]));
  const outer = (name: string) => (name in b.scalars ? names.scalars.get(name)! : renamedAxis(names.axes, name));
  const free = Object.keys(second.sizes).filter((name) => !fed.has(name));
  const secondSizes = (sizes: Sizes): Sizes =>
    Object.fromEntries(Object.keys(second.sizes).map((name) => [name, sizes[fed.get(name) ?? outer(name)]]));
  const example = second.examples.find(({ sizes }) => Object.values(sizes).every((n) => n !== 0));
  return {
    op: `${a.name}+${b.name}`,
    sizes: {
      ...first.sizes,
      ...Object.fromEntries(free.map((name) => [outer(name), second.sizes[name]])),
    },
    fits: (sizes) => (first.fits?.(sizes) ?? true) && (second.fits?.(secondSizes(sizes)) ?? true),
    profiles: first.profiles.filter((profile) => second.profiles.includes(profile)),
    examples: first.examples.map(({ sizes, profile }) => ({
      sizes: { ...sizes, ...Object.fromEntries(free.map((name) => [outer(name), example?.sizes[name] ?? 1])) },
      ...(profile === undefined ? {} : { profile }),
    })),
    build: (sizes, profile, seed) => {
      const one = first.build(sizes, profile, seed);
      const two = second.build(secondSizes(sizes), profile, seed + 1);
      return {
        inputs: {
          ...rename(one.inputs, own),
          ...Object.fromEntries(
            Object.entries(two.inputs)
              .filter(([name]) => name !== names.fed)
              .map(([name, t]) => [names.inputs.get(name)!, t]),
          ),
        },
        scalars: { ...rename(one.scalars, own), ...rename(two.scalars, names.scalars) },
      };
    },
  };
}

function renaming(a: Operation, b: Operation): Renaming {
  const [fed, fedSpec] = Object.entries(b.inputs)[0] ?? [];
  const [main, mainSpec] = Object.entries(a.outputs)[0];
  if (fed === undefined || fedSpec === undefined || axesOf(fedSpec).length !== axesOf(mainSpec).length) {
    throw new RangeError(
      `${a.name}+${b.name}: ${main} [${mainSpec}] does not fit ${fed ?? "no input"} [${fedSpec ?? ""}]`,
    );
  }
  for (const operation of [a, b]) {
    if (!operation.name.endsWith(".forward")) {
      throw new RangeError(`${a.name}+${b.name}: only forward ops are fused, ${operation.name} is none`);
    }
  }
  const taken = new Set([...Object.values(a.inputs), ...Object.values(a.outputs)].flatMap(axesOf));
  const axes = new Map(axesOf(fedSpec).map((axis, i) => [axis, axesOf(mainSpec)[i]]));
  for (const axis of [...Object.values(b.inputs), ...Object.values(b.outputs)].flatMap(axesOf)) {
    if (!axes.has(axis) && !axis.endsWith("/2")) axes.set(axis, taken.has(axis) ? `${axis}2` : axis);
  }
  const clash = new Set([...Object.keys(a.inputs), ...Object.keys(a.scalars)]);
  const outer = (name: string) => (clash.has(name) ? `${stem(b)}.${name}` : name);
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

/** What the first op's names are called where the second has the same one. */
function ownNames(a: Operation, b: Operation): Map<string, string> {
  const { fed } = renaming(a, b);
  const clash = new Set([...Object.keys(b.inputs).filter((name) => name !== fed), ...Object.keys(b.scalars)]);
  return new Map(
    [...Object.keys(a.inputs), ...Object.keys(a.scalars)]
      .filter((name) => clash.has(name))
      .map((name) => [name, `${stem(a)}.${name}`]),
  );
}

function renamedAxis(axes: ReadonlyMap<string, string>, axis: string): string {
  return axis.endsWith("/2") ? `${axes.get(axis.slice(0, -2)) ?? axis.slice(0, -2)}/2` : (axes.get(axis) ?? axis);
}

function rename<V>(values: Readonly<Record<string, V>>, names: ReadonlyMap<string, string>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [names.get(name) ?? name, value]));
}

function defined<V>(values: Readonly<Record<string, V | undefined>>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, V] => entry[1] !== undefined));
}

/** "rmsnorm" of "rmsnorm.forward"; of a fused op, its last part's. */
function stem(operation: Operation): string {
  return operation.name.split("+").at(-1)!.split(".")[0];
}
