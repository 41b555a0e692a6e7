// Queries and keys whose scores lie where kernels of attention fail rarely.
import { powerOfTwo } from "../reference/elementary.ts";
import { bits, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type MadeUp, PEAK, peakOf } from "./profile.ts";

/** Profiles of scores, whose values and upstream gradients are ordinary numbers. */
export const SCORES: ReadonlySet<MadeUp> = new Set(["below-zero", "below-masks", "peak"]);

/** The terms of a score far below 0. */
const FEW_TERMS = 4;

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
  if (profile === "below-zero" || profile === "below-masks") {
    // Scores of about −200 and −10⁵, to within a half: −terms · magnitude / √HS · mean of numbers from 1 to 2. Products and
    // their sums are exact, but the product with the scale is not, and may come first: then −10⁵ errs by 0.01 for each term.
    // So there are few terms, at other places for each query, and one key is ahead by far more, or two that are alike.
    const terms = profile === "below-zero" ? HS : Math.min(FEW_TERMS, HS);
    const magnitude = powerOfTwo(Math.round(Math.log2((136 * Math.sqrt(HS)) / terms)));
    const [ofQ, ofK] = profile === "below-zero" ? [magnitude, 1] : [32 * magnitude, 16];
    const every = Math.floor(HS / terms);
    q.data.forEach((_, i) => {
      const from = Math.floor(i / HS) % every;
      const place = (i % HS) - from;
      q.data[i] = place % every === 0 && place >= 0 && place < terms * every ? ofQ : 0;
    });
    const token = k.shape[2] * HS;
    const alike = (i: number): number => (terms < HS && Math.floor(i / token) % 2 === 1 ? i - token : i);
    k.data.forEach((_, i) => (k.data[i] = -ofK * (1 + (bits(seed, streamOf("k"), alike(i)) % 8) / 8)));
  }
}
