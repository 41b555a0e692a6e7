// Numbers at other places along an axis do not matter: rows do not see each other, and queries see no later token.
//
// A kernel's work for an element may depend on the element's position, but not on numbers that its formula does not contain:
// so every bit stays. A kernel whose schedule depends on data must be declared as nondeterministic.
import { axesOf, type Inputs, type Operation } from "../../reference/operation.ts";
import { bits } from "../../reference/random.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { indexOf } from "../compare.ts";
import { axesPassed, lengthsOfB, type Parts, renamedOrders } from "../fused.ts";
import type { JudgeRow } from "../row.ts";
import {
  compareSides,
  gather,
  lengthsOf,
  ordinary,
  type Orders,
  outcomeOf,
  type Relation,
  Run,
  sideOf,
  type Trial,
} from "./relation.ts";

/** Places that do not matter to outputs. */
export interface Independence<
  Axis extends string = string,
  Output extends string = string,
  Input extends string = string,
> {
  readonly name: string;
  /** The independence of these outputs, in words. */
  readonly statement: (outputs: readonly string[]) => string;
  /** The axes along which places are kept; if there is only one, any of its places may be kept. */
  readonly axes: readonly Axis[];
  /** The places that are kept, by axis; the others are overwritten. */
  readonly kept: (lengths: ReadonlyMap<string, number>, seed: number) => Orders;
  /** The outputs that must not change at the kept places. */
  readonly outputs: readonly Output[];
  /** Inputs that stay whole: a count of them is part of the formula. */
  readonly whole?: readonly Input[];
  /** Inputs that change only their signs elsewhere: a sum of all their squares, which stays, is part of the formula. */
  readonly signed?: readonly Input[];
  /** The numbers elsewhere may be read and given the weight 0. */
  readonly masked?: true;
}

/** Some of the places of an axis, drawn; at least one is kept and one is not, if there are two. */
function some(n: number, seed: number): number[] {
  const fixed = bits(seed, 21, n) % Math.max(1, n);
  return Array.from({ length: n }, (_, i) => i).filter(
    (i) => i === fixed || (bits(seed, 22, i) % 2 === 0 && i !== (fixed + 1) % n),
  );
}

/** In these outputs, places along the axis do not see each other. */
export function alone<Axis extends string, Output extends string, Input extends string = never>(
  axis: Axis,
  outputs: readonly Output[],
  { whole = [], signed = [] }: Pick<Independence<Axis, Output, Input>, "whole" | "signed"> = {},
): Independence<Axis, Output, Input> {
  return {
    name: `the rest of ${axis}`,
    statement: (changed) => `Numbers elsewhere along ${axis} change no bit of ${changed.join(", ")} here.`,
    axes: [axis],
    kept: (lengths, seed) => ({ [axis]: some(lengths.get(axis)!, seed) }),
    outputs,
    whole,
    signed,
  };
}

/** Query heads belong to their key/value head. */
export const groupsOfHeads = <Output extends string>(
  outputs: readonly Output[],
): Independence<"NKV" | "NH", Output, never> => ({
  name: "the rest of the heads",
  statement: (changed) => `Other groups of heads change no bit of ${changed.join(", ")} here.`,
  axes: ["NKV", "NH"],
  kept: (lengths, seed) => {
    const groups = some(lengths.get("NKV")!, seed);
    const size = lengths.get("NH")! / lengths.get("NKV")!;
    return { NKV: groups, NH: groups.flatMap((g) => Array.from({ length: size }, (_, i) => g * size + i)) };
  },
  outputs,
});

export const causal = <Output extends string>(outputs: readonly Output[]): Independence<"T" | "S", Output, never> => ({
  name: "later tokens",
  masked: true,
  statement: (changed) => `A later token changes no bit of ${changed.join(", ")} before it.`,
  axes: ["T", "S"],
  kept: (lengths, seed) => {
    const [T, S] = [lengths.get("T")!, lengths.get("S")!];
    const t = 1 + (bits(seed, 23, 0) % Math.max(1, T - 1)); // the first token that is overwritten
    const first = (n: number): number[] => Array.from({ length: Math.max(0, n) }, (_, i) => i);
    return { T: first(Math.min(t, T)), S: first(Math.min(t + S - T, S)) };
  },
  outputs,
});

/**
 * An independence of one part of a fused op holds for the whole if the other part has one that keeps the same places along
 * each axis that passes between them: row-wise parts make a row-wise op, row-wise and causal parts a causal one.
 */
