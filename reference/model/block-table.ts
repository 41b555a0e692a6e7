// One block as a table: what each op of reference/model/block.ts reads, gives, and must have again for its backward.
// Memory, arithmetic and time are all sums over these rows.
import type { LayerWeights } from "../weights.ts";
import type { Sizes } from "./sizes.ts";

export type Axis = keyof Sizes;

/**
 * Where a tensor lives in a tensor-parallel group of t ranks (Shoeybi et al. 2019; Korthikanti et al. 2022, section 4.2):
 * "tensor" between a product split by columns and the one split by rows: 1/t of the heads or features on each rank;
 * "sequence" outside: whole on each rank, or 1/t of the positions under sequence parallelism; "whole" always whole.
 */
export type Region = "tensor" | "sequence" | "whole";

/** An activation; statistics (rstd, lse) and tables stay in float32 where activations are stored in 16 bits. */
export interface TensorRow {
  readonly shape: readonly Axis[];
  readonly stored: "activation" | "statistic" | "integer";
  readonly region: Region;
}

const residual = { shape: ["B", "T", "C"], stored: "activation", region: "sequence" } as const;
const rstd = { shape: ["B", "T"], stored: "statistic", region: "sequence" } as const;
const queries = { shape: ["B", "T", "NH", "HS"], stored: "activation", region: "tensor" } as const;
const keys = { shape: ["B", "T", "NKV", "HS"], stored: "activation", region: "tensor" } as const;
const features = { shape: ["B", "T", "F"], stored: "activation", region: "tensor" } as const;

/** Every tensor that a block's forward computes, and its input x; names are those of BlockActivations. */
export const blockTensors = {
  x: residual,
  "attentionNorm.y": residual,
  "attentionNorm.rstd": rstd,
  qProjection: queries,
  kProjection: keys,
  v: keys,
  q: queries,
  k: keys,
  "attention.y": queries,
  "attention.lse": { shape: ["B", "NH", "T"], stored: "statistic", region: "tensor" },
  attentionOutput: residual,
  attentionResidual: residual,
  "ffnNorm.y": residual,
  "ffnNorm.rstd": rstd,
  gate: features,
  up: features,
  swiglu: features,
  ffnOutput: residual,
  ffnResidual: residual,
} as const satisfies Record<string, TensorRow>;
export type TensorName = keyof typeof blockTensors;

/** The weights of a block and how tensor parallelism cuts them: the axes of heads and features are 1/t on each rank. */
export const blockWeights = {
  attentionNorm: ["C"],
  wq: ["NH", "HS", "C"],
  wk: ["NKV", "HS", "C"],
  wv: ["NKV", "HS", "C"],
  wo: ["C", "NH", "HS"],
  ffnNorm: ["C"],
  w1: ["F", "C"],
  w2: ["C", "F"],
  w3: ["F", "C"],
} as const satisfies Record<keyof LayerWeights, readonly Axis[]>;
export type WeightName = keyof LayerWeights;

export interface OpRow {
  readonly op: "rmsnorm" | "linear" | "rope" | "attention" | "add" | "swiglu";
  readonly inputs: readonly TensorName[];
  readonly outputs: readonly TensorName[];
  /** What the backward takes besides the gradient of the output and the weight. */
  readonly backwardReads: readonly TensorName[];
  readonly weight?: WeightName;
}

/** The ops in the order of the forward. */
export const blockOps: readonly OpRow[] = [
  norm("x", "attentionNorm"),
  linear("attentionNorm.y", "wq", "qProjection"),
  linear("attentionNorm.y", "wk", "kProjection"),
  linear("attentionNorm.y", "wv", "v"),
  { op: "rope", inputs: ["qProjection"], outputs: ["q"], backwardReads: [] },
  { op: "rope", inputs: ["kProjection"], outputs: ["k"], backwardReads: [] },
  {
    op: "attention",
    inputs: ["q", "k", "v"],
    outputs: ["attention.y", "attention.lse"],
    backwardReads: ["q", "k", "v", "attention.y", "attention.lse"],
  },
  linear("attention.y", "wo", "attentionOutput"),
  { op: "add", inputs: ["x", "attentionOutput"], outputs: ["attentionResidual"], backwardReads: [] },
  norm("attentionResidual", "ffnNorm"),
  linear("ffnNorm.y", "w1", "gate"),
  linear("ffnNorm.y", "w3", "up"),
  { op: "swiglu", inputs: ["gate", "up"], outputs: ["swiglu"], backwardReads: ["gate", "up"] },
  linear("swiglu", "w2", "ffnOutput"),
  { op: "add", inputs: ["attentionResidual", "ffnOutput"], outputs: ["ffnResidual"], backwardReads: [] },
];

/** The op that gives a tensor; none gives x. */
export function opOf(name: TensorName): OpRow | undefined {
  return blockOps.find(({ outputs }) => outputs.includes(name));
}

function norm(x: TensorName, weight: "attentionNorm" | "ffnNorm"): OpRow {
  const statistic = `${weight}.rstd` as const;
  return {
    op: "rmsnorm",
    inputs: [x],
    outputs: [`${weight}.y`, statistic],
    backwardReads: [x, statistic],
    weight,
  };
}

function linear(x: TensorName, weight: WeightName, y: TensorName): OpRow {
  return { op: "linear", inputs: [x], outputs: [y], backwardReads: [x], weight };
}
