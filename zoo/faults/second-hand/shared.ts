// What the kernels of the second hand share: warps, 16-bit indices, and calls that remember.
import type { Outputs } from "../../../reference/operation.ts";
import { f32, type Floats32 } from "../kernel.ts";

/** Σ term(i) as a warp adds: lane l takes terms l, l + width, …, then the lanes are added in a butterfly. */
export function warpSum(n: number, term: (i: number) => number, width = 32): number {
  const lanes = new Float32Array(width);
  for (let i = 0; i < n; i++) lanes[i % width] += f32(term(i));
  return butterfly(lanes);
}

/** The sum of a power of two of lanes, halved again and again. */
export function butterfly(lanes: Float32Array): number {
  for (let step = lanes.length >> 1; step > 0; step >>= 1) for (let l = 0; l < step; l++) lanes[l] += lanes[l + step];
  return lanes[0];
}

export const ceilTo = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;
export const floorTo = (n: number, multiple: number): number => Math.floor(n / multiple) * multiple;

/** The low 16 bits. */
export const uint16 = (n: number): number => n & 0xffff;

/** A value that is computed at the first call with a key, and kept. */
export function once<T>(): (key: string, make: () => T) => T {
  const kept = new Map<string, T>();
  return (key, make) => {
    const held = kept.get(key) ?? make();
    kept.set(key, held);
    return held;
  };
}

/** Adds to an output what an earlier call of the same shape left in it: a workspace that nobody clears. */
export function leftover(): (out: Floats32) => void {
  const kept = new Map<string, Float32Array>();
  return (out) => {
    const key = out.shape.join();
    const before = kept.get(key);
    if (before !== undefined) for (let i = 0; i < out.data.length; i++) out.data[i] += before[i];
    kept.set(key, out.data.slice());
  };
}

export const outputs = (tensors: Readonly<Record<string, Floats32>>): Outputs => tensors;
