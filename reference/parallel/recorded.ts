// Joins the tensors of all ranks under the names of a trace, as training/recorded.ts names those of one rank.
//
// Sums that no rank holds are left out: the terms of the gradients at the inputs of the products (attention_norm, ffn_norm),
// which every rank adds up for its own heads and columns before they leave; and for a batch in parts, a part's mean loss, and
// its gradients of the weights, which a rank adds up for its own sequences before they are summed over the ranks.
import { blockGradients, type GradientName, type GradientRow } from "../model/block-backward.ts";
import { blockTensors, fieldAt, type TensorName } from "../model/block-table.ts";
import { type Tensor, view } from "../tensor.ts";
import { activationName, gradientName } from "../training/recorded-names.ts";
import { asRecorded, type RecordTensor } from "../training/recorded.ts";
import type { Weights } from "../weights.ts";
import { join } from "./cut.ts";
import type { Layout } from "./layout.ts";
import { gatherTable, type Table } from "./shards.ts";
import type { RankPass, RankStep } from "./step.ts";

/** A tensor of one rank under its recorded axes, and the axis along which tensor ranks cut it: undefined if each has it whole. */
type Put = (name: string, t: Tensor, axis: number | undefined) => void;

/** Records both passes and the update of all ranks, in the order of computation. */
export function recordRanks(layout: Layout, ranks: readonly RankStep[], record: RecordTensor): void {
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

function recordPart(layout: Layout, ranks: readonly RankPass[], record: RecordTensor): void {
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
  record: RecordTensor,
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

/** Puts the rows of a rank as sequences: [R, …] → [B, T, …], cut along an axis of the result. */
function rowsOf({ activations }: RankPass, put: Put): Put {
  const [B] = activations.tokens.shape;
  return (name, t, axis) => put(name, view(t, [B, t.shape[0] / B, ...t.shape.slice(1)]), axis);
}

function putForward(pass: RankPass, sequence: boolean, put: Put): void {
  const { activations: a, lse } = pass;
  const rows = rowsOf(pass, put);
  const positions = sequence ? 1 : undefined;
  rows("activations.embedding", a.embedding, positions);
  for (const [i, layer] of a.layers.entries()) {
    for (const name of Object.keys(blockTensors) as TensorName[]) {
      if (name !== "x") putOfBlock(pass, sequence, put, activationName(i, name), name, fieldAt(layer, name));
    }
  }
  rows("activations.norm", a.norm.y, positions);
  rows("activations.norm.rstd", a.norm.rstd, positions);
  rows("activations.logits", a.logits, 2);
  rows("activations.lse", lse, undefined);
}

function putBackward(pass: RankPass, sequence: boolean, put: Put): void {
  const d = pass.gradients;
  const rows = rowsOf(pass, put);
  rows("activationGradients.logits", d.logits, 2);
  rows("activationGradients.norm", d.norm, sequence ? 1 : undefined);
  for (let i = d.layers.length - 1; i >= 0; i--) {
    for (const [name, { like, sum }] of Object.entries(blockGradients) as [GradientName, GradientRow][]) {
      if (name === "x" || (sum !== undefined && addedByRank.has(sum))) continue;
      putOfBlock(pass, sequence, put, gradientName(i, name), like, fieldAt(d.layers[i], name));
    }
  }
  rows("activationGradients.embedding", d.embedding, sequence ? 1 : undefined);
}

/** Gradients whose terms a rank has for its own heads and columns only. */
const addedByRank: ReadonlySet<string> = new Set(["attentionNorm", "ffnNorm"]);

/** A tensor of a block: its own heads or columns, its own positions, or all that there is. */
function putOfBlock(
  { activations }: RankPass,
  sequence: boolean,
  put: Put,
  name: string,
  like: TensorName,
  t: Tensor,
): void {
  const { shape, region } = blockTensors[like];
  const whole = sequence ? 1 : undefined;
  const axis = region === "tensor" ? shape.findIndex((letter) => ["NH", "NKV", "F"].includes(letter)) : whole;
  put(name, asRecorded(activations.tokens.shape[0], like, t), axis);
}
