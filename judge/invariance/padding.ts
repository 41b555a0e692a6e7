// Places after the end of an axis that change no exact result: zeros in a sum, classes of no weight, rows that do not count.
import { axesOf, type Operation, type Scalars } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { axesPassed, type Parts } from "../fused.ts";
import type { JudgeRow } from "../row.ts";

/** An axis that may be longer without changing some outputs, as long as the inputs are neutral there. */
export interface Padding<Axis extends string = string, Output extends string = string, Input extends string = string> {
  readonly axis: Axis;
  /** The outputs that stay, at the places that were there before. */
  readonly outputs: readonly Output[];
  /** What an input is at the new places; 0 unless it is here. */
  readonly fill?: { readonly [name in Input]?: number | ((scalars: Scalars) => number) };
  /** Pieces of the axis, each without the others, give parts whose sum the outputs are. */
  readonly isSum?: true;
}

/** The outputs are sums over the axis. */
export const sumOver = <Axis extends string, Output extends string>(
  axis: Axis,
  outputs: readonly Output[],
): Padding<Axis, Output, never> => ({ axis, outputs, isSum: true });

/** e^x of such a logit is 0, in every format. */
const FAR_BELOW = -10_000;

/** Classes whose logits lie far below the others. */
export const weightless = <Axis extends string, Output extends string>(
  axis: Axis,
  outputs: readonly Output[],
  logits: string,
): Padding<Axis, Output, never> => ({ axis, outputs, fill: { [logits]: FAR_BELOW } });

/** What is needed of the first part of a fused op. */
type First = Pick<JudgeRow, "independence" | "padding" | "scaling">;

/**
 * Padding of a fused op: of the first part, where it does not touch what passes between them; and of the second, where the first part
 * makes zeros of zeros, place by place.
 */
export function fusePadding(parts: Parts, first: First, seconds: readonly Padding[]): Padding[] {
  const { a, b, main, fed, ofA, ofB, axisOfB } = parts;
  const passed = axesPassed(parts);
  const outer = new Map([...passed].map(([own, inner]) => [inner, own]));
  const ofFirst = first.padding.filter(({ axis, outputs }) => outputs.includes(main) && !passed.has(axis));
  const ofSecond = seconds.filter(
    ({ axis, fill }) => (fill?.[fed] ?? 0) === 0 && (!outer.has(axis) || keepsZeros(parts, first, outer.get(axis)!)),
  );
  return [
    ...ofFirst.map(({ axis, fill }) => ({ axis, outputs: Object.keys(b.outputs), fill: renamedFill(fill, a, ofA) })),
    ...ofSecond.map((one) => Object.assign({}, one, { axis: axisOfB(one.axis), fill: renamedFill(one.fill, b, ofB) })),
  ];
}

/** Whether zeros at some places of an axis give zeros there, and change nothing elsewhere: places are independent, and the output is linear in an input. */
function keepsZeros({ a, main }: Parts, { independence, scaling }: First, axis: string): boolean {
  const isAlone = independence.some(({ axes, outputs, whole = [], signed = [] }) => {
    return axes.length === 1 && axes[0] === axis && outputs.includes(main) && whole.length + signed.length === 0;
  });
  const isLinear = scaling.some(({ by, outputs }) => {
    const names = Object.keys(by).filter((name) => name in a.inputs && axesOf(a.inputs[name]).includes(axis));
    return (outputs[main] ?? 0) > 0 && names.length > 0;
  });
  return isAlone && isLinear;
}

function renamedFill(
  fill: Padding["fill"] = {},
  { scalars }: Operation,
  to: (name: string) => string,
): NonNullable<Padding["fill"]> {
  const own = (given: Scalars): Scalars =>
    Object.fromEntries(Object.keys(scalars).map((name) => [name, given[to(name)]]));
  const renamed = Object.entries(fill as Required<NonNullable<Padding["fill"]>>).map(([name, value]) => {
    return [to(name), typeof value === "function" ? (given: Scalars) => value(own(given)) : value] as const;
  });
  return Object.fromEntries(renamed);
}

/** The problem with an axis of that length, neutral after its own end. */
export function padded(
  { inputs: specs, scalars: kinds }: Operation,
  { inputs, scalars }: Problem,
  { axis, fill = {} }: Padding,
  length: number,
): Problem {
  const fills: NonNullable<Padding["fill"]> = fill;
  const longer = Object.entries(inputs).map(([name, t]) => {
    const value = fills[name] ?? 0;
    return [name, extended(t, specs[name], axis, length, typeof value === "function" ? value(scalars) : value)];
  });
  const counts = kinds[axis] === "axis" ? { [axis]: length } : {};
  return { inputs: Object.fromEntries(longer), scalars: { ...scalars, ...counts } };
}

/** The tensor with its axis of that length; the new places hold `value`. */
export function extended(
  { data, shape }: Tensor<Floats | Ints>,
  spec: string,
  axis: string,
  length: number,
  value: number,
): Tensor<Floats | Ints> {
  const i = axesOf(spec).indexOf(axis);
  if (i < 0) return { data, shape };
  const inner = shape.slice(i + 1).reduce((n, one) => n * one, 1);
  const outer = shape.slice(0, i).reduce((n, one) => n * one, 1);
  const longer = new (data.constructor as Float64ArrayConstructor)(outer * length * inner).fill(value);
  const [from, to] = [shape[i] * inner, length * inner];
  for (let o = 0; o < outer; o++) longer.set(data.subarray(o * from, (o + 1) * from) as Float64Array, o * to);
  return { data: longer, shape: shape.toSpliced(i, 1, length) };
}
