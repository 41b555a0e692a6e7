// If inputs are multiplied by powers of two, so are the outputs, and no number is rounded differently.
//
// For RMSNorm: x · 2^k with eps · 4^k gives the same y, so its scale matters only through eps.
import { type Inputs, type Scalars, storageOf } from "../../reference/operation.ts";
import { dtypes } from "../../reference/dtype.ts";
import { powerOfTwo } from "../../reference/elementary.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { allAs } from "../at-scale.ts";
import type { Parts } from "../fused.ts";
import type { JudgeRow } from "../row.ts";
import { compareSides, ordinary, outcomeOf, type Relation, Run, sideOf } from "./relation.ts";

/** Powers of two by which inputs, scalars and outputs grow together. */
export interface Scaling<Name extends string = string, Output extends string = string> {
  readonly name: string;
  readonly statement: string;
  /** The exponent of each input and scalar that is scaled. */
  readonly by: { readonly [name in Name]?: number };
  /** The exponent of each output; 0 where it is not named. */
  readonly outputs: { readonly [name in Output]?: number };
}

/** The outputs are linear in these inputs taken together. */
export function linearIn<Name extends string, Output extends string>(
  names: readonly Name[],
  outputs: readonly Output[],
): Scaling<Name, Output> {
  const what = names.join(" and ");
  return {
    name: `${what} times 8`,
    statement: `${outputs.join(", ")} scales with ${what}: eight times the input gives eight times the output.`,
    by: allAs(names, 3),
    outputs: allAs(outputs, 3),
  };
}

/** The tensor between the parts of a fused op stays, or is scaled as an input in which the second part is linear. */
export function fuseScaling(
  { main, fed, ofA, ofB }: Parts,
  firsts: readonly Scaling[],
  seconds: readonly Scaling[],
): readonly Scaling[] {
  const exponents = (by: Scaling["by"]) => Object.entries(by).map(([name, k]): [string, number] => [name, k ?? 0]);
  const others = (by: Scaling["by"]) => exponents(by).filter(([name]) => name !== fed);
  const found: Scaling[] = [];
  for (const one of firsts) {
    const grown = one.outputs[main] ?? 0;
    const two = seconds.find(({ by }) => by[fed] === grown);
    if (grown !== 0 && two === undefined) continue;
    const [more, outputs] = grown === 0 ? [[], {}] : [others(two!.by), two!.outputs];
    found.push(composed([...renamed(exponents(one.by), ofA), ...renamed(more, ofB)], outputs));
  }
  for (const two of seconds) {
    if (two.by[fed] === undefined) found.push(composed(renamed(exponents(two.by), ofB), two.outputs));
  }
  return found;
}

function renamed(by: readonly (readonly [string, number])[], to: (name: string) => string): [string, number][] {
  return by.map(([name, exponent]) => [to(name), exponent]);
}

function composed(by: readonly (readonly [string, number])[], outputs: Scaling["outputs"]): Scaling {
  const growth = (exponents: readonly (readonly [string, number])[]): string =>
    exponents.map(([name, exponent]) => `${name} times ${powerOfTwo(exponent)}`).join(", ");
  const then = growth(Object.entries(outputs).map(([name, exponent]) => [name, exponent ?? 0]));
  const name = growth(by);
  return {
    name,
    statement: `${name} gives ${then === "" ? "the same outputs" : then}.`,
    by: Object.fromEntries(by),
    outputs,
  };
}

export function scalingsOf(row: JudgeRow): Relation[] {
  return row.scaling.map(({ name, statement, by, outputs }) => ({
    name,
    statement,
    run: async (trial) => {
      const problem = ordinary(trial);
      const before = await Run.of(trial, problem);
      const after = await Run.of(trial, multiplied(problem, by));
      const differences = Object.keys(trial.operation.outputs).map((output) => {
        const grown = (t: Tensor): Tensor => times(t, outputs[output] ?? 0) as Tensor;
        // A number below the normal range is rounded to a grid that does not grow with it.
        const { minNormal } = dtypes[storageOf(trial.operation, output, trial.dtype)];
        const [small, large] = [before.outputs[output].data, after.outputs[output].data];
        const isSubnormal = (i: number): boolean => Math.min(Math.abs(small[i]), Math.abs(large[i])) < minNormal;
        return compareSides(output, sideOf(before, output, grown), sideOf(after, output), "reported", isSubnormal);
      });
      return outcomeOf(name, trial, differences);
    },
  }));
}

function multiplied({ inputs, scalars }: Problem, by: Scaling["by"]): Problem {
  return {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, times(t, by[name] ?? 0)])) as Inputs,
    scalars: Object.fromEntries(
      Object.entries(scalars).map(([name, value]) => [
        name,
        typeof value === "number" ? value * powerOfTwo(by[name] ?? 0) : value,
      ]),
    ) as Scalars,
  };
}

function times(t: Tensor<Floats | Ints>, exponent: number): Tensor<Floats | Ints> {
  if (exponent === 0 || t.data instanceof Int32Array) return t;
  const factor = powerOfTwo(exponent);
  return { data: (t.data as Floats).map((x) => x * factor) as Floats, shape: t.shape };
}
