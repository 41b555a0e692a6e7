// A tensor cut along an axis into parts for the members of a group, and put together again.
//
//   part i of n among p = [⌊n · i / p⌋, ⌊n · (i + 1) / p⌋)
//
// Nothing is padded: where p does not divide n the parts differ by one, and some are empty where p > n.
import { type Floats, type Ints, sizeOf, type Tensor } from "../tensor.ts";

/** The first index of part i of n among p, and the one after its last. */
export function partOf(n: number, p: number, i: number): { from: number; to: number } {
  return { from: Math.floor((n * i) / p), to: Math.floor((n * (i + 1)) / p) };
}

/** Part i among p of a tensor along an axis: a copy. */
export function cut<D extends Floats | Ints>(t: Tensor<D>, axis: number, p: number, i: number): Tensor<D> {
  const { from, to } = partOf(t.shape[axis], p, i);
  return slice(t, axis, from, to);
}

/** The indices [from, to) along an axis: a copy. */
export function slice<D extends Floats | Ints>(t: Tensor<D>, axis: number, from: number, to: number): Tensor<D> {
  const n = t.shape[axis];
  const part = empty(t, withLength(t.shape, axis, to - from));
  const inner = sizeOf(t.shape.slice(axis + 1));
  const outer = sizeOf(t.shape.slice(0, axis));
  for (let o = 0; o < outer; o++) {
    const run = t.data.subarray((o * n + from) * inner, (o * n + to) * inner);
    part.data.set(run, o * (to - from) * inner);
  }
  return part;
}

/** The parts joined along an axis, in their order; their shapes may differ only in the length along it. */
export function join<D extends Floats | Ints>(parts: readonly Tensor<D>[], axis: number): Tensor<D> {
  const [{ shape }] = parts;
  for (const part of parts) {
    if (withLength(part.shape, axis, 0).join() !== withLength(shape, axis, 0).join()) {
      throw new RangeError(`a part has shape [${part.shape}], expected [${shape}] except along axis ${axis}`);
    }
  }
  const n = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  const whole = empty(parts[0], withLength(shape, axis, n));
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  let at = 0;
  for (const part of parts) {
    const length = part.shape[axis] * inner;
    for (let o = 0; o < outer; o++) {
      whole.data.set(part.data.subarray(o * length, (o + 1) * length), o * n * inner + at);
    }
    at += length;
  }
  return whole;
}

function withLength(shape: readonly number[], axis: number, length: number): readonly number[] {
  if (!(axis >= 0 && axis < shape.length)) throw new RangeError(`shape [${shape}] has no axis ${axis}`);
  return shape.with(axis, length);
}

function empty<D extends Floats | Ints>(like: Tensor<D>, shape: readonly number[]): Tensor<D> {
  const Storage = like.data.constructor as new (length: number) => D;
  return { data: new Storage(sizeOf(shape)), shape };
}
