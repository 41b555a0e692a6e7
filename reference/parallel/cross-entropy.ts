// Cross-entropy of logits that are cut by vocabulary (Shoeybi et al. 2019, section 3), mean over the targets of all ranks:
//
//   max[r] = max over ranks of max over own v of logits[r, v]
//   lse[r] = max[r] + log Σ over ranks of Σ over own v of e^(logits[r, v] − max[r])
//   loss   = Σ over data ranks of Σ over r of (lse[r] − logits[r, targets[r]]) / n,   the target's logit from its owner
//   dlogits[r, v] = dloss / n · (e^(logits[r, v] − lse[r]) − [v = targets[r]]),       own v only
//
// No rank sees another's logits: three numbers a row are sent. n counts the targets of every data rank that are not ignored;
// a mean of the ranks' means would give more weight to the targets of a rank that has few.
import { exp, log } from "../elementary.ts";
import { countTargets, IGNORE_INDEX } from "../ops/cross-entropy.ts";
import { checkShapes, type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";
import { partOf } from "./cut.ts";
import type { RankProgram, Rank } from "./lockstep.ts";

/** How many targets count, over all data ranks. targets: [R] classes below V, or IGNORE_INDEX. */
export function* countAll(rank: Rank, targets: Tensor<Ints>, V: number): RankProgram<number> {
  // A count is exact, so it travels in double.
  const own: Tensor = { data: Float64Array.of(countTargets(targets, V, IGNORE_INDEX)), shape: [] };
  return (yield* rank.data.allReduce("targets", own)).data[0];
}

/** logits: [R, own v], targets: [R] classes below V, n: of all ranks → loss: [], the mean over n, and lse: [R]. */
export function* forward<P extends Floats>(
  rank: Rank,
  logits: Tensor<P>,
  targets: Tensor<Ints>,
  V: number,
  n: number,
): RankProgram<{ loss: Tensor<P>; lse: Tensor<P> }> {
  const { R, own } = checkShapes({ logits: [logits, "R,own"], targets: [targets, "R"] });
  const { from, to } = partOf(V, rank.tensor.size, rank.tensor.index);

  const largest = zeros(logits, [R]);
  for (let r = 0; r < R; r++) {
    let max = -Infinity;
    for (let v = 0; v < own; v++) max = Math.max(max, logits.data[r * own + v]);
    largest.data[r] = max;
  }
  const max = yield* rank.tensor.allReduce("logits.max", largest, "max");

  const sums = zeros(logits, [R]);
  const ofTargets = zeros(logits, [R]);
  for (let r = 0; r < R; r++) {
    let total = 0;
    for (let v = 0; v < own; v++) total += exp(logits.data[r * own + v] - max.data[r]);
    sums.data[r] = total;
    const target = targets.data[r];
    if (target >= from && target < to) ofTargets.data[r] = logits.data[r * own + target - from];
  }
  const sum = yield* rank.tensor.allReduce("logits.sum", sums);
  const logit = yield* rank.tensor.allReduce("logits.target", ofTargets);

  const lse = zeros(logits, [R]);
  let losses = 0;
  for (let r = 0; r < R; r++) {
    const logSum = max.data[r] + log(sum.data[r]);
    lse.data[r] = logSum;
    if (targets.data[r] !== IGNORE_INDEX) losses += logSum - logit.data[r];
  }
  const ownLoss = zeros(logits, []);
  ownLoss.data[0] = losses;
  const total = yield* rank.data.allReduce("activations.loss", ownLoss);
  const loss = zeros(logits, []);
  loss.data[0] = n > 0 ? total.data[0] / n : 0;
  return { loss, lse };
}

/** dloss: [], logits: [R, own v], targets: [R], lse: [R] as saved by the forward, n: of all ranks → dlogits: [R, own v]. */
export function backward<P extends Floats>(
  rank: Rank,
  dloss: Tensor<P>,
  logits: Tensor<P>,
  targets: Tensor<Ints>,
  lse: Tensor<P>,
  V: number,
  n: number,
): { dlogits: Tensor<P> } {
  const { R, own } = checkShapes({
    dloss: [dloss, ""],
    logits: [logits, "R,own"],
    targets: [targets, "R"],
    lse: [lse, "R"],
  });
  const { from } = partOf(V, rank.tensor.size, rank.tensor.index);
  const dlogits = zeros(logits);
  for (let r = 0; r < R; r++) {
    if (targets.data[r] === IGNORE_INDEX) continue;
    for (let v = 0; v < own; v++) {
      const p = exp(logits.data[r * own + v] - lse.data[r]);
      dlogits.data[r * own + v] = (dloss.data[0] / n) * (p - (from + v === targets.data[r] ? 1 : 0));
    }
  }
  return { dlogits };
}
