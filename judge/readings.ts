// Inputs of products in fewer bits than any dtype here has, or in pieces: the outputs follow exactly, in any order of summation.
//
// FP8 is that of the OCP (OFP8, 2023): E4M3 without infinities, E5M2. Kernels scale a tensor, or each of its rows, so that its largest
// number is the format's. bfloat16x3 is a sum of two bfloat16 numbers for each factor, and of their products all but that of
// the two small ones (XLA's BF16_BF16_F32_X3); tf32x3 likewise (CUTLASS' 3xTF32).
import { type Format, formats, round, truncate } from "../reference/dtype.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import { largest } from "../reference/lists.ts";
import type { Inputs, Operation, Outputs } from "../reference/operation.ts";
import type { Floats, Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import { widen } from "./verdict.ts";

export const float8Names = ["float8_e4m3fn", "float8_e5m2"] as const;
export type Float8Name = (typeof float8Names)[number];
export type SplitClass = "bfloat16x3 inputs" | "tf32x3 inputs";

const float8: Readonly<Record<Float8Name, Format>> = {
  float8_e4m3fn: format8("float8_e4m3fn", 4, -6, 448),
  float8_e5m2: format8("float8_e5m2", 3, -14, 57_344),
};

function format8(name: Float8Name, precision: number, minExponent: number, max: number): Format {
  const minNormal = powerOfTwo(minExponent);
  return {
    name,
    precision,
    u: powerOfTwo(-precision),
    minNormal,
    minSubnormal: minNormal * powerOfTwo(1 - precision),
    max,
  };
}

export function isFloat8(name: string): name is Float8Name {
  return (float8Names as readonly string[]).includes(name);
}

/** x in a format of 8 bits: what lies beyond its largest number becomes that. */
export function round8(x: number, name: Float8Name): number {
  const format = float8[name];
  return round(Math.max(-format.max, Math.min(format.max, x)), format);
}

/** A tensor as it is read in FP8: unscaled, scaled as a whole, and row by row. `whole` is the tensor of which it is a part. */
export function readings8(t: Tensor, whole: Tensor, name: Float8Name): Tensor<Float64Array>[] {
  const width = t.shape.at(-1) ?? 1;
  const most = (list: Floats): number => largest(list.map((x) => Math.abs(x)));
  const ofAll = most(whole.data);
  const rows = new Map<number, number>();
  const ofRow = (i: number): number => {
    const row = Math.floor(i / width);
    const found = rows.get(row) ?? most(t.data.slice(row * width, (row + 1) * width));
    rows.set(row, found);
    return found;
  };
  const scaled = (to: (i: number) => number): Tensor<Float64Array> => ({
    data: Float64Array.from(t.data, (x, i) =>
      to(i) > 0 ? (round8((x / to(i)) * float8[name].max, name) * to(i)) / float8[name].max : x,
    ),
    shape: t.shape,
  });
  return [scaled(() => float8[name].max), scaled(() => ofAll), scaled(ofRow)];
}

/** The outputs of an op that is linear in each factor, each factor in two pieces, rounded and cut off. */
export function inPieces(operation: Operation, { inputs, scalars }: Problem, format: "bfloat16" | "tf32"): Outputs[] {
  return [round, truncate].map((to) => {
    const first = (x: number): number => to(x, formats[format]);
    const second = (x: number): number => first(x - first(x));
    const [all, small] = [(x: number) => first(x) + second(x), second].map((read) =>
      operation.evaluate(mapped(inputs, read), scalars, Float64Array),
    );
    return Object.fromEntries(
      Object.entries(all).map(([name, { data, shape }]) => [
        name,
        { data: data.map((x, i) => x - small[name].data[i]), shape },
      ]),
    );
  });
}

function mapped(inputs: Inputs, of: (x: number) => number): Inputs {
  return Object.fromEntries(
    Object.entries(widen(inputs)).map(([name, t]) => [
      name,
      t.data instanceof Int32Array ? t : { data: t.data.map(of) as Floats, shape: t.shape },
    ]),
  );
}
