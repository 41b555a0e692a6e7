// How far apart two files of tensors are, tensor by tensor.
//
//   relative = ‖a − b‖ / ‖b‖,   0 where both are zero, Infinity where only b is
import { dtypes, ulpDistance } from "../reference/dtype.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import type { SafetensorsFile } from "../formats/safetensors.ts";
import { inOrderOfComputation } from "./names.ts";

/** A tensor that both files have and how far apart they are; or why it cannot be compared, which counts as a difference. */
export type TensorDifference =
  | { readonly name: string; readonly relative: number; readonly ulps: number; readonly at: number }
  | { readonly name: string; readonly mismatch: string };

/** Compares a with b, in the order of computation. Reads one tensor of each at a time. */
export function* diffFiles(a: SafetensorsFile, b: SafetensorsFile): Generator<TensorDifference> {
  for (const name of inOrderOfComputation(new Set([...b.names, ...a.names]))) {
    const inA = a.tensors.get(name);
    const inB = b.tensors.get(name);
    if (inA === undefined) yield { name, mismatch: `missing in ${a.path}` };
    else if (inB === undefined) yield { name, mismatch: `missing in ${b.path}` };
    else if (inA.shape.join() !== inB.shape.join()) {
      yield { name, mismatch: `shape [${inA.shape}], expected [${inB.shape}]` };
    } else yield { name, ...distance(a.read(name), b.read(name)) };
  }
}

/**
 * The relative distance; the largest distance in units in the last place (of float32 unless both are float64; of integers,
 * their difference); and the first element at which that is reached, −1 if nothing differs. Equal infinities do not differ,
 * nor do two NaNs; where only one side is not finite, the distances are NaN or Infinity.
 */
export function distance(
  a: Tensor<Floats | Ints>,
  b: Tensor<Floats | Ints>,
): { relative: number; ulps: number; at: number } {
  const storages = [a.data, b.data];
  const integers = storages.every((data) => data instanceof Int32Array);
  const single = storages.some((data) => data instanceof Float32Array);
  const ulpsOf = integers ? apart : single ? float32Ulps : float64Ulps;
  const n = a.data.length;
  const isSame = (i: number): boolean =>
    a.data[i] === b.data[i] || (Number.isNaN(a.data[i]) && Number.isNaN(b.data[i]));
  const difference = (i: number): number => (isSame(i) ? 0 : a.data[i] - b.data[i]);
  const wanted = (i: number): number => (!isSame(i) || Number.isFinite(b.data[i]) ? b.data[i] : 0);
  let ulps = 0;
  let at = -1;
  for (let i = 0; i < n; i++) {
    if (isSame(i)) continue;
    const here = ulpsOf(a.data[i], b.data[i]);
    if (at < 0 || (!(here <= ulps) && !Number.isNaN(ulps))) {
      ulps = here;
      at = i;
    }
  }
  if (at < 0) return { relative: 0, ulps, at };
  const size = norm(n, wanted);
  const relative = size === 0 ? Infinity : norm(n, difference) / size;
  // Different tensors are never at distance 0, however small the quotient.
  return { relative: relative === 0 ? Number.MIN_VALUE : relative, ulps, at };
}

function apart(x: number, y: number): number {
  return Math.abs(x - y);
}

function float32Ulps(x: number, y: number): number {
  return ulpDistance(x, y, dtypes.float32);
}

/** Through the bits, because the number of doubles between zero and a double need not be a double. */
function float64Ulps(x: number, y: number): number {
  if (!(Number.isFinite(x) && Number.isFinite(y))) return NaN;
  const steps = ordinal(x) - ordinal(y);
  return Number(steps < 0n ? -steps : steps);
}

const bits = new DataView(new ArrayBuffer(8));

function ordinal(x: number): bigint {
  bits.setFloat64(0, Math.abs(x));
  const magnitude = bits.getBigUint64(0);
  return x < 0 ? -magnitude : magnitude;
}

/** √Σx², scaled by the largest element so that no square overflows or vanishes. */
function norm(n: number, at: (i: number) => number): number {
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(at(i))); // NaN stays NaN
  if (!(largest > 0 && largest < Infinity)) return largest;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (at(i) / largest) * (at(i) / largest);
  return largest * Math.sqrt(squares);
}
