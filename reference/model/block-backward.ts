// One block's backward as a table, in the order of block.ts: which gradients and activations each op reads, and which
// gradients it gives. The ledger, the planner and the trace are read off these rows.
//
// Gradients have the names of BlockGradients: "gate" is the gradient at the activation gate, and "terms.ffnNorm.gate" the term
// that gate adds to the gradient at ffnNorm.
import type { TensorName, WeightName } from "./block-table.ts";

/** A gradient: the activation whose shape it has; if it is one term of a sum, the sum's name and its own. */
export interface GradientRow {
  readonly like: TensorName;
  readonly sum?: string;
  readonly term?: string;
}

/** Every gradient that a block's backward computes, and the one at the block's result, in the order of computation. */
export const blockGradients = {
  ffnResidual: { like: "ffnResidual" },
  ffnOutput: { like: "ffnOutput" },
  swiglu: { like: "swiglu" },
  gate: { like: "gate" },
  up: { like: "up" },
  "terms.ffnNorm.gate": { like: "ffnNorm.y", sum: "ffnNorm", term: "gate" },
  "terms.ffnNorm.up": { like: "ffnNorm.y", sum: "ffnNorm", term: "up" },
  ffnNorm: { like: "ffnNorm.y" },
  "terms.attentionResidual.ffnNorm": { like: "attentionResidual", sum: "attentionResidual", term: "ffnNorm" },
  attentionResidual: { like: "attentionResidual" },
  attentionOutput: { like: "attentionOutput" },
  attention: { like: "attention.y" },
  q: { like: "q" },
  k: { like: "k" },
  v: { like: "v" },
  qProjection: { like: "qProjection" },
  kProjection: { like: "kProjection" },
  "terms.attentionNorm.q": { like: "attentionNorm.y", sum: "attentionNorm", term: "q" },
  "terms.attentionNorm.k": { like: "attentionNorm.y", sum: "attentionNorm", term: "k" },
  "terms.attentionNorm.qk": { like: "attentionNorm.y", sum: "attentionNorm", term: "qk" },
  "terms.attentionNorm.v": { like: "attentionNorm.y", sum: "attentionNorm", term: "v" },
  attentionNorm: { like: "attentionNorm.y" },
  "terms.x.attentionNorm": { like: "x", sum: "x", term: "attentionNorm" },
  x: { like: "x" },
} as const satisfies Record<string, GradientRow>;
export type GradientName = keyof typeof blockGradients;

/** One op of the backward; its tensors by the op's argument names. */
export interface BackwardRow {
  readonly op: `${"linear" | "swiglu" | "rmsnorm" | "attention" | "rope" | "add"}.backward` | "add.forward";
  readonly gradients: Readonly<Record<string, GradientName>>;
  readonly activations: Readonly<Record<string, TensorName>>;
  /** The argument w, whose gradient is the result dw. */
  readonly weight?: WeightName;
  readonly gives: Readonly<Record<string, GradientName>>;
}

/**
 * The ops in the order of the backward. `rope.backward` also reads the model's table. `add.backward` computes nothing: the
 * gradient at a sum is that at each of its terms, under another name. Where the forward uses a tensor twice, `add.forward` sums
 * the gradients of its uses.
 */
export const blockBackwardOps: readonly BackwardRow[] = [
  passOn("ffnResidual", "ffnOutput"),
  linear("ffnOutput", "swiglu", "w2", "swiglu"),
  {
    op: "swiglu.backward",
    gradients: { dy: "swiglu" },
    activations: { gate: "gate", up: "up" },
    gives: { dgate: "gate", dup: "up" },
  },
  linear("gate", "ffnNorm.y", "w1", "terms.ffnNorm.gate"),
  linear("up", "ffnNorm.y", "w3", "terms.ffnNorm.up"),
  sum("terms.ffnNorm.gate", "terms.ffnNorm.up", "ffnNorm"),
  norm("ffnNorm", "attentionResidual", "terms.attentionResidual.ffnNorm"),
  sum("ffnResidual", "terms.attentionResidual.ffnNorm", "attentionResidual"),

  passOn("attentionResidual", "attentionOutput"),
  linear("attentionOutput", "attention.y", "wo", "attention"),
  {
    op: "attention.backward",
    gradients: { dy: "attention" },
    activations: { q: "q", k: "k", v: "v", y: "attention.y", lse: "attention.lse" },
    gives: { dq: "q", dk: "k", dv: "v" },
  },
  { op: "rope.backward", gradients: { dy: "q" }, activations: {}, gives: { dx: "qProjection" } },
  { op: "rope.backward", gradients: { dy: "k" }, activations: {}, gives: { dx: "kProjection" } },
  linear("qProjection", "attentionNorm.y", "wq", "terms.attentionNorm.q"),
  linear("kProjection", "attentionNorm.y", "wk", "terms.attentionNorm.k"),
  linear("v", "attentionNorm.y", "wv", "terms.attentionNorm.v"),
  sum("terms.attentionNorm.q", "terms.attentionNorm.k", "terms.attentionNorm.qk"),
  sum("terms.attentionNorm.qk", "terms.attentionNorm.v", "attentionNorm"),
  norm("attentionNorm", "x", "terms.x.attentionNorm"),
  sum("attentionResidual", "terms.x.attentionNorm", "x"),
];

function linear(dy: GradientName, x: TensorName, weight: WeightName, dx: GradientName): BackwardRow {
  return { op: "linear.backward", gradients: { dy }, activations: { x }, weight, gives: { dx } };
}

function norm(weight: "attentionNorm" | "ffnNorm", x: TensorName, dx: GradientName): BackwardRow {
  const activations = { x, rstd: `${weight}.rstd` } as const;
  return { op: "rmsnorm.backward", gradients: { dy: weight }, activations, weight, gives: { dx } };
}

function sum(a: GradientName, b: GradientName, y: GradientName): BackwardRow {
  return { op: "add.forward", gradients: { a, b }, activations: {}, gives: { y } };
}

function passOn(dy: GradientName, da: GradientName): BackwardRow {
  return { op: "add.backward", gradients: { dy }, activations: {}, gives: { da } };
}
