// The matrix product:  out[i, j] = Σ over k of a[i, k] · b[j, k],   each sum in double, in the order of k, stored once.
//
// All forms below give the same bits, because each sum runs over k in the same order; a property test says so.
import type { Floats } from "./tensor.ts";

/** A matrix as it lies in memory: element [outer index, k] is data[start + outer · index + inner · k]. */
export interface Operand {
  readonly data: Floats;
  /** 0 if left out. */
  readonly start?: number;
  readonly outer: number;
  readonly inner: number;
}

/** The definition. out: [I, J]; a: [I, K] and b: [J, K] by their strides. */
export function plainProduct(out: Floats, I: number, J: number, K: number, a: Operand, b: Operand): void {
  const { start: startA = 0 } = a;
  const { start: startB = 0 } = b;
  for (let i = 0; i < I; i++) {
    for (let j = 0; j < J; j++) {
      const atA = startA + a.outer * i;
      const atB = startB + b.outer * j;
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a.data[atA + a.inner * k] * b.data[atB + b.inner * k];
      out[i * J + j] = sum;
    }
  }
}

/**
 * The same bits faster: blocks of 4 × 2 sums that stay in registers, with both operands packed so that each step of k
 * reads neighbouring doubles. Blocks that overhang the edges are filled with zeros, and their overhang is not stored.
 */
export function product(out: Floats, I: number, J: number, K: number, a: Operand, b: Operand): void {
  if (I === 1) return rowProduct(out, J, K, a, b);
  // Packing would cost more than it saves.
  if (I * J * K < 512) return plainProduct(out, I, J, K, a, b);
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
 * The same bits for a single row, which uses every element of b once: packing would cost as much as the product. Eight sums
 * run at a time, none of which waits for another.
 */
function rowProduct(out: Floats, J: number, K: number, a: Operand, b: Operand): void {
  const { data: row, start: atA = 0, inner: innerA } = a;
  const { data, start: atB = 0, outer, inner } = b;
  let j = 0;
  for (; j + 7 < J; j += 8) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let s4 = 0;
    let s5 = 0;
    let s6 = 0;
    let s7 = 0;
    for (let k = 0, p = atB + outer * j, q = atA; k < K; k++, p += inner, q += innerA) {
      const x = row[q];
      let at = p;
      s0 += x * data[at];
      s1 += x * data[(at += outer)];
      s2 += x * data[(at += outer)];
      s3 += x * data[(at += outer)];
      s4 += x * data[(at += outer)];
      s5 += x * data[(at += outer)];
      s6 += x * data[(at += outer)];
      s7 += x * data[(at += outer)];
    }
    out[j] = s0;
    out[j + 1] = s1;
    out[j + 2] = s2;
    out[j + 3] = s3;
    out[j + 4] = s4;
    out[j + 5] = s5;
    out[j + 6] = s6;
    out[j + 7] = s7;
  }
  for (; j < J; j++) {
    let sum = 0;
    for (let k = 0, p = atB + outer * j, q = atA; k < K; k++, p += inner, q += innerA) sum += row[q] * data[p];
    out[j] = sum;
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
      const start = (from.start ?? 0) + from.outer * (first + w);
      for (let k = 0; k < K; k++) into[at + k * width + w] = from.data[start + from.inner * k];
    }
  }
}
