// Cross-entropy, mean over the n targets that are not ignored:
//
//   lse[r] = log Σ over v of e^logits[r, v],   loss = (Σ over r of lse[r] − logits[r, targets[r]]) / n
//   dlogits[r, v] = dloss / n · (e^(logits[r, v] − lse[r]) − [v = targets[r]]),   0 in an ignored row
//
// With every target ignored, n = 0: the loss is 0 and so is every gradient.
import { exp, log } from "../elementary.ts";
import { checkShapes, type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";

/** PyTorch's mark of a target that does not count. */
export const IGNORE_INDEX = -100;

/** logits: [R, V], targets: [R] → loss: [], lse: [R]. Throws RangeError for a target outside [0, V) that is not ignored. */
export function forward<P extends Floats>(
  logits: Tensor<P>,
  targets: Tensor<Ints>,
  ignoreIndex: number = IGNORE_INDEX,
): { loss: Tensor<P>; lse: Tensor<P> } {
  const { R, V } = checkShapes({ logits: [logits, "R,V"], targets: [targets, "R"] });
  const n = countTargets(targets, V, ignoreIndex);
  const lse = zeros(logits, [R]);
  let sum = 0;
  for (let r = 0; r < R; r++) {
    let max = -Infinity;
    for (let v = 0; v < V; v++) max = Math.max(max, logits.data[r * V + v]);
    let total = 0;
    for (let v = 0; v < V; v++) total += exp(logits.data[r * V + v] - max);
    const logSum = max + log(total);
    lse.data[r] = logSum;
    if (targets.data[r] !== ignoreIndex) sum += logSum - logits.data[r * V + targets.data[r]];
  }
  const loss = zeros(logits, []);
  loss.data[0] = n > 0 ? sum / n : 0;
  return { loss, lse };
}

/** dloss: [], logits: [R, V], targets: [R], lse: [R] as saved by the forward → dlogits: [R, V]. */
export function backward<P extends Floats>(
  dloss: Tensor<P>,
  logits: Tensor<P>,
  targets: Tensor<Ints>,
  lse: Tensor<P>,
  ignoreIndex: number = IGNORE_INDEX,
): { dlogits: Tensor<P> } {
  const { R, V } = checkShapes({
    dloss: [dloss, ""],
    logits: [logits, "R,V"],
    targets: [targets, "R"],
    lse: [lse, "R"],
  });
  const n = countTargets(targets, V, ignoreIndex);
  const dlogits = zeros(logits);
  for (let r = 0; r < R; r++) {
    if (targets.data[r] === ignoreIndex) continue;
    for (let v = 0; v < V; v++) {
      const p = exp(logits.data[r * V + v] - lse.data[r]);
      dlogits.data[r * V + v] = (dloss.data[0] / n) * (p - (v === targets.data[r] ? 1 : 0));
    }
  }
  return { dlogits };
}

/** How many targets count. Throws RangeError for one that is neither a class nor ignored. */
export function countTargets(targets: Tensor<Ints>, V: number, ignoreIndex: number): number {
  let n = 0;
  for (let r = 0; r < targets.data.length; r++) {
    const target = targets.data[r];
    if (target === ignoreIndex) continue;
    if (!(target >= 0 && target < V)) {
      throw new RangeError(`targets[${r}] is ${target}, expected a class in [0, ${V}) or ${ignoreIndex}`);
    }
    n++;
  }
  return n;
}
