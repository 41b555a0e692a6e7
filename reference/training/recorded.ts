// The tensors of a step, under the names of a trace: rows [R, …] as [B, T, …], heads [B, T, NH, HS], lse [B, NH, T].
//
//   activations.…               the forward's results
//   activationGradients.…       the total gradient at that tensor
//   activationGradientTerms.…   its terms, if it is a sum
//   gradients.…                 of the weights, before clipping; gradientTerms.… the two terms of a tied head
//   castWeights.…               in mixed precision: the weights as the passes read them
//   clipped.…  weights.…  firstMoment.…  secondMoment.…   after clipping and AdamW
//
// For a batch in parts, the results of the passes over part i are under microBatches.i, and
//
//   microBatches.i.accumulated.…   the gradients of the weights from the parts 0 … i
//   activations.loss  gradients.…   of the whole batch
import { blockGradients, type GradientName } from "../model/block-backward.ts";
import { blockTensors, fieldAt, type TensorName } from "../model/block-table.ts";
import type { BlockGradients } from "../model/block.ts";
import type { ModelActivations } from "../model/model.ts";
import { type Tensor, view } from "../tensor.ts";
import type { Weights } from "../weights.ts";
import { activationName, gradientName } from "./recorded-names.ts";
import type { PassesInParts } from "./in-parts.ts";
import type { Pass, Passes, TrainingState } from "./step.ts";

/** Takes a tensor under its name; called in the order of computation. */
export type RecordTensor = (name: string, t: Tensor) => void;

/** Records both passes: everything that an op took or gave, except the batch and the weights. */
export function recordPasses({ norm, ...pass }: Passes, record: RecordTensor): void {
  recordPass(pass, record);
  record("gradientNorm", norm);
}

/** The same for a batch in parts; a single part is recorded under the names without a part. */
export function recordParts({ parts, sums, loss, norm }: PassesInParts, record: RecordTensor): void {
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

function recordPass({ activations, loss, lse, dloss, gradients }: Pass, record: RecordTensor): void {
  const [B, T] = activations.tokens.shape;
  const rows: RecordTensor = (name, t) => record(name, view(t, [B, T, ...t.shape.slice(1)]));
  recordForward(activations, record, rows);
  record("activations.loss", loss);
  rows("activations.lse", lse);

  record("activationGradients.loss", dloss);
  rows("activationGradients.logits", gradients.logits);
  rows("activationGradients.norm", gradients.norm);
  for (let i = gradients.layers.length - 1; i >= 0; i--) recordBlockGradients(B, i, gradients.layers[i], record);
  rows("activationGradients.embedding", gradients.embedding);

  if (gradients.terms !== undefined) {
    record("gradientTerms.tok_embeddings.weight.embedding", gradients.terms.embedding);
    record("gradientTerms.tok_embeddings.weight.head", gradients.terms.head);
  }
  recordAll("gradients", gradients.weights, record);
}

/** Records the copies of the weights that the passes read. */
export function recordCopies(copies: Weights, record: RecordTensor): void {
  recordAll("castWeights", copies, record);
}

/** Records the results of clipping and AdamW. */
export function recordUpdate(clipped: Weights, state: TrainingState, record: RecordTensor): void {
  recordAll("clipped", clipped, record);
  recordAll("weights", state.weights, record);
  recordAll("firstMoment", state.firstMoment, record);
  recordAll("secondMoment", state.secondMoment, record);
}

function recordForward(a: ModelActivations, record: RecordTensor, rows: RecordTensor): void {
  const [B] = a.tokens.shape;
  record("activations.rope.cos", a.table.cos);
  record("activations.rope.sin", a.table.sin);
  rows("activations.embedding", a.embedding);
  for (const [i, layer] of a.layers.entries()) {
    for (const name of Object.keys(blockTensors) as TensorName[]) {
      if (name !== "x") record(activationName(i, name), asRecorded(B, name, fieldAt(layer, name)));
    }
  }
  rows("activations.norm", a.norm.y);
  rows("activations.norm.rstd", a.norm.rstd);
  rows("activations.logits", a.logits);
}

function recordBlockGradients(B: number, i: number, d: BlockGradients, record: RecordTensor): void {
  for (const name of Object.keys(blockGradients) as GradientName[]) {
    if (name !== "x") record(gradientName(i, name), asRecorded(B, blockGradients[name].like, fieldAt(d, name)));
  }
}

/** A tensor of a block as it is recorded: rows [R, …] as [B, T, …], and so the attention's result; other heads as they are. */
export function asRecorded(B: number, like: TensorName, t: Tensor): Tensor {
  if (like === "attention.y") return view(t, [B, t.shape[1], t.shape[2] * t.shape[3]]);
  const { shape } = blockTensors[like];
  return shape.length === 4 || shape[1] !== "T" ? t : view(t, [B, t.shape[0] / B, ...t.shape.slice(1)]);
}

function recordAll(prefix: string, tensors: Weights, record: RecordTensor): void {
  for (const [name, t] of tensors) record(`${prefix}.${name}`, t);
}
