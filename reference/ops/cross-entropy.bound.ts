// How far a correct cross-entropy may land. The rows list the forms that are covered; dloss, 1 / n and p may be in any
// association.
// Not covered: the logarithm of p, which underflows.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { quotient } from "../domains.ts";
import { dtypes } from "../dtype.ts";
import type { Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Ints, type Tensor } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as crossEntropy from "./cross-entropy.ts";
import { RowSoftmax, uncoveredRows } from "./softmax.row.bound.ts";

const { u: NEAREST } = dtypes.float32;

export const forward = defineOp({
  name: "cross-entropy.forward",
  summary: "lse = log Σ e^logits,  loss = mean of lse − logits[targets] over the targets that are not ignored",
  inputs: { logits: "R,V", targets: "R" },
  integers: ["targets"],
  scalars: { ignoreIndex: "integer" },
  outputs: { loss: "", lse: "R" },
  stores: none("a loss of low precision says nothing of the next step"),
  sums: { exponentials: { of: "e^(logit − maximum)", over: ["V"] }, loss: { of: "the rows' losses", over: ["R"] } },
  covered: {
    "maximum-first": "the maximum of a row first",
    "running-maximum": "a running maximum, the sum rescaled when it rises",
    "running-in-blocks":
      "a running maximum, the sum rescaled at every block of 16 logits or more, whether it rises or not",
    "running-in-lanes":
      "a running maximum in each of several lanes, up to 1,024, which are merged in a tree, at most ten merges deep where e⁰ is not promised to be 1",
    "base-e": "e^x",
    "base-2": "2^(x · log2 e)",
    "base-2-fused":
      "2^(x · log2 e − m · log2 e), fused or not; a sum is rescaled by the difference of two maxima, not of a product and a fused one",
    "lse-in-base-2": "lse as (m · log2 e + log2 Σ) · ln 2",
    log: "log by its own function",
    log2: "log as log2 · ln 2",
    "row-loss-from-lse": "a row's loss as lse − logit",
    "row-loss-from-sum": "a row's loss as log Σ − (logit − maximum)",
    "sum-over-n": "the mean as a sum divided by n",
    "sum-of-parts": "the mean as a sum of n-th parts",
    "sum-by-reciprocal": "the mean as a sum times 1 / n",
  },
  uncovered: {
    ...uncoveredRows,
    "the logarithm of p": "p underflows where the loss is large, and is rounded where it is near 1",
  },
  exact: none("exponentials and a logarithm"),
  wide: ["loss", "lse"],
  evaluate: ({ logits, targets }, { ignoreIndex }) => crossEntropy.forward(logits, targets, ignoreIndex),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "cross-entropy.backward",
  summary: "dlogits = dloss / n · (e^(logits − lse) − [v = target]), 0 where the target is ignored",
  inputs: { dloss: "", logits: "R,V", targets: "R", lse: "R" },
  integers: ["targets"],
  scalars: { ignoreIndex: "integer" },
  outputs: { dlogits: "R,V" },
  stores: none("the weights are used where they are computed"),
  sums: { exponentials: { of: "e^(logit − maximum)", over: ["V"] } },
  covered: {
    "p-from-saved-lse": "p as e^(logit − lse), lse as saved",
    "p-from-saved-lse-base-2": "the same by 2^x",
    "p-from-saved-lse-fused": "2^(logit · log2 e − lse · log2 e), fused or not",
    "p-from-lse-anew": "p from an lse computed anew",
    "p-as-quotient": "p as e^(logit − maximum) / Σ",
    "p-by-reciprocal": "p as 2^(logit − maximum) times 1 / Σ",
    "dloss-over-n-first": "dloss / n first, the one subtracted from p",
    "reciprocal-of-n-last": "times 1 / n at the end",
    "p-over-n-first": "p / n − 1 / n, then dloss",
    "dloss-subtracted": "(p · dloss − dloss) / n",
  },
  uncovered: uncoveredRows,
  exact: none("exponentials"),
  wide: ["dloss", "lse"],
  evaluate: ({ dloss, logits, targets, lse }, { ignoreIndex }) =>
    crossEntropy.backward(dloss, logits, targets, lse, ignoreIndex),
  bound: backwardBound,
});

