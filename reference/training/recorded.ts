// What a step computes, under the names of a trace: rows [R, …] as [B, T, …], heads [B, T, NH, HS], lse [B, NH, T].
//
//   activations.…               what the forward computed
//   activationGradients.…       the total gradient at that tensor
//   activationGradientTerms.…   where that is a sum: its terms
//   gradients.…                 of the weights, before clipping; gradientTerms.… the two terms of a tied head
//   castWeights.…               in mixed precision: the weights as the passes read them
//   clipped.…  weights.…  firstMoment.…  secondMoment.…   after clipping and AdamW
//
// Of a batch in parts, what the passes over part i compute stands under microBatches.i, and
//
//   microBatches.i.accumulated.…   the gradients of the weights from the parts 0 … i
//   activations.loss  gradients.…   of the whole batch
import type { BlockActivations, BlockGradients } from "../model/block.ts";
import type { ModelActivations } from "../model/model.ts";
import { type Tensor, view } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import type { Pass, Passes, PassesInParts, TrainingState } from "./step.ts";

/** Takes a tensor under its name; called in the order of computation. */
export type Recorder = (name: string, t: Tensor) => void;

/** Records both passes: everything that an op took or gave, the batch and the weights aside. */
export function recordPasses({ norm, ...pass }: Passes, record: Recorder): void {
  recordPass(pass, record);
  record("gradientNorm", norm);
}

/** The same of a batch in parts; of one in one part, under the names that have no part. */
export function recordParts({ parts, sums, loss, norm }: PassesInParts, record: Recorder): void {
  if (parts.length === 1) return recordPasses({ ...parts[0], norm }, record);
  for (const [i, part] of parts.entries()) {
    const at = `microBatches.${i}`;
    recordPass(part, (name, t) => record(`${at}.${name}`, t));
    // The first sum is the first part's gradients, the last the batch's.
    if (i > 0 && i < parts.length - 1) recordAll(`${at}.accumulated`, sums[i], record);
  }
  record("activations.loss", loss);
  recordAll("gradients", sums[parts.length - 1], record);
  record("gradientNorm", norm);
}

function recordPass({ activations, loss, lse, dloss, gradients }: Pass, record: Recorder): void {
  const [B, T] = activations.tokens.shape;
  const rows: Recorder = (name, t) => record(name, view(t, [B, T, ...t.shape.slice(1)]));
  recordForward(activations, record, rows);
  record("activations.loss", loss);
  rows("activations.lse", lse);

  record("activationGradients.loss", dloss);
  rows("activationGradients.logits", gradients.logits);
  rows("activationGradients.norm", gradients.norm);
  for (let i = gradients.layers.length - 1; i >= 0; i--) recordBlockGradients(i, gradients.layers[i], record, rows);
  rows("activationGradients.embedding", gradients.embedding);

  if (gradients.terms !== undefined) {
    record("gradientTerms.tok_embeddings.weight.embedding", gradients.terms.embedding);
    record("gradientTerms.tok_embeddings.weight.head", gradients.terms.head);
  }
  recordAll("gradients", gradients.weights, record);
}

/** Records the copies of the weights that the passes read. */
export function recordCopies(copies: Weights, record: Recorder): void {
  recordAll("castWeights", copies, record);
}

/** Records what clipping and AdamW gave. */
export function recordUpdate(clipped: Weights, state: TrainingState, record: Recorder): void {
  recordAll("clipped", clipped, record);
  recordAll("weights", state.weights, record);
  recordAll("firstMoment", state.firstMoment, record);
  recordAll("secondMoment", state.secondMoment, record);
}

function recordForward(a: ModelActivations, record: Recorder, rows: Recorder): void {
  record("activations.rope.cos", a.table.cos);
  record("activations.rope.sin", a.table.sin);
  rows("activations.embedding", a.embedding);
  for (const [i, layer] of a.layers.entries()) recordBlock(i, layer, record, rows);
  rows("activations.norm", a.norm.y);
  rows("activations.norm.rstd", a.norm.rstd);
  rows("activations.logits", a.logits);
}

function recordBlock(i: number, a: BlockActivations, record: Recorder, rows: Recorder): void {
  const at = `activations.layers.${i}`;
  rows(`${at}.attention_norm`, a.attentionNorm.y);
  rows(`${at}.attention_norm.rstd`, a.attentionNorm.rstd);
  record(`${at}.q_projection`, a.qProjection);
  record(`${at}.k_projection`, a.kProjection);
  record(`${at}.v`, a.v);
  record(`${at}.q`, a.q);
  record(`${at}.k`, a.k);
  rows(`${at}.attention`, headsAsRows(a.attention.y));
  record(`${at}.lse`, a.attention.lse);
  rows(`${at}.attention_output`, a.attentionOutput);
  rows(`${at}.attention_residual`, a.attentionResidual);
  rows(`${at}.ffn_norm`, a.ffnNorm.y);
  rows(`${at}.ffn_norm.rstd`, a.ffnNorm.rstd);
  rows(`${at}.gate`, a.gate);
  rows(`${at}.up`, a.up);
  rows(`${at}.swiglu`, a.swiglu);
  rows(`${at}.ffn_output`, a.ffnOutput);
  rows(`${at}.ffn_residual`, a.ffnResidual);
}

function recordBlockGradients(i: number, d: BlockGradients, record: Recorder, rows: Recorder): void {
  const at = `activationGradients.layers.${i}`;
  const terms = `activationGradientTerms.layers.${i}`;
  rows(`${at}.ffn_residual`, d.ffnResidual);
  rows(`${at}.ffn_output`, d.ffnOutput);
  rows(`${at}.swiglu`, d.swiglu);
  rows(`${at}.gate`, d.gate);
  rows(`${at}.up`, d.up);
  rows(`${terms}.ffn_norm.gate`, d.terms.ffnNorm.gate);
  rows(`${terms}.ffn_norm.up`, d.terms.ffnNorm.up);
  rows(`${at}.ffn_norm`, d.ffnNorm);
  rows(`${terms}.attention_residual.ffn_norm`, d.terms.attentionResidual.ffnNorm);
  rows(`${at}.attention_residual`, d.attentionResidual);
  rows(`${at}.attention_output`, d.attentionOutput);
  rows(`${at}.attention`, headsAsRows(d.attention));
  record(`${at}.q`, d.q);
  record(`${at}.k`, d.k);
  record(`${at}.v`, d.v);
  record(`${at}.q_projection`, d.qProjection);
  record(`${at}.k_projection`, d.kProjection);
  rows(`${terms}.attention_norm.q`, d.terms.attentionNorm.q);
  rows(`${terms}.attention_norm.k`, d.terms.attentionNorm.k);
  rows(`${terms}.attention_norm.qk`, d.terms.attentionNorm.qk);
  rows(`${terms}.attention_norm.v`, d.terms.attentionNorm.v);
  rows(`${at}.attention_norm`, d.attentionNorm);
  rows(`${terms}.input.attention_norm`, d.terms.x.attentionNorm);
}

function recordAll(prefix: string, tensors: Weights, record: Recorder): void {
  for (const [name, t] of tensors) record(`${prefix}.${name}`, t);
}

/** [B, T, NH, HS] → [R, NH·HS], the same numbers. */
function headsAsRows(t: Tensor): Tensor {
  const [B, T, NH, HS] = t.shape;
  return view(t, [B * T, NH * HS]);
}
