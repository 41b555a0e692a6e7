// Bytes of a number, by its purpose. In 16 bits, training is mixed: weights, gradients and activations are stored low,
// in addition to a float32 master copy and float32 moments: 2 + 2 + 12 bytes a parameter (Rajbhandari et al. 2020, section 3.1).
// In float32 there is no second copy: 4 + 4 + 8, the same sum.
import type { TensorRow } from "./block-table.ts";

export const storageNames = ["bfloat16", "float16", "float32"] as const;
export type StorageName = (typeof storageNames)[number];

/** Bytes of one stored number. */
export const storageBytes: Readonly<Record<StorageName, number>> = { bfloat16: 2, float16: 2, float32: 4 };

const FLOAT32 = 4;
const INT32 = 4;

/** Bytes a parameter in training. */
export function stateBytes(dtype: StorageName): { weights: number; gradients: number; optimizer: number } {
  const low = storageBytes[dtype];
  const moments = 2 * FLOAT32;
  return { weights: low, gradients: low, optimizer: low < FLOAT32 ? FLOAT32 + moments : moments };
}

/** Bytes of one element of an activation. */
export function elementBytes({ stored }: Pick<TensorRow, "stored">, dtype: StorageName): number {
  if (stored === "integer") return INT32;
  return stored === "statistic" ? FLOAT32 : storageBytes[dtype];
}

/** Bytes that the optimizer moves: it reads all except the low copy of the weights, and writes all except the gradients. */
export function optimizerTraffic(dtype: StorageName): number {
  const { weights, gradients, optimizer } = stateBytes(dtype);
  const master = storageBytes[dtype] < FLOAT32;
  return gradients + optimizer + (master ? 0 : weights) + (optimizer + weights);
}
