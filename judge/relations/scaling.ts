// Inputs multiplied by powers of two: the outputs follow by powers of two, and no number is rounded otherwise.
//
// For RMSNorm: x · 2^k with eps · 4^k gives the same y, so its scale matters only through eps.
import { type Inputs, type Operation, type Scalars, storageOf } from "../../reference/operation.ts";
import { dtypes } from "../../reference/dtype.ts";
import { powerOfTwo } from "../../reference/elementary.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { partsOf } from "../fused.ts";
import { compareSides, ordinary, outcomeOf, type Relation, Run, sideOf } from "./relation.ts";

interface Scaling {
  readonly name: string;
  readonly statement: string;
  /** The exponent of each input and scalar that is scaled. */
  readonly by: Readonly<Record<string, number>>;
  /** The exponent of each output; 0 where it is not named. */
  readonly outputs: Readonly<Record<string, number>>;
}

function linearIn(names: readonly string[], outputs: readonly string[]): Scaling {
  const what = names.join(" and ");
  return {
    name: `${what} times 8`,
    statement: `${outputs.join(", ")} grows with ${what}: eight times as large for eight times as much.`,
    by: Object.fromEntries(names.map((name) => [name, 3])),
    outputs: Object.fromEntries(outputs.map((name) => [name, 3])),
  };
}

const scalings: Readonly<Record<string, readonly Scaling[]>> = {
  "embedding.forward": [linearIn(["w"], ["y"])],
  "embedding.backward": [linearIn(["dy"], ["dw"])],
  "rmsnorm.forward": [
    {
      name: "x times 8, eps times 64",
      statement: "RMSNorm depends on the scale of x only through eps.",
      by: { x: 3, eps: 6 },
      outputs: { rstd: -3 },
    },
    linearIn(["w"], ["y"]),
  ],
  "rmsnorm.backward": [linearIn(["dy"], ["dx", "dw"])],
  "add.forward": [linearIn(["a", "b"], ["y"])],
  "cast.forward": [linearIn(["x"], ["y"])],
  "linear.forward": [linearIn(["x"], ["y"]), linearIn(["w"], ["y"])],
  "linear.backward": [linearIn(["dy"], ["dx", "dw"])],
  "rope.forward": [linearIn(["x"], ["y"])],
  "rope.backward": [linearIn(["dy"], ["dx"])],
  "attention.forward": [linearIn(["v"], ["y"])],
  "attention.backward": [linearIn(["dy"], ["dq", "dk", "dv"])],
  "swiglu.forward": [linearIn(["up"], ["y"])],
  "swiglu.backward": [linearIn(["dy"], ["dgate", "dup"])],
  "cross-entropy.backward": [linearIn(["dloss"], ["dlogits"])],
  "gradient-norm.forward": [linearIn(["g"], ["norm"])],
};

/** What passes between the parts of a fused op stays, or grows as an input in which the second part is linear. */
function scalingsIn(operation: Operation): readonly Scaling[] {
  const parts = partsOf(operation);
  if (parts === undefined) return scalings[operation.name] ?? [];
  const { a, b, main, fed, ofA, ofB } = parts;
  const [firsts, seconds] = [scalingsIn(a), scalingsIn(b)];
  const others = (by: Scaling["by"]) => Object.entries(by).filter(([name]) => name !== fed);
  const found: Scaling[] = [];
  for (const one of firsts) {
    const grown = one.outputs[main] ?? 0;
    const two = seconds.find(({ by }) => by[fed] === grown);
    if (grown !== 0 && two === undefined) continue;
    const [more, outputs] = grown === 0 ? [[], {}] : [others(two!.by), two!.outputs];
    found.push(composed([...renamed(Object.entries(one.by), ofA), ...renamed(more, ofB)], outputs));
  }
  for (const two of seconds) {
    if (two.by[fed] === undefined) found.push(composed(renamed(Object.entries(two.by), ofB), two.outputs));
  }
  return found;
}

function renamed(by: readonly (readonly [string, number])[], to: (name: string) => string): [string, number][] {
  return by.map(([name, exponent]) => [to(name), exponent]);
}

function composed(by: readonly (readonly [string, number])[], outputs: Scaling["outputs"]): Scaling {
  const growth = (exponents: readonly (readonly [string, number])[]): string =>
    exponents.map(([name, exponent]) => `${name} times ${powerOfTwo(exponent)}`).join(", ");
  const then = growth(Object.entries(outputs));
  const name = growth(by);
  return {
    name,
    statement: `With ${name} comes ${then === "" ? "the same" : then}.`,
    by: Object.fromEntries(by),
    outputs,
  };
}

export function scalingsOf(operation: Operation): Relation[] {
  return scalingsIn(operation).map(({ name, statement, by, outputs }) => ({
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
        typeof value === "number" && by[name] !== undefined ? value * powerOfTwo(by[name]) : value,
      ]),
    ) as Scalars,
  };
}

function times(t: Tensor<Floats | Ints>, exponent: number): Tensor<Floats | Ints> {
  if (exponent === 0 || t.data instanceof Int32Array) return t;
  const factor = powerOfTwo(exponent);
  return { data: (t.data as Floats).map((x) => x * factor) as Floats, shape: t.shape };
}
