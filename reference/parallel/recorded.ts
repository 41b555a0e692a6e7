// What the ranks computed, put together under the names of a trace, as training/recorded.ts names what one rank computes.
//
// Left out are sums that no rank has: the terms of the gradients at the inputs of the products (attention_norm, ffn_norm), which
// every rank adds up for its own heads and columns before they leave; of a batch in parts, a part's mean loss, and its
// gradients of the weights, which a rank adds up for its own sequences before they are summed over the ranks.
import { type Tensor, view } from "../tensor.ts";
import type { Recorder } from "../training/recorded.ts";
import type { Weights } from "../weights.ts";
import type { BlockActivations } from "./block.ts";
import { join } from "./cut.ts";
import type { Layout } from "./layout.ts";
import type { LayerGradients } from "./model.ts";
import { gatherTable, type Table } from "./shards.ts";
import type { RankPass, RankStep } from "./step.ts";

/** A tensor of one rank under its recorded axes, and along which of them the tensor ranks cut it: none where each has it. */
type Put = (name: string, t: Tensor, axis: number | undefined) => void;

/** Records both passes and the update of all ranks, in the order of computation. */
export function recordRanks(layout: Layout, ranks: readonly RankStep[], record: Recorder): void {
  const [{ passes }] = ranks;
  const { length } = passes.parts;
  for (const i of passes.parts.keys()) {
    const at = length > 1 ? `microBatches.${i}.` : "";
    const ofPart = ranks.map((rank) => rank.passes.parts[i]);
    recordPart(layout, ofPart, (name, t) => record(at + name, t));
  }
  record("activations.loss", passes.loss);
  if (length === 1) record("activationGradients.loss", passes.parts[0].dloss);

  const recordTable = (prefix: string, table: Table, of: (rank: RankStep) => Weights): void => {
    for (const [name, t] of gatherTable(layout, table, ranks.map(of))) record(`${prefix}.${name}`, t);
  };
  if (length === 1 && passes.terms !== undefined) {
    recordTable("gradientTerms", "gradients", (rank) => {
      const { embedding, head } = rank.passes.terms!;
      return new Map(Object.entries({ embedding, head }).map(([use, t]) => [`tok_embeddings.weight.${use}`, t]));
    });
  }
  recordTable("gradients", "gradients", (rank) => rank.passes.weights);
  record("gradientNorm", passes.norm);
  recordTable("clipped", "gradients", ({ clipped }) => clipped);
  recordTable("weights", "weights", ({ shard }) => shard.weights);
  recordTable("firstMoment", "firstMoment", ({ shard }) => shard.firstMoment);
  recordTable("secondMoment", "secondMoment", ({ shard }) => shard.secondMoment);
}

function recordPart(layout: Layout, ranks: readonly RankPass[], record: Recorder): void {
  const [{ activations }] = ranks;
  record("activations.rope.cos", activations.table.cos);
  record("activations.rope.sin", activations.table.sin);
  recordTogether(layout, ranks, putForward, record);
  recordTogether(layout, ranks, putBackward, record);
}

/** Every tensor that the ranks put, whole: first the parts of the tensor ranks, then the sequences of the data ranks. */
function recordTogether(
  { data, tensor, sequence }: Layout,
  passes: readonly RankPass[],
  putAll: (passes: RankPass, sequence: boolean, put: Put) => void,
  record: Recorder,
): void {
  const ofRanks = passes.map((ofRank) => {
    const put: [name: string, t: Tensor, axis: number | undefined][] = [];
    putAll(ofRank, sequence, (name, t, axis) => void put.push([name, t, axis]));
    return put;
  });
  for (const [i, [name, , axis]] of ofRanks[0].entries()) {
    const models = Array.from({ length: data }, (_, d) => {
      const parts = ofRanks.slice(d * tensor, (d + 1) * tensor).map((put) => put[i][1]);
      return axis === undefined ? parts[0] : join(parts, axis);
    });
    record(name, join(models, 0));
  }
}

