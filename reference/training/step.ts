// One step of training:  tokens → loss → gradients → their norm → clipped → AdamW.
import type { LlamaConfig } from "../config.ts";
import * as adamw from "../ops/adamw.ts";
import * as add from "../ops/add.ts";
import * as clip from "../ops/clip.ts";
import * as crossEntropy from "../ops/cross-entropy.ts";
import * as gradientNorm from "../ops/gradient-norm.ts";
import * as model from "../model/model.ts";
import type { Again } from "../model/lazily.ts";
import { recompute, save } from "../model/recompute.ts";
import type { Policy } from "../model/policies.ts";
import { type Floats, type Ints, roundScalar, type Tensor, view, zeros } from "../tensor.ts";
import { layerWeights, type Weights } from "../weights.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { meanLoss, sharesOf } from "./micro-batches.ts";
import { adamwScalars } from "./schedule.ts";

/** What a model is asked to predict: tokens and targets: [B, T]; a target of −100 does not count. */
export interface Batch {
  readonly tokens: Tensor<Ints>;
  readonly targets: Tensor<Ints>;
}

/** What training moves: the weights and AdamW's two moments, by the weights' names. */
export interface TrainingState<P extends Floats = Floats> {
  readonly weights: Weights<P>;
  readonly firstMoment: Weights<P>;
  readonly secondMoment: Weights<P>;
}

/** The state before the first step: moments of zero. */
export function initialState<P extends Floats>(weights: Weights<P>): TrainingState<P> {
  const moments = (): Map<string, Tensor<P>> => new Map([...weights].map(([name, w]) => [name, zeros(w)]));
  return { weights, firstMoment: moments(), secondMoment: moments() };
}

/** Both passes over a batch, or a part of one, with all that was computed on the way. */
export interface Pass<P extends Floats = Floats> {
  readonly activations: model.ModelActivations<P>;
  readonly loss: Tensor<P>;
  /** Of the logits: [R]. */
  readonly lse: Tensor<P>;
  readonly dloss: Tensor<P>;
  readonly gradients: model.ModelGradients<P>;
}

export interface Passes<P extends Floats = Floats> extends Pass<P> {
  /** Over the gradients of all weights: []. */
  readonly norm: Tensor<P>;
}

/** The passes over each part of a batch, and what they come to together. */
export interface PassesInParts<P extends Floats = Floats> {
  readonly parts: readonly Pass<P>[];
  /** sums[i]: the gradients of the weights from the parts 0 … i. */
  readonly sums: readonly Weights<P>[];
  /** The mean over all targets that count: []. */
  readonly loss: Tensor<P>;
  /** Over the last of the sums: []. */
  readonly norm: Tensor<P>;
}

/**
 * The loss of a batch, its gradients and their global norm. With a policy the backward reads what recomputation gives;
 * everything is returned all the same.
 */
export function differentiate<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  batch: Batch,
  policy?: Policy,
): Passes<P> {
  const pass = passOver(config, weights, batch, 1, policy);
  return { ...pass, norm: normOf(pass.gradients.weights) };
}

/** The same of a batch in parts: with the numbers of `differentiateInParts`, everything is returned. */
export function passesOverParts<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  batches: readonly Batch[],
  policy?: Policy,
): PassesInParts<P> {
  const shares = sharesOf(batches, crossEntropy.IGNORE_INDEX);
  const parts = batches.map((batch, i) => passOver(config, weights, batch, shares[i], policy));
  const sums: Weights<P>[] = [];
  for (const { gradients } of parts) {
    const before = sums.at(-1);
    sums.push(before === undefined ? gradients.weights : addGradients(before, gradients.weights));
  }
  const last = sums.at(-1);
  if (last === undefined) throw new RangeError("a batch of no parts has no gradient: expected at least one");
  const norm = normOf(last);
  const loss = zeros(norm);
  loss.data[0] = meanLoss(
    shares,
    parts.map((part) => part.loss.data[0]),
  );
  return { parts, sums, loss, norm };
}

function passOver<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  batch: Batch,
  share: number,
  policy: Policy | undefined,
): Pass<P> {
  const activations = model.forward(config, weights, batch.tokens);
  const { loss, lse, dloss, dlogits } = lossAndGradient(activations.logits, batch, share);
  const read = policy === undefined ? activations : recomputed(config, weights, activations, policy);
  return { activations, loss, lse, dloss, gradients: model.backward(config, weights, read, dlogits) };
}

/** What a step needs of the passes over a batch. */
export interface Derivative<P extends Floats = Floats> {
  readonly loss: number;
  readonly gradients: Map<string, Tensor<P>>;
  /** Over the gradients of all weights: []. */
  readonly norm: Tensor<P>;
}

