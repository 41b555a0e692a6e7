// What kernels share: float32, tensors, and changes that any kernel may suffer.
import { formats, round } from "../../reference/dtype.ts";
import { exp as exactExp, log as exactLog } from "../../reference/elementary.ts";
import type { Inputs, Outputs } from "../../reference/operation.ts";
import { sizeOf, type Tensor } from "../../reference/tensor.ts";
import type { Kernel } from "./fault.ts";

export const f32 = Math.fround;
export const bf16 = (x: number): number => round(x, formats.bfloat16);
export const fp16 = (x: number): number => round(x, formats.float16);
export const tf32 = (x: number): number => round(x, formats.tf32);
export const exp = (x: number): number => f32(exactExp(x));
export const log = (x: number): number => f32(exactLog(x));
export const LOG2E = f32(Math.LOG2E);

export type Floats32 = Tensor<Float32Array>;

/** The real inputs of a kernel by name. */
export const floats = (inputs: Inputs): Readonly<Record<string, Floats32>> => inputs as Record<string, Floats32>;

export function empty(shape: readonly number[], value = 0): Floats32 {
  return { data: new Float32Array(sizeOf(shape)).fill(value), shape };
}

export const scalar = (x: number): Floats32 => ({ data: Float32Array.of(x), shape: [] });

export function mapped(t: Floats32, change: (x: number, i: number) => number): Floats32 {
  return { data: t.data.map(change), shape: t.shape };
}

export type Change = (x: number, i: number) => number;

/** Some inputs are read through a function, as through a lower format. */
export function reading(changes: Readonly<Record<string, Change>>, kernel: Kernel): Kernel {
  return (inputs, scalars) => {
    const read = Object.entries(changes).map(([name, change]) => [name, mapped(floats(inputs)[name], change)]);
    return kernel({ ...inputs, ...Object.fromEntries(read) }, scalars);
  };
}

/** Some outputs are written through a function. */
export function writing(changes: Readonly<Record<string, Change>>, kernel: Kernel): Kernel {
  return (inputs, scalars) => {
    const outputs = kernel(inputs, scalars);
    const written = Object.entries(changes).map(([name, change]) => [name, mapped(outputs[name] as Floats32, change)]);
    return { ...outputs, ...Object.fromEntries(written) };
  };
}

/** An output is added to what the last call of the same shape left in it. */
export function keeping(name: string, kernel: Kernel): Kernel {
  const kept = new Map<string, Floats32>();
  return (inputs, scalars) => {
    const outputs = kernel(inputs, scalars);
    const fresh = outputs[name] as Floats32;
    const before = kept.get(fresh.shape.join());
    const total = before === undefined ? fresh : mapped(fresh, (x, i) => x + before.data[i]);
    kept.set(fresh.shape.join(), total);
    return { ...outputs, [name]: total };
  };
}

/** Some scalars are others than those given. */
export function withScalars(changes: Readonly<Record<string, (x: number) => number>>, kernel: Kernel): Kernel {
  return (inputs, scalars) => {
    const changed = Object.entries(changes).map(([name, change]) => [name, change(Number(scalars[name]))]);
    return kernel(inputs, { ...scalars, ...Object.fromEntries(changed) });
  };
}

/** The right outputs, which a fault then spoils. */
export function spoiling(
  kernel: Kernel,
  spoil: (
    outputs: Readonly<Record<string, Floats32>>,
    inputs: Inputs,
    scalars: Readonly<Record<string, number>>,
  ) => void,
): Kernel {
  return (inputs, scalars) => {
    const outputs = kernel(inputs, scalars);
    spoil(outputs as Record<string, Floats32>, inputs, scalars as Record<string, number>);
    return outputs as Outputs;
  };
}

/** Σ terms(i) for i in [from, to), each addition rounded by `by`. */
export function sum(to: number, term: (i: number) => number, by: (x: number) => number = f32, from = 0): number {
  let total = 0;
  for (let i = from; i < to; i++) total = by(total + term(i));
  return total;
}

/** A sum in float32 over chunks, whose total is kept through `by`. */
export function chunked(n: number, chunk: number, term: (i: number) => number, by: (x: number) => number): number {
  let total = 0;
  for (let at = 0; at < n; at += chunk) total = by(total + sum(Math.min(n, at + chunk), term, f32, at));
  return total;
}

/** The rows of a matrix, without copies. */
export function rowsIn({ data, shape: [R, C] }: Floats32): Float32Array[] {
  return Array.from({ length: R }, (_, r) => data.subarray(r * C, r * C + C));
}

/** The columns of a matrix. */
export function columnsIn({ data, shape: [R, C] }: Floats32): Float32Array[] {
  return Array.from({ length: C }, (_, c) => Float32Array.from({ length: R }, (__, r) => data[r * C + c]));
}

/** a · b, term after term in float32. */
export function dot(a: Float32Array, b: Float32Array, from = 0, to: number = a.length): number {
  let total = 0;
  for (let i = from; i < to; i++) total = f32(total + f32(a[i] * b[i]));
  return total;
}
