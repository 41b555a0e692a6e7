// One block's forward as a table: the inputs and outputs of each op of block.ts. Its backward is block-backward.ts.
// Memory, arithmetic, time and the instances of a trace all follow from these rows.
import type { LayerWeights } from "../weights.ts";
import type { ModelSizes } from "./sizes.ts";

export type Axis = keyof ModelSizes;

/**
 * Where a tensor lives in a tensor-parallel group of t ranks (Shoeybi et al. 2019; Korthikanti et al. 2022, section 4.2):
 * "tensor" between a product split by columns and the one split by rows: 1/t of the heads or features on each rank;
 * "sequence" outside: whole on each rank, or 1/t of the positions under sequence parallelism; "whole" always whole.
 */
export type ParallelRegion = "tensor" | "sequence" | "whole";

/** An activation; statistics (rstd, lse) and tables stay in float32 where activations are stored in 16 bits. */
export interface TensorRow {
  readonly shape: readonly Axis[];
  readonly stored: "activation" | "statistic" | "integer";
  readonly region: ParallelRegion;
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

/** One op of the forward; its tensors by the op's argument names. */
export interface OpRow {
  readonly op: "rmsnorm" | "linear" | "rope" | "attention" | "add" | "swiglu";
  readonly inputs: Readonly<Record<string, TensorName>>;
  /** The argument w. */
  readonly weight?: WeightName;
  readonly outputs: Readonly<Record<string, TensorName>>;
}

/** The ops in the order of the forward. `rope` also reads the model's table of cosines and sines. */
export const blockOps: readonly OpRow[] = [
  norm("x", "attentionNorm"),
  linear("attentionNorm.y", "wq", "qProjection"),
  linear("attentionNorm.y", "wk", "kProjection"),
  linear("attentionNorm.y", "wv", "v"),
  { op: "rope", inputs: { x: "qProjection" }, outputs: { y: "q" } },
  { op: "rope", inputs: { x: "kProjection" }, outputs: { y: "k" } },
  { op: "attention", inputs: { q: "q", k: "k", v: "v" }, outputs: { y: "attention.y", lse: "attention.lse" } },
  linear("attention.y", "wo", "attentionOutput"),
  { op: "add", inputs: { a: "x", b: "attentionOutput" }, outputs: { y: "attentionResidual" } },
  norm("attentionResidual", "ffnNorm"),
  linear("ffnNorm.y", "w1", "gate"),
  linear("ffnNorm.y", "w3", "up"),
  { op: "swiglu", inputs: { gate: "gate", up: "up" }, outputs: { y: "swiglu" } },
  linear("swiglu", "w2", "ffnOutput"),
  { op: "add", inputs: { a: "attentionResidual", b: "ffnOutput" }, outputs: { y: "ffnResidual" } },
];

/** The op that gives a tensor; none gives x. */
export function opOf(name: TensorName): OpRow | undefined {
  return blockOps.find(({ outputs }) => Object.values(outputs).includes(name));
}

/** The field of an object of tensors by a name with dots, such as "attention.lse". */
export function fieldAt<T>(fields: unknown, name: string): T {
  return name.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], fields) as T;
}

function norm(x: TensorName, weight: "attentionNorm" | "ffnNorm"): OpRow {
  return { op: "rmsnorm", inputs: { x }, weight, outputs: { y: `${weight}.y`, rstd: `${weight}.rstd` } };
}

function linear(x: TensorName, weight: WeightName, y: TensorName): OpRow {
  return { op: "linear", inputs: { x }, weight, outputs: { y } };
}
