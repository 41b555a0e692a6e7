// The global gradient norm of cut gradients, as the norm of the ranks' norms:
//
//   norm = √(Σ over ranks of ‖own‖²),   own: every element that the rank holds and that counts
//
// Each element of each gradient counts once, even if several ranks hold it: with ZeRO stage 0 the data ranks hold the same
// gradients, so one model's tensor ranks are enough; of replicas in a tensor group only the first rank's count.
import * as gradientNorm from "../ops/gradient-norm.ts";
import { type Floats, type Tensor, view } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import type { RankProgram, Rank } from "./lockstep.ts";
import { isCutByData } from "./shards.ts";

/** The summed gradients that a rank holds → norm: [], the same on every rank. */
export function* forward<P extends Floats>(rank: Rank, gradients: Weights<P>): RankProgram<{ norm: Tensor<P> }> {
  const own = [...gradients].filter(([name]) => rank.counts(name)).map(([, g]) => g);
  const { norm } = gradientNorm.forwardOf(own);
  const group = isCutByData(rank.layout, "gradients") ? rank.world : rank.tensor;
  const norms = yield* group.allGather("gradientNorm", view(norm, [1]), 0);
  return gradientNorm.forward(norms);
}