/** logits: [R, V], targets: [R] → allowances for loss and lse. */
function forwardBound(
  { logits, targets }: { readonly logits: Tensor; readonly targets: Tensor<Ints> },
  { ignoreIndex }: { readonly ignoreIndex: number },
  target: Target,
  errors: Errors<"logits"> = {},
): Allowances<"loss" | "lse"> {
  const { R, V } = checkShapes({ logits: [logits, "R,V"], targets: [targets, "R"] });
  const n = crossEntropy.countTargets(targets, V, ignoreIndex);
  const softmax = new RowSoftmax(target, logits, V, errors.logits);
  const { a } = softmax;
  const logitAt = reader(logits, errors.logits);
  const lse = allowances([R]);
  const sum = a.sum(n, "loss");
  const sumOfParts = a.sum(n, "loss");
  for (let r = 0; r < R; r++) {
    softmax.read(r);
    lse.data[r] = softmax.lse.error;
    if (targets.data[r] === ignoreIndex) continue;
    const logit = logitAt(r * V + targets.data[r]);
    const fromLse = a.subtract(softmax.lse, logit);
    const rowLoss = a.either(fromLse, a.subtract(softmax.logSum, softmax.fromMax(logit)));
    const part = quotient(a, a.exact(n), rowLoss);
    sum.add(rowLoss.value, rowLoss.error);
    sumOfParts.add(part.value, part.error);
  }
  const loss = allowances([]);
  loss.data[0] = n > 0 ? a.either(quotient(a, a.exact(n), sum.total()), sumOfParts.total()).error : 0;
  return { loss, lse };
}

/**
 * dloss: [], logits: [R, V], targets: [R], lse: [R] → an allowance for each element of dlogits; 0 in an ignored row. `count`: how many
 * rows count, where those given are a part of them.
 */
export function backwardBound(
  { dloss, logits, lse, targets }: Reals<"dloss" | "logits" | "lse"> & { readonly targets: Tensor<Ints> },
  { ignoreIndex }: { readonly ignoreIndex: number },
  target: Target,
  errors: Errors<"dloss" | "logits" | "lse"> = {},
  count?: number,
): Allowances<"dlogits"> {
  const { R, V } = checkShapes({
    dloss: [dloss, ""],
    logits: [logits, "R,V"],
    targets: [targets, "R"],
    lse: [lse, "R"],
  });
  const n = count ?? crossEntropy.countTargets(targets, V, ignoreIndex);
  const softmax = new RowSoftmax(target, logits, V, errors.logits);
  const { a } = softmax;
  const upstream = reader(dloss, errors.dloss)(0);
  const savedAt = reader(lse, errors.lse);
  const dlogits = allowances(logits.shape);
  const quotientShare = shareOfQuotient(a, n);
  for (let r = 0; r < R; r++) {
    if (targets.data[r] === ignoreIndex) continue;
    softmax.read(r);
    const saved = savedAt(r);
    for (let v = 0; v < V; v++) {
      let factor = softmax.probability(r * V + v, saved);
      let lost = 0;
      if (v === targets.data[r]) {
        // p · dloss − dloss: a subnormal product may be zero, or a subnormal dloss in one of the two places alone.
        lost = (flushedOf(a, factor, upstream) / n) * (1 + quotientShare) * (1 + a.u);
        // p / n − 1 / n: each quotient has an error of its own, and their common part cancels.
        const scaled = a.rounded(factor.value, factor.error + quotientShare * (factor.value + factor.error));
        factor = a.subtract(scaled, { value: 1, error: quotientShare });
      }
      dlogits.data[r * V + v] = quotient(a, a.exact(n), upstream, factor).error + lost;
    }
  }
  return { dlogits };
}

/** How much of a weight times the incoming gradient is lost where a target flushes it to zero. */
function flushedOf(a: Arithmetic, weight: Approx, upstream: Approx): number {
  const { minNormal } = a.format;
  const most = (weight.value + weight.error) * (Math.abs(upstream.value) + upstream.error);
  const least = (weight.value - weight.error) * (Math.abs(upstream.value) - upstream.error) * (1 - a.u);
  return a.target.flushes && !(least >= minNormal) ? Math.min(most, minNormal) : 0;
}

/** The relative error of a quotient by n. n is exact: more rows than float32 can count do not fit a device. */
function shareOfQuotient(a: Arithmetic, n: number): number {
  return a.accuracy("divide", a.exact(n), 1) * (1 + NEAREST);
}
