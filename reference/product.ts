// The matrix product:  out[i, j] = Σ over k of a[i, k] · b[j, k],   each sum in double, in the order of k, stored once.
//
// The two forms below give the same bits, because each sum runs over k in the same order; a property test says so.
import type { Floats } from "./tensor.ts";

/** A matrix as it lies in memory: element [outer index, k] is data[outer · index + inner · k]. */
export interface Operand {
  readonly data: Floats;
  readonly outer: number;
  readonly inner: number;
}

/** The definition. out: [I, J]; a: [I, K] and b: [J, K] by their strides. */
export function plainProduct(out: Floats, I: number, J: number, K: number, a: Operand, b: Operand): void {
  for (let i = 0; i < I; i++) {
    for (let j = 0; j < J; j++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a.data[a.outer * i + a.inner * k] * b.data[b.outer * j + b.inner * k];
      out[i * J + j] = sum;
    }
  }
}

/**
 * The same bits faster: blocks of 4 × 2 sums that stay in registers, with both operands packed so that each step of k
 * reads neighbouring doubles. What remains at the edges is packed as zeros and not stored.
 */
export function product(out: Floats, I: number, J: number, K: number, a: Operand, b: Operand): void {
  if (I === 1 && a.inner === 1 && b.inner === 1) return rowProduct(out, J, K, a.data, b.data, b.outer);
  // Packing would cost more than it saves.
  if (I === 1 || I * J * K < 512) return plainProduct(out, I, J, K, a, b);
  const rows = new Float64Array(4 * K);
  const columns = new Float64Array(Math.ceil(J / 2) * 2 * K);
  for (let j = 0; j < J; j += 2) pack(columns, j * K, b, j, 2, J, K);
  for (let i = 0; i < I; i += 4) {
    pack(rows, 0, a, i, 4, I, K);
    for (let j = 0; j < J; j += 2) {
      let s00 = 0,
        s01 = 0,
        s10 = 0,
        s11 = 0,
        s20 = 0,
        s21 = 0,
        s30 = 0,
        s31 = 0;
      for (let k = 0, p = 0, q = j * K; k < K; k++, p += 4, q += 2) {
        const b0 = columns[q];
        const b1 = columns[q + 1];
        s00 += rows[p] * b0;
        s01 += rows[p] * b1;
        s10 += rows[p + 1] * b0;
        s11 += rows[p + 1] * b1;
        s20 += rows[p + 2] * b0;
        s21 += rows[p + 2] * b1;
        s30 += rows[p + 3] * b0;
        s31 += rows[p + 3] * b1;
      }
      const at = i * J + j;
      const second = j + 1 < J;
      out[at] = s00;
      if (second) out[at + 1] = s01;
      if (i + 1 < I) out[at + J] = s10;
      if (i + 1 < I && second) out[at + J + 1] = s11;
      if (i + 2 < I) out[at + 2 * J] = s20;
      if (i + 2 < I && second) out[at + 2 * J + 1] = s21;
      if (i + 3 < I) out[at + 3 * J] = s30;
      if (i + 3 < I && second) out[at + 3 * J + 1] = s31;
    }
  }
}

/**
 * For a single row, both operands contiguous along k: every element of b is used once, so packing would cost as much as
 * the product. Four sums at a time.
 */
function rowProduct(out: Floats, J: number, K: number, row: Floats, b: Floats, outer: number): void {
  for (let j = 0; j < J; j += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    const at0 = outer * j;
    const at1 = outer * Math.min(j + 1, J - 1); // beyond the edge the last one again, not stored
    const at2 = outer * Math.min(j + 2, J - 1);
    const at3 = outer * Math.min(j + 3, J - 1);
    for (let k = 0; k < K; k++) {
      const x = row[k];
      s0 += x * b[at0 + k];
      s1 += x * b[at1 + k];
      s2 += x * b[at2 + k];
      s3 += x * b[at3 + k];
    }
    out[j] = s0;
    if (j + 1 < J) out[j + 1] = s1;
    if (j + 2 < J) out[j + 2] = s2;
    if (j + 3 < J) out[j + 3] = s3;
  }
}

/** Copies `width` vectors of an operand, from index `first` on, interleaved by k; those beyond `count` become zeros. */
function pack(
  into: Float64Array,
  at: number,
  from: Operand,
  first: number,
  width: number,
  count: number,
  K: number,
): void {
  for (let w = 0; w < width; w++) {
    if (first + w >= count) {
      for (let k = 0; k < K; k++) into[at + k * width + w] = 0;
    } else {
      const start = from.outer * (first + w);
      for (let k = 0; k < K; k++) into[at + k * width + w] = from.data[start + from.inner * k];
    }
  }
}
