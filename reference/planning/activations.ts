// Activation memory of one rank, for one micro-batch: for each tensor its elements here × the bytes of one.
//
//   Σ over layers, over saved tensors      held from the forward to the backward, by policy
//   + the model's own                      tokens, RoPE's table, the last norm, logits and their statistics
//   + one block's recomputed tensors       there while that block's backward runs
import type { LlamaConfig } from "../config.ts";
import { blockTensors, type OpRow, type TensorName, type TensorRow } from "../model/block-table.ts";
import { modelTensors, type ModelTensorName } from "../model/model-table.ts";
import { kept, type Policy } from "../model/policies.ts";
import { localCount, localSizes, type ModelSizes, sizesOf, type TensorGroup } from "../model/sizes.ts";
import { elementBytes, type StorageName } from "../model/storage.ts";

/** The activation memory of one rank: bytes of each tensor, and their sums. */
export interface ActivationMemory {
  /** The bytes that one block holds for its backward. */
  readonly block: ReadonlyMap<TensorName, number>;
  readonly model: ReadonlyMap<ModelTensorName, number>;
  /** All blocks and the model's own. */
  readonly saved: number;
  /** The bytes that one block's backward needs and the forward did not keep. */
  readonly recomputed: number;
  /** Gradients in flight, at most: those of the logits, or in a block around SwiGLU or the attention; gathered rows. */
  readonly gradients: number;
}

/** The exact bytes of a micro-batch of B sequences of T tokens. */
export function activationMemory(
  config: LlamaConfig,
  group: TensorGroup,
  batch: { readonly B: number; readonly T: number },
  policy: Policy,
  dtype: StorageName,
): ActivationMemory {
  const local = localSizes(sizesOf(config, batch.B, batch.T), group);
  const bytes = (t: TensorRow): number => localCount(t, local, group) * elementBytes(t, dtype);
  const named = (names: readonly TensorName[]): [TensorName, number][] =>
    names.map((name) => [name, bytes(blockTensors[name])]);
  const { saved, recomputed } = kept(policy);
  const block = new Map(named(saved));
  const model = new Map(
    (Object.entries(modelTensors) as [ModelTensorName, TensorRow][]).map(([name, t]) => [name, bytes(t)]),
  );
  return {
    block,
    model,
    saved: config.nLayers * sum(block.values()) + sum(model.values()),
    recomputed: sum(new Map(named(outputsOf(recomputed).filter((name) => !block.has(name)))).values()),
    gradients: Math.max(bytes(modelTensors.logits), gradientsOfBlock(bytes)) + gathered(local, dtype, group),
  };
}

/** The outputs of ops that run again. */
export function outputsOf(ops: readonly OpRow[]): TensorName[] {
  return ops.flatMap(({ outputs }) => Object.values(outputs));
}

function gradientsOfBlock(bytes: (t: TensorRow) => number): number {
  const of = (...names: TensorName[]): number => sum(names.map((name) => bytes(blockTensors[name])));
  return Math.max(of("ffnResidual", "swiglu", "gate", "up"), of("attentionResidual", "attention.y", "q", "k", "v"));
}

// Under sequence parallelism a product's input is gathered over the group, and so is the gradient of its output.
function gathered({ B, T, C }: ModelSizes, dtype: StorageName, { sequence }: TensorGroup): number {
  return sequence ? 2 * B * T * C * elementBytes({ stored: "activation" }, dtype) : 0;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
