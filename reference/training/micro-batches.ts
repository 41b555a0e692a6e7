// A batch in parts that are small enough to hold: the parts' gradients are summed before the step. The loss is the mean
// over all N targets that count, not the mean of the parts' means, since parts may have different numbers of them:
//
//   loss = Σ over i of (nᵢ / N) · lossᵢ,   so the gradient at lossᵢ, itself a mean over nᵢ targets, is nᵢ / N
import { sizeOf, tensor } from "../tensor.ts";
import type { Batch } from "./step.ts";

/** Consecutive sequences, in `count` batches. Throws RangeError unless count divides their number. */
export function splitBatch({ tokens, targets }: Batch, count: number): Batch[] {
  const [B, T] = tokens.shape;
  if (!(Number.isSafeInteger(count) && count > 0 && B % count === 0)) {
    throw new RangeError(`a batch of ${B} sequences cannot be split into ${count} micro-batches: expected a divisor`);
  }
  const shape = [B / count, T];
  const length = sizeOf(shape);
  return Array.from({ length: count }, (_, i) => ({
    tokens: tensor(tokens.data.subarray(i * length, (i + 1) * length), shape),
    targets: tensor(targets.data.subarray(i * length, (i + 1) * length), shape),
  }));
}

/** nᵢ / N of each part; 1 if no target counts at all, when every loss and gradient is 0. */
export function targetShares(parts: readonly Batch[], ignoreIndex: number): number[] {
  const counts = parts.map(({ targets }) => targets.data.filter((target) => target !== ignoreIndex).length);
  const N = counts.reduce((sum, n) => sum + n, 0);
  return counts.map((n) => (N > 0 ? n / N : 1));
}

/** Σ shares[i] · losses[i]. */
export function meanLoss(shares: readonly number[], losses: readonly number[]): number {
  return losses.reduce((sum, loss, i) => sum + shares[i] * loss, 0);
}
