// The embedding, its table cut by vocabulary (Shoeybi et al. 2019, section 3): the rank that owns a token gives its row, the
// others give zeros, and the sum over the ranks is the row. Backward, each rank collects the gradients of its rows.
//
// A token of another rank maps to row n of a table whose n own rows are followed by one of zeros.
import * as embedding from "../ops/embedding.ts";
import { type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";
import { join, partOf, slice } from "./cut.ts";
import type { Rank } from "./lockstep.ts";

/** tokens: [R] ids below V, w: this rank's rows of the table → its term of y: [R, C]. Throws RangeError as the op does. */
export function forward<P extends Floats>(rank: Rank, tokens: Tensor<Ints>, w: Tensor<P>, V: number): { y: Tensor<P> } {
  const ofOthers = zeros(w, [1, w.shape[1]]);
  return embedding.forward(ownTokens(rank, tokens, V), join([w, ofOthers], 0));
}

/** dy: [R, C], tokens: [R], V rows in the whole table → the gradient of this rank's rows. */
export function backward<P extends Floats>(
  rank: Rank,
  dy: Tensor<P>,
  tokens: Tensor<Ints>,
  V: number,
): { dw: Tensor<P> } {
  const { from, to } = partOf(V, rank.tensor.size, rank.tensor.index);
  const { dw } = embedding.backward(dy, ownTokens(rank, tokens, V), to - from + 1);
  return { dw: slice(dw, 0, 0, to - from) };
}

function ownTokens(rank: Rank, tokens: Tensor<Ints>, V: number): Tensor<Ints> {
  const { from, to } = partOf(V, rank.tensor.size, rank.tensor.index);
  const data = tokens.data.map((token, r) => {
    if (!(token >= 0 && token < V)) throw new RangeError(`tokens[${r}] is ${token}, expected an id in [0, ${V})`);
    return token >= from && token < to ? token - from : to - from;
  });
  return { data, shape: tokens.shape };
}
