// How the data ranks share state (Rajbhandari et al. 2020, section 5). Each computes the gradients of its own sequences; the
// step needs their sum over the ranks, and moves every weight once.
//
//   stage   cut over the ranks   gradients                                  weights                           sent per rank
//   0       nothing              all-reduce after the backward              —                                 2Ψ
//   1       moments              reduce-scatter after the backward          all-gather after AdamW            2Ψ
//   2       + gradients          reduce-scatter as soon as each is made     all-gather after AdamW            2Ψ
//   3       + weights            reduce-scatter as soon as each is made     all-gather before each use,       3Ψ
//                                                                           forward and backward
//
// with Ψ the bytes of a rank's weights, times (data − 1) / data. In stage 3 the embedding's table is not used in the backward.
import type { Floats, Tensor } from "../tensor.ts";
import { type LayerWeights, layerWeights, type Weights } from "../weights.ts";
import { cut } from "./cut.ts";
import type { RankProgram, Rank } from "./lockstep.ts";
import { isCutByData, isReplicated } from "./shards.ts";

/** A weight as the products need it: this tensor rank's part, all of it. */
export function* wholeWeight<P extends Floats>(rank: Rank, weights: Weights<P>, name: string): RankProgram<Tensor<P>> {
  const w = weights.get(name)!;
  return isCutByData(rank.layout, "weights") ? yield* rank.data.allGather(`weights.${name}`, w, 0) : w;
}

/** The weights of layer i, for one pass through it. */
export function* wholeLayer<P extends Floats>(
  rank: Rank,
  weights: Weights<P>,
  i: number,
): RankProgram<LayerWeights<P>> {
  const ofLayer = new Map<string, Tensor<P>>();
  for (const name of weights.keys()) {
    if (name.startsWith(`layers.${i}.`)) ofLayer.set(name, yield* wholeWeight(rank, weights, name));
  }
  return layerWeights(ofLayer, i);
}

/** A gradient as soon as the backward has made it: stages 2 and 3 keep no more than this rank's part of the sum. */
export function* whenMade<P extends Floats>(rank: Rank, name: string, dw: Tensor<P>): RankProgram<Tensor<P>> {
  return rank.layout.zero >= 2 ? yield* summed(rank, name, dw) : dw;
}

/** The gradients after the backward: stages 0 and 1 sum theirs now. */
export function* afterBackward<P extends Floats>(rank: Rank, made: Weights<P>): RankProgram<Map<string, Tensor<P>>> {
  const gradients = new Map<string, Tensor<P>>();
  for (const [name, dw] of made) gradients.set(name, rank.layout.zero >= 2 ? dw : yield* summed(rank, name, dw));
  return gradients;
}

/**
 * The sum over every rank that has seen other rows: those of other sequences, and with sequence parallelism, for the gains
 * of the norms, those of other positions.
 */
function* summed<P extends Floats>(rank: Rank, name: string, dw: Tensor<P>): RankProgram<Tensor<P>> {
  const what = `gradients.${name}`;
  const overPositions = rank.layout.sequence && isReplicated(name) ? yield* rank.tensor.allReduce(what, dw) : dw;
  return isCutByData(rank.layout, "gradients")
    ? yield* rank.data.reduceScatter(what, overPositions, 0)
    : yield* rank.data.allReduce(what, overPositions);
}

/** The part of the weights that this rank moves. */
export function ownWeights<P extends Floats>(rank: Rank, weights: Weights<P>): Weights<P> {
  if (isCutByData(rank.layout, "weights") || !isCutByData(rank.layout, "firstMoment")) return weights;
  return new Map([...weights].map(([name, w]) => [name, cut(w, 0, rank.data.size, rank.data.index)]));
}

/** The moved weights as the rank holds them between steps: with stages 1 and 2 it gets the parts that others moved. */
export function* heldWeights<P extends Floats>(rank: Rank, own: Weights<P>): RankProgram<Weights<P>> {
  if (isCutByData(rank.layout, "weights") || !isCutByData(rank.layout, "firstMoment")) return own;
  const held = new Map<string, Tensor<P>>();
  for (const [name, w] of own) held.set(name, yield* rank.data.allGather(`weights.${name}`, w, 0));
  return held;
}