/** The ways in which an activation lies over the tensor ranks. */
function placing({ activations }: RankPass, sequence: boolean, put: Put) {
  const [B, T] = activations.tokens.shape;
  const asSequences = (t: Tensor): Tensor => view(t, [B, t.shape[0] / B, ...t.shape.slice(1)]);
  return {
    /** [R, …], or with sequence parallelism this rank's positions of each sequence. */
    rows: (name: string, t: Tensor): void => put(name, asSequences(t), sequence ? 1 : undefined),
    /** [R, own columns]. */
    columns: (name: string, t: Tensor): void => put(name, asSequences(t), 2),
    /** [B, T, own heads, HS]. */
    heads: (name: string, t: Tensor): void => put(name, t, 2),
    /** [B, T, own heads, HS], recorded as [B, T, own heads · HS]. */
    headsAsColumns: (name: string, t: Tensor): void => put(name, view(t, [B, T, t.shape[2] * t.shape[3]]), 2),
    /** [B, own heads, T]. */
    statistics: (name: string, t: Tensor): void => put(name, t, 1),
    /** [R], the same on every tensor rank. */
    replicated: (name: string, t: Tensor): void => put(name, asSequences(t), undefined),
  };
}
type Placing = ReturnType<typeof placing>;

function putForward(passes: RankPass, sequence: boolean, put: Put): void {
  const { activations: a, lse } = passes;
  const place = placing(passes, sequence, put);
  place.rows("activations.embedding", a.embedding);
  for (const [i, layer] of a.layers.entries()) putBlock(`activations.layers.${i}`, layer, place);
  place.rows("activations.norm", a.norm.y);
  place.rows("activations.norm.rstd", a.norm.rstd);
  place.columns("activations.logits", a.logits);
  place.replicated("activations.lse", lse);
}

function putBlock(at: string, a: BlockActivations, place: Placing): void {
  place.rows(`${at}.attention_norm`, a.attentionNorm.y);
  place.rows(`${at}.attention_norm.rstd`, a.attentionNorm.rstd);
  place.heads(`${at}.q_projection`, a.qProjection);
  place.heads(`${at}.k_projection`, a.kProjection);
  place.heads(`${at}.v`, a.v);
  place.heads(`${at}.q`, a.q);
  place.heads(`${at}.k`, a.k);
  place.headsAsColumns(`${at}.attention`, a.attention.y);
  place.statistics(`${at}.lse`, a.attention.lse);
  place.rows(`${at}.attention_output`, a.attentionOutput);
  place.rows(`${at}.attention_residual`, a.attentionResidual);
  place.rows(`${at}.ffn_norm`, a.ffnNorm.y);
  place.rows(`${at}.ffn_norm.rstd`, a.ffnNorm.rstd);
  place.columns(`${at}.gate`, a.gate);
  place.columns(`${at}.up`, a.up);
  place.columns(`${at}.swiglu`, a.swiglu);
  place.rows(`${at}.ffn_output`, a.ffnOutput);
  place.rows(`${at}.ffn_residual`, a.ffnResidual);
}

function putBackward(passes: RankPass, sequence: boolean, put: Put): void {
  const d = passes.gradients;
  const place = placing(passes, sequence, put);
  place.columns("activationGradients.logits", d.logits);
  place.rows("activationGradients.norm", d.norm);
  for (let i = d.layers.length - 1; i >= 0; i--) putBlockGradients(i, d.layers[i], place);
  place.rows("activationGradients.embedding", d.embedding);
}

function putBlockGradients(i: number, d: LayerGradients, place: Placing): void {
  const at = `activationGradients.layers.${i}`;
  const terms = `activationGradientTerms.layers.${i}`;
  place.rows(`${at}.ffn_residual`, d.ffnResidual);
  place.rows(`${at}.ffn_output`, d.ffnOutput);
  place.columns(`${at}.swiglu`, d.swiglu);
  place.columns(`${at}.gate`, d.gate);
  place.columns(`${at}.up`, d.up);
  place.rows(`${at}.ffn_norm`, d.ffnNorm);
  place.rows(`${terms}.attention_residual.ffn_norm`, d.terms.attentionResidual.ffnNorm);
  place.rows(`${at}.attention_residual`, d.attentionResidual);
  place.rows(`${at}.attention_output`, d.attentionOutput);
  place.headsAsColumns(`${at}.attention`, d.attention);
  place.heads(`${at}.q`, d.q);
  place.heads(`${at}.k`, d.k);
  place.heads(`${at}.v`, d.v);
  place.heads(`${at}.q_projection`, d.qProjection);
  place.heads(`${at}.k_projection`, d.kProjection);
  place.rows(`${at}.attention_norm`, d.attentionNorm);
  place.rows(`${terms}.input.attention_norm`, d.terms.x.attentionNorm);
}