export function fuseIndependence(
  parts: Parts,
  ofFirst: readonly Independence[],
  seconds: readonly Independence[],
): readonly Independence[] {
  const { b, main, ofA, ofB, axisOfB } = parts;
  const passed = axesPassed(parts);
  const firsts = ofFirst.filter(({ outputs }) => outputs.includes(main));
  const alongOne = (list: readonly Independence[], axis: string) =>
    list.find(({ axes }) => axes.length === 1 && axes[0] === axis);
  const found: Independence[] = [];
  for (const one of firsts) {
    const needed = one.axes.filter((axis) => passed.has(axis)).map((axis) => alongOne(seconds, passed.get(axis)!));
    if (needed.includes(undefined)) continue;
    found.push({
      ...one,
      outputs: Object.keys(b.outputs).filter((output) => needed.every((two) => two!.outputs.includes(output))),
      whole: [...(one.whole ?? []).map(ofA), ...needed.flatMap((two) => (two!.whole ?? []).map(ofB))],
    });
  }
  const taken = new Map([...passed].map(([outer, inner]) => [inner, outer]));
  for (const two of seconds) {
    const needed = two.axes.filter((axis) => taken.has(axis)).map((axis) => alongOne(firsts, taken.get(axis)!));
    if (needed.includes(undefined)) continue;
    const [axis] = two.axes;
    found.push({
      ...two,
      ...(two.axes.length === 1 ? alone(axisOfB(axis), two.outputs) : {}),
      axes: two.axes.map(axisOfB),
      kept: (lengths, seed) => renamedOrders(two.kept(lengthsOfB(parts, lengths), seed), axisOfB),
      whole: [...(two.whole ?? []).map(ofB), ...needed.flatMap((one) => (one!.whole ?? []).map(ofA))],
    });
  }
  const seen = new Set<string>();
  return found.filter(({ axes, outputs }) => {
    const key = axes.join();
    return outputs.length > 0 && !seen.has(key) && seen.add(key);
  });
}

export function independenceOf(operation: Operation, row: JudgeRow): Relation[] {
  return row.independence.map(({ name, statement, kept, outputs, whole = [], signed = [] }) => ({
    name,
    statement: statement(outputs),
    run: async (trial) => {
      const { seed, deterministic } = trial;
      const problem = ordinary(trial);
      const other = ordinary(trial, seed + 1);
      const orders = kept(lengthsOf(operation, problem), seed);
      const mixed = Object.entries(problem.inputs).map(([input, t]) => [
        input,
        whole.includes(input)
          ? t
          : overwritten(t, signed.includes(input) ? negated(t) : other.inputs[input], operation.inputs[input], orders),
      ]);
      const before = await Run.of(trial, problem);
      const after = await Run.of(trial, { inputs: Object.fromEntries(mixed) as Inputs, scalars: problem.scalars });
      const differences = outputs.map((output) => {
        const take = (t: Tensor): Tensor => gather(t, operation.outputs[output], orders);
        return compareSides(
          output,
          sideOf(before, output, take),
          sideOf(after, output, take),
          deterministic ? "kept" : "free",
        );
      });
      return outcomeOf(name, trial, differences);
    },
  }));
}

function negated(t: Tensor<Floats | Ints>): Tensor<Floats | Ints> {
  return { data: (t.data as Floats).map((x) => -x) as Floats, shape: t.shape };
}

/** Another tensor's numbers wherever an axis stands at a place that is not kept. */
function overwritten(
  t: Tensor<Floats | Ints>,
  other: Tensor<Floats | Ints>,
  spec: string,
  orders: Orders,
): Tensor<Floats | Ints> {
  const axes = axesOf(spec);
  const sets = axes.map((axis) => (orders[axis] === undefined ? undefined : new Set(orders[axis])));
  const data = t.data.slice();
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let isKept = true;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const place = rest % t.shape[axis];
      rest = (rest - place) / t.shape[axis];
      if (sets[axis]?.has(place) === false) isKept = false;
    }
    if (!isKept) data[i] = other.data[i];
  }
  return { data, shape: t.shape };
}

/** NaN at every place that the kept ones do not depend on, and where it came through. */
export interface Poisoning {
  readonly name: string;
  /** Numbers with the weight 0 may come through, because 0 · NaN is NaN. */
  readonly masked: boolean;
  /** Such as "y[0,3]"; undefined where all kept places stayed numbers. */
  readonly reached: string | undefined;
}

/** Throws what the candidate throws. */
export async function poisonElsewhere(trial: Trial): Promise<Poisoning[]> {
  const { operation, seed } = trial;
  const problem = ordinary(trial);
  const list: Poisoning[] = [];
  for (const { name, kept, outputs, whole = [], signed = [], masked = false } of trial.spec.independence) {
    const orders = kept(lengthsOf(operation, problem), seed);
    const inputs = Object.entries(problem.inputs).map(([input, t]) => {
      const poison = { data: new Float64Array(t.data.length).fill(NaN), shape: t.shape };
      const stays = t.data instanceof Int32Array || whole.includes(input) || signed.includes(input);
      return [input, stays ? t : overwritten(t, poison, operation.inputs[input], orders)];
    });
    const run = await Run.of(trial, { inputs: Object.fromEntries(inputs) as Inputs, scalars: problem.scalars });
    const want = operation.evaluate(problem.inputs, problem.scalars, Float64Array);
    let reached: string | undefined;
    for (const output of outputs) {
      const take = (t: Tensor): Tensor => gather(t, operation.outputs[output], orders);
      const [{ data, shape }, truth] = [take(run.outputs[output]), take(want[output])];
      const at = data.findIndex((x, i) => !Number.isFinite(x) && Number.isFinite(truth.data[i]));
      if (at >= 0) reached ??= `${output}[${indexOf(at, shape).join(",")}] of what stays`;
    }
    list.push({ name, masked, reached });
  }
  return list;
}
