// One step of training:  tokens → loss → gradients → their norm → clipped → AdamW.
import type { LlamaConfig } from "../config.ts";
import * as adamw from "../ops/adamw.ts";
import * as clip from "../ops/clip.ts";
import * as crossEntropy from "../ops/cross-entropy.ts";
import * as gradientNorm from "../ops/gradient-norm.ts";
import * as model from "../model/model.ts";
import { type Floats, type Ints, roundScalar, type Tensor, view, zeros } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { adamwScalars } from "./schedule.ts";

/** Tokens and the targets to predict, [B, T] each; a target of −100 does not count. */
export interface Batch {
  readonly tokens: Tensor<Ints>;
  readonly targets: Tensor<Ints>;
}

/** The state that a step of training changes: the weights and AdamW's two moments, by the weights' names. */
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

/** Both passes over a batch, with all intermediate results. */
export interface Pass<P extends Floats = Floats> {
  readonly activations: model.ModelActivations<P>;
  readonly loss: Tensor<P>;
  /** Of the logits: [R]. */
  readonly lse: Tensor<P>;
  readonly dloss: Tensor<P>;
  readonly gradients: model.ModelGradients<P>;
}

/**
 * Both passes over a whole batch, with the global norm of its gradients.
 *
 * @example
 * ```ts
 * import { reference, tensor } from "touchstone-llama";
 *
 * const config = { ...reference.presets.tiny, nLayers: 1 };
 * const tokens = tensor(Int32Array.of(1, 2), [1, 2]);
 * const weights = reference.initialWeights(config, 1, Float32Array);
 * const passes: reference.training.Passes<Float32Array> = reference.training.differentiate(config, weights, {
 *   tokens,
 *   targets: tokens,
 * });
 * ```
 */
export interface Passes<P extends Floats = Floats> extends Pass<P> {
  /** Over the gradients of all weights: []. */
  readonly norm: Tensor<P>;
}

/** The loss of a batch, its gradients and their global norm. */
export function differentiate<P extends Floats>(config: LlamaConfig, weights: Weights<P>, batch: Batch): Passes<P> {
  const activations = model.forward(config, weights, batch.tokens);
  const { dlogits, ...ofLoss } = lossAndGradient(activations.logits, batch, 1);
  const gradients = model.backward(config, weights, activations, dlogits);
  return { activations, ...ofLoss, gradients, norm: normOf(gradients.weights) };
}

/** The loss, a mean over the targets of a batch that count; dloss: the gradient at it → that at the logits. */
export function lossAndGradient<P extends Floats>(logits: Tensor<P>, batch: Batch, dloss: number) {
  const targets = view(batch.targets, [batch.targets.data.length]);
  const { loss, lse } = crossEntropy.forward(logits, targets);
  const given = zeros(loss);
  given.data[0] = dloss;
  return { loss, lse, dloss: given, ...crossEntropy.backward(given, logits, targets, lse) };
}

/** The global norm of gradients by the weights' names: []. */
export function normOf<P extends Floats>(gradients: Weights<P>): Tensor<P> {
  return gradientNorm.forwardOf([...gradients.values()]).norm;
}

/** The mean loss of a batch, without a backward: []. */
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
