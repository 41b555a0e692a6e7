// The loss that counting pairs of bytes achieves: a trained model must fall below it.
//
//   p(b | a) = (count(a, b) + 1) / (count(a) + 256)          counts of the training part, one added (Laplace)
//   entropy  = −mean over the held-out pairs of ln p         in nats a byte
import { log } from "../elementary.ts";

const BYTES = 256;

/** The entropy of the bytes of `heldOut`, each given the one before. Throws RangeError for fewer than two bytes. */
export function bigramEntropy(training: Uint8Array, heldOut: Uint8Array): number {
  if (!(heldOut.length >= 2)) throw new RangeError(`${heldOut.length} held-out bytes hold no pair`);
  const pairs = new Float64Array(BYTES * BYTES);
  const firsts = new Float64Array(BYTES);
  for (let i = 0; i + 1 < training.length; i++) {
    pairs[training[i] * BYTES + training[i + 1]] += 1;
    firsts[training[i]] += 1;
  }
  let sum = 0;
  for (let i = 0; i + 1 < heldOut.length; i++) {
    const count = pairs[heldOut[i] * BYTES + heldOut[i + 1]];
    sum -= log((count + 1) / (firsts[heldOut[i]] + BYTES));
  }
  return sum / (heldOut.length - 1);
}
