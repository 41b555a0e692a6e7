// Places after the end of an axis that change no exact result: zeros in a sum, classes of no weight, rows that do not count.
import { axesOf, type Operation, type Scalars } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";

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
