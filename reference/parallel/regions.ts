// A pass alternates between two kinds of region: products, which a tensor rank computes for its heads or columns and for every
// row; and norms with residuals, which each computes in full, or with sequence parallelism for its T / tensor positions.
//
//                 into the products           out of them, where each rank holds a term of the sum
//   tensor        every rank has it: as is    all-reduce         (Shoeybi et al. 2019, f and g)
//   + sequence    all-gather along T          reduce-scatter     (Korthikanti et al. 2022, g and ḡ)
//
// The backward of either is the other: gradients leave where the forward entered, and enter where it left.
import type { Floats, Tensor } from "../tensor.ts";
import { view } from "../tensor.ts";
import type { RankProgram, Rank } from "./lockstep.ts";

/** x: [R, C], or [R / tensor, C] with sequence parallelism → [R, C], all rows of the T-token sequences. */
export function* enter<P extends Floats>(rank: Rank, what: string, x: Tensor<P>, T: number): RankProgram<Tensor<P>> {
  if (!rank.layout.sequence) return x;
  return asRows(yield* rank.tensor.allGather(what, asSequences(x, T / rank.tensor.size), 1));
}

/** term: [R, C], one of each rank → their sum: [R, C], or this rank's rows of it, [R / tensor, C]. */
export function* leave<P extends Floats>(rank: Rank, what: string, term: Tensor<P>, T: number): RankProgram<Tensor<P>> {
  if (!rank.layout.sequence) return yield* rank.tensor.allReduce(what, term);
  return asRows(yield* rank.tensor.reduceScatter(what, asSequences(term, T), 1));
}

/** [R, C] → [B, T, C], the same numbers. */
function asSequences<P extends Floats>(t: Tensor<P>, T: number): Tensor<P> {
  const [R, C] = t.shape;
  return view(t, [R / T, T, C]);
}

/** [B, T, C] → [R, C], the same numbers. */
function asRows<P extends Floats>(t: Tensor<P>): Tensor<P> {
  const [B, T, C] = t.shape;
  return view(t, [B * T, C]);
}
