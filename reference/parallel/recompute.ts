// Recomputation on a rank: model/recompute.ts on its own heads, columns and rows. A tensor that a policy does not save is
// computed again when the backward first reads it, which repeats its collectives too. No policy keeps the gathered inputs of
// the products: they are gathered once for the whole backward of a block.
import type { LlamaConfig } from "../config.ts";
import { type BlockActivations, heads, LAYOUT, type RopeTable, rows } from "../model/block.ts";
import { type Lines, namedBy, type Saved } from "../model/lazily.ts";
import * as add from "../ops/add.ts";
import * as attention from "../ops/attention.ts";
import * as linear from "../ops/linear.ts";
import * as rmsnorm from "../ops/rmsnorm.ts";
import * as rope from "../ops/rope.ts";
import * as swiglu from "../ops/swiglu.ts";
import type { TensorName } from "../model/block-table.ts";
import { type Floats, roundScalar, type Tensor } from "../tensor.ts";
import type { LayerWeights } from "../weights.ts";
import type { RankProgram, Rank } from "./lockstep.ts";
import { enter, leave } from "./regions.ts";

/** A block's forward as its backward reads it. */
export interface Restored<P extends Floats> {
  /** A tensor that was saved, or else computed again, at most once. */
  read(name: TensorName): RankProgram<Tensor<P>>;
  /** The output of a norm as the products take it, all rows. */
  entered(norm: "attentionNorm" | "ffnNorm"): RankProgram<Tensor<P>>;
  /** The tensors that have been computed again so far. */
  readonly again: ReadonlyMap<TensorName, Tensor<P>>;
}

/** at: such as "layers.0"; saved: the tensors of the block that this rank kept. */
export function restoredOf<P extends Floats>(
  rank: Rank,
  config: LlamaConfig,
  at: string,
  w: LayerWeights<P>,
  table: RopeTable<P>,
  saved: Saved<Tensor<P>>,
): Restored<P> {
  const { cos, sin } = table;
  const T = cos.shape[0];
  const NH = config.nHeads / rank.tensor.size;
  const NKV = config.nKvHeads / rank.tensor.size;
  const eps = roundScalar(config.normEps, cos);
  const again = new Map<TensorName, Tensor<P>>();
  const gathered = new Map<string, Tensor<P>>();

  function* read(name: TensorName): RankProgram<Tensor<P>> {
    const found = saved.get(name) ?? again.get(name);
    if (found !== undefined) return found;
    const line = name.split(".")[0] as keyof typeof lines;
    const result: unknown = yield* lines[line]();
    for (const [output, t] of namedBy<Tensor<P>>(line, result)) again.set(output, t);
    return again.get(name)!;
  }
  function* entered(norm: "attentionNorm" | "ffnNorm"): RankProgram<Tensor<P>> {
    const found = gathered.get(norm);
    if (found !== undefined) return found;
    const recorded = norm === "attentionNorm" ? "attention_norm" : "ffn_norm";
    const whole = yield* enter(rank, `activations.${at}.${recorded}`, yield* read(`${norm}.y`), T);
    gathered.set(norm, whole);
    return whole;
  }
  const lines: { readonly [Line in keyof Lines<BlockActivations<P>>]: () => RankProgram<BlockActivations<P>[Line]> } = {
    *attentionNorm() {
      return rmsnorm.forward(yield* read("x"), w.attentionNorm, eps);
    },
    *qProjection() {
      return heads(linear.forward(yield* entered("attentionNorm"), w.wq).y, T, NH);
    },
    *kProjection() {
      return heads(linear.forward(yield* entered("attentionNorm"), w.wk).y, T, NKV);
    },
    *v() {
      return heads(linear.forward(yield* entered("attentionNorm"), w.wv).y, T, NKV);
    },
    *q() {
      return rope.forward(yield* read("qProjection"), cos, sin, LAYOUT).y;
    },
    *k() {
      return rope.forward(yield* read("kProjection"), cos, sin, LAYOUT).y;
    },
    *attention() {
      return attention.forward(yield* read("q"), yield* read("k"), yield* read("v"));
    },
    *attentionOutput() {
      const term = linear.forward(rows(yield* read("attention.y")), w.wo).y;
      return yield* leave(rank, `activations.${at}.attention_output`, term, T);
    },
    *attentionResidual() {
      return add.forward(yield* read("x"), yield* read("attentionOutput")).y;
    },

    *ffnNorm() {
      return rmsnorm.forward(yield* read("attentionResidual"), w.ffnNorm, eps);
    },
    *gate() {
      return linear.forward(yield* entered("ffnNorm"), w.w1).y;
    },
    *up() {
      return linear.forward(yield* entered("ffnNorm"), w.w3).y;
    },
    *swiglu() {
      return swiglu.forward(yield* read("gate"), yield* read("up")).y;
    },
    *ffnOutput() {
      const term = linear.forward(yield* read("swiglu"), w.w2).y;
      return yield* leave(rank, `activations.${at}.ffn_output`, term, T);
    },
    *ffnResidual() {
      return add.forward(yield* read("attentionResidual"), yield* read("ffnOutput")).y;
    },
  };
  return { read, entered, again };
}
