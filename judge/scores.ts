// Queries and keys whose scores lie where kernels of attention fail rarely, and upstream gradients for them.
import type { DTypeName } from "../reference/dtype.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import { bits, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type MadeUp, PEAK, peakOf } from "./profile.ts";

/** Profiles of scores, whose values and upstream gradients are ordinary numbers. */
export const SCORES: ReadonlySet<MadeUp> = new Set(["below-zero", "below-masks", "peak"]);

/** Scores that are far below 0 or far apart, as few bits and mostly exact, so that their own error hardly blurs the softmax. */
export function setScores(profile: MadeUp, seed: number, q: Tensor<Float32Array>, k: Tensor<Float32Array>): void {
  const HS = q.shape[3];
  if (profile === "peak") {
    // Query t has the product 150 √HS with one key in HS, and 0 with the others: the next query with the next key.
    const height = PEAK * Math.sqrt(HS);
    const row = (i: number, heads: number): number => Math.floor(i / (heads * HS));
    q.data.forEach((_, i) => (q.data[i] = i % HS === peakOf(seed, row(i, q.shape[2]), HS) ? height : 0));
    k.data.forEach((_, i) => (k.data[i] = i % HS === row(i, k.shape[2]) % HS ? 1 : 0));
  }
  if (profile === "below-zero") setBelow(200, 1, 8, seed, q, k);
  // Of 10⁵; less where a score of many terms, with the scale taken first, would err by more than a quarter: q · k stays below −5·10⁴.
  if (profile === "below-masks") setBelow(Math.min(1e5, 9.2e5 / HS), 16, 32, seed, q, k);
}

/**
 * Scores of about −height: q one number, k numbers from ofK on in `parts`ths of it. q · k has at most 18 bits, and is exact in any
 * order.
 */
function setBelow(
  height: number,
  ofK: number,
  parts: number,
  seed: number,
  q: Tensor<Float32Array>,
  k: Tensor<Float32Array>,
): void {
  const mean = ofK * (1 + 3.5 / parts);
  const ofQ = height / (mean * Math.sqrt(q.shape[3]));
  const bit = powerOfTwo(Math.floor(Math.log2(ofQ)) - 3);
  q.data.fill(bit * Math.round(ofQ / bit));
  k.data.forEach((_, i) => (k.data[i] = -ofK * (1 + (bits(seed, streamOf("k"), i) % 8) / parts)));
}

/**
 * In float16 a large dy would bring dq beyond 65,504 in its truth or its bound, so that nearly all of it were unjudged: three
 * queries of four have a dy that leaves dq room. The fourth keeps it large, since dk and dv have the room, and dP has not.
 */
export function withRoom(dy: Tensor<Float32Array>, profile: MadeUp, dtype: DTypeName): Tensor<Float32Array> {
  if (profile !== "large" || dtype !== "float16") return dy;
  const [, T, NH, HS] = dy.shape;
  const data = dy.data.map((x, i) => ((Math.floor(i / (NH * HS)) % T) % 4 === 1 ? x : x / 256));
  return { data, shape: dy.shape };
}
