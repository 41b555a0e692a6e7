// A step on a batch in parts (micro-batches.ts), and with recomputation (model/recompute.ts): the numbers of step.ts, with
// fewer of them held at once.
import * as add from "../ops/add.ts";
import { IGNORE_INDEX } from "../ops/cross-entropy.ts";
import type { LlamaConfig } from "../config.ts";
import type { Again } from "../model/lazily.ts";
import * as model from "../model/model.ts";
import type { Policy } from "../model/policies.ts";
import { backwardRecomputing, forwardSaving, recomputed } from "../model/recompute.ts";
import { type Floats, roundScalar, type Tensor, zeros } from "../tensor.ts";
import { toTheEnd, type Turns } from "../turns.ts";
import type { Weights } from "../weights.ts";
import { meanLoss, targetShares } from "./micro-batches.ts";
import { type Batch, lossAndGradient, normOf, type Pass } from "./step.ts";

/** The results of the passes over a batch that a step needs. */
export interface Derivative<P extends Floats = Floats> {
  readonly loss: number;
  readonly gradients: Map<string, Tensor<P>>;
  /** Over the gradients of all weights: []. */
  readonly norm: Tensor<P>;
}

/**
 * The loss of a batch in parts, the mean over all targets that count; its gradients and their norm. Each part holds only the
 * tensors that the policy saves. `again` is called with those that block i of a part recomputes. Throws RangeError for no parts.
 */
export function differentiateInParts<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  parts: readonly Batch[],
  policy: Policy,
  again?: (i: number) => Again<Tensor<P>>,
): Derivative<P> {
  return toTheEnd(differentiateInTurns(config, weights, parts, policy, again));
}

/** The same in turns: it yields after each block. */
export function* differentiateInTurns<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  parts: readonly Batch[],
  policy: Policy,
  again?: (i: number) => Again<Tensor<P>>,
): Turns<Derivative<P>> {
  const shares = targetShares(parts, IGNORE_INDEX);
  const losses: number[] = [];
  let gradients: Map<string, Tensor<P>> | undefined;
  for (const [i, part] of parts.entries()) {
    const activations = yield* forwardSaving(config, weights, part.tokens, policy);
    const { loss, dlogits } = lossAndGradient(activations.logits, part, shares[i]);
    yield;
    const ofPart = yield* backwardRecomputing(config, weights, activations, dlogits, again);
    losses.push(loss.data[0]);
    gradients = gradients === undefined ? ofPart : addGradients(gradients, ofPart);
  }
  if (gradients === undefined) throw new RangeError("a batch of no parts has no gradient: expected at least one");
  const norm = normOf(gradients);
  return { loss: roundScalar(meanLoss(shares, losses), norm), gradients, norm };
}

/** The passes over each part of a batch, and their joint results. */
export interface PassesInParts<P extends Floats = Floats> {
  readonly parts: readonly Pass<P>[];
  /** sums[i]: the gradients of the weights from the parts 0 … i. */
  readonly sums: readonly Weights<P>[];
  /** The mean over all targets that count: []. */
  readonly loss: Tensor<P>;
  /** Over the last of the sums: []. */
  readonly norm: Tensor<P>;
}

/** The same numbers with all intermediate results, for a record: the backward reads recomputed tensors. */
export function passesOverParts<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  batches: readonly Batch[],
  policy: Policy,
): PassesInParts<P> {
  const shares = targetShares(batches, IGNORE_INDEX);
  const parts = batches.map((batch, i): Pass<P> => {
    const activations = model.forward(config, weights, batch.tokens);
    const { dlogits, ...ofLoss } = lossAndGradient(activations.logits, batch, shares[i]);
    const read = recomputed(config, weights, activations, policy);
    return { activations, ...ofLoss, gradients: model.backward(config, weights, read, dlogits) };
  });
  const sums: Weights<P>[] = [];
  for (const { gradients } of parts) {
    const before = sums.at(-1);
    sums.push(before === undefined ? gradients.weights : addGradients(before, gradients.weights));
  }
  const last = sums.at(-1);
  if (last === undefined) throw new RangeError("a batch of no parts has no gradient: expected at least one");
  const norm = normOf(last);
  const losses = parts.map((part) => part.loss.data[0]);
  const loss = zeros(norm);
  loss.data[0] = meanLoss(shares, losses);
  return { parts, sums, loss, norm };
}

/** Gradients of two parts; each partial sum is stored. */
export function addGradients<P extends Floats>(sum: Weights<P>, more: Weights<P>): Map<string, Tensor<P>> {
  return new Map([...sum].map(([name, dw]) => [name, add.forward(dw, more.get(name)!).y]));
}
