// The model around its blocks as tables: the inputs and outputs of each op of model.ts and of the loss, in both directions.
//
//   rope-table, embedding, blocks, norm, head, loss;   loss, head, norm, blocks, embedding
import type { TensorRow } from "./block-table.ts";

/**
 * The tensors that the model keeps outside its blocks, under every policy; names are those of ModelActivations and the loss.
 * The embedding is the first block's x. The table is given by both of its halves at once: cos and sin are [T, HS/2] each.
 */
export const modelTensors = {
  tokens: { shape: ["B", "T"], stored: "integer", region: "whole" },
  targets: { shape: ["B", "T"], stored: "integer", region: "whole" },
  table: { shape: ["T", "HS"], stored: "statistic", region: "whole" },
  last: { shape: ["B", "T", "C"], stored: "activation", region: "sequence" },
  "norm.y": { shape: ["B", "T", "C"], stored: "activation", region: "sequence" },
  "norm.rstd": { shape: ["B", "T"], stored: "statistic", region: "sequence" },
  logits: { shape: ["B", "T", "V"], stored: "activation", region: "tensor" },
  "crossEntropy.lse": { shape: ["B", "T"], stored: "statistic", region: "whole" },
} as const satisfies Record<string, TensorRow>;
export type ModelTensorName = keyof typeof modelTensors;

/** The operands of a row: a tensor that is kept, the first block's x, or the loss, which is one number. */
export type ModelOperand = ModelTensorName | "embedding" | "loss";
/** "head" is the embedding itself where the two are tied. */
export type ModelWeight = "embedding" | "norm" | "head";

/** One op of the forward; its tensors by the op's argument names. */
export interface ModelRow {
  readonly op: "rope-table" | "embedding" | "rmsnorm" | "linear" | "cross-entropy";
  /** The name of the place, for a reader. */
  readonly place: "rope" | "embedding" | "norm" | "output" | "loss";
  readonly inputs: Readonly<Record<string, ModelOperand>>;
  /** The argument w. */
  readonly weight?: ModelWeight;
  readonly outputs: Readonly<Record<string, ModelOperand>>;
}

/** One op of the backward; a gradient has the name of the tensor it is the gradient at. */
export interface ModelBackwardRow {
  readonly op: `${"cross-entropy" | "linear" | "rmsnorm" | "embedding"}.backward`;
  readonly place: ModelRow["place"];
  readonly gradients: Readonly<Record<string, ModelOperand>>;
  readonly activations: Readonly<Record<string, ModelOperand>>;
  /** The argument w, where the op has one, whose gradient is the result dw. */
  readonly weight?: ModelWeight;
  readonly gives: Readonly<Record<string, ModelOperand>>;
}

/** The forward's ops before the blocks and after them. */
export const modelOps: { readonly before: readonly ModelRow[]; readonly after: readonly ModelRow[] } = {
  before: [
    { op: "rope-table", place: "rope", inputs: {}, outputs: { cos: "table", sin: "table" } },
    {
      op: "embedding",
      place: "embedding",
      inputs: { tokens: "tokens" },
      weight: "embedding",
      outputs: { y: "embedding" },
    },
  ],
  after: [
    {
      op: "rmsnorm",
      place: "norm",
      inputs: { x: "last" },
      weight: "norm",
      outputs: { y: "norm.y", rstd: "norm.rstd" },
    },
    { op: "linear", place: "output", inputs: { x: "norm.y" }, weight: "head", outputs: { y: "logits" } },
    {
      op: "cross-entropy",
      place: "loss",
      inputs: { logits: "logits", targets: "targets" },
      outputs: { loss: "loss", lse: "crossEntropy.lse" },
    },
  ],
};

/** The backward's ops before the blocks' and after them. */
export const modelBackwardOps: {
  readonly before: readonly ModelBackwardRow[];
  readonly after: readonly ModelBackwardRow[];
} = {
  before: [
    {
      op: "cross-entropy.backward",
      place: "loss",
      gradients: { dloss: "loss" },
      activations: { logits: "logits", targets: "targets", lse: "crossEntropy.lse" },
      gives: { dlogits: "logits" },
    },
    {
      op: "linear.backward",
      place: "output",
      gradients: { dy: "logits" },
      activations: { x: "norm.y" },
      weight: "head",
      gives: { dx: "norm.y" },
    },
    {
      op: "rmsnorm.backward",
      place: "norm",
      gradients: { dy: "norm.y" },
      activations: { x: "last", rstd: "norm.rstd" },
      weight: "norm",
      gives: { dx: "last" },
    },
  ],
  after: [
    {
      op: "embedding.backward",
      place: "embedding",
      gradients: { dy: "embedding" },
      activations: { tokens: "tokens" },
      weight: "embedding",
      gives: {},
    },
  ],
};