/**
 * The same of a batch in parts, of each of which only that is held which a policy saves. The loss is the mean over all
 * targets that count. `again` is told what block i of a part computes again.
 */
export function differentiateInParts<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  parts: readonly Batch[],
  policy: Policy,
  again?: (i: number) => Again<Tensor<P>>,
): Derivative<P> {
  const shares = sharesOf(parts, crossEntropy.IGNORE_INDEX);
  const losses: number[] = [];
  let gradients: Map<string, Tensor<P>> | undefined;
  for (const [i, part] of parts.entries()) {
    const activations = model.forwardSaving(config, weights, part.tokens, policy);
    const { loss, dlogits } = lossAndGradient(activations.logits, part, shares[i]);
    const passed = model.backwardRecomputing(config, weights, activations, dlogits, again);
    losses.push(loss.data[0]);
    gradients = gradients === undefined ? passed.weights : addGradients(gradients, passed.weights);
  }
  if (gradients === undefined) throw new RangeError("a batch of no parts has no gradient: expected at least one");
  const norm = normOf(gradients);
  return { loss: roundScalar(meanLoss(shares, losses), norm), gradients, norm };
}

/** Gradients of two parts; each partial sum is stored. */
export function addGradients<P extends Floats>(sum: Weights<P>, more: Weights<P>): Map<string, Tensor<P>> {
  return new Map([...sum].map(([name, dw]) => [name, add.forward(dw, more.get(name)!).y]));
}

/** The loss, a mean over a batch, and the gradient of `share` times it at the logits. */
function lossAndGradient<P extends Floats>(logits: Tensor<P>, batch: Batch, share: number) {
  const targets = view(batch.targets, [batch.targets.data.length]);
  const { loss, lse } = crossEntropy.forward(logits, targets);
  const dloss = zeros(loss);
  dloss.data[0] = share;
  return { loss, lse, dloss, ...crossEntropy.backward(dloss, logits, targets, lse) };
}

/** The same activations, of each block what the policy does not save computed again when it is read. */
function recomputed<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  a: model.ModelActivations<P>,
  policy: Policy,
): model.ModelActivations<P> {
  const layers = a.layers.map((layer, i) => recompute(config, layerWeights(weights, i), a.table, save(policy, layer)));
  return { ...a, layers };
}

function normOf<P extends Floats>(gradients: Weights<P>): Tensor<P> {
  const [first, ...others] = gradients.values();
  return gradientNorm.forward(first, ...others).norm;
}

/** The mean loss of a batch alone: []. */
export function lossOf<P extends Floats>(config: LlamaConfig, weights: Weights<P>, batch: Batch): Tensor<P> {
  const { logits } = model.forward(config, weights, batch.tokens);
  return crossEntropy.forward(logits, view(batch.targets, [batch.targets.data.length])).loss;
}

/** Clipping and AdamW at step t ≥ 1: the clipped gradients and the next state. */
export function update<P extends Floats>(
  h: Hyperparameters,
  t: number,
  state: TrainingState<P>,
  gradients: Weights<P>,
  norm: Tensor<P>,
): { clipped: Map<string, Tensor<P>>; state: TrainingState<P> } {
  const clipped = new Map<string, Tensor<P>>();
  const weights = new Map<string, Tensor<P>>();
  const firstMoment = new Map<string, Tensor<P>>();
  const secondMoment = new Map<string, Tensor<P>>();
  for (const [name, w] of state.weights) {
    const { g } = clip.forward(gradients.get(name)!, norm, roundScalar(h.maxGradientNorm, norm));
    const m = state.firstMoment.get(name)!;
    const v = state.secondMoment.get(name)!;
    const next = adamw.forward(w, g, m, v, adamwScalars(h, t, w));
    clipped.set(name, g);
    weights.set(name, next.w);
    firstMoment.set(name, next.m);
    secondMoment.set(name, next.v);
  }
  return { clipped, state: { weights, firstMoment, secondMoment } };
}

/** Step t ≥ 1 of a run: the loss and the gradient norm before clipping, and the next state. */
export function step<P extends Floats>(
  config: LlamaConfig,
  h: Hyperparameters,
  t: number,
  state: TrainingState<P>,
  batch: Batch,
): { loss: number; gradientNorm: number; state: TrainingState<P> } {
  const { loss, gradients, norm } = differentiate(config, state.weights, batch);
  const next = update(h, t, state, gradients.weights, norm);
  return { loss: loss.data[0], gradientNorm: norm.data[0], state: next.state };
}
