// Training state: weights, gradients and the optimizer's copies, of the whole run and of one rank.
//
//   one rank holds  weights / D₃ + gradients / D₂ + optimizer / D₁   bytes of its 1/t of the parameters,
//
// where Dₛ is the number of data ranks if the ZeRO stage is at least s, otherwise 1 (Rajbhandari et al. 2020, section 5).
import type { LlamaConfig } from "../config.ts";
import { countParameters } from "../weights.ts";
import { blockWeights } from "../model/block-table.ts";
import type { Layout } from "./layout.ts";
import { count, localSizes, sizesOf, type TensorGroup } from "../model/sizes.ts";
import { stateBytes, type StorageName } from "../model/storage.ts";

/** Parameters that one rank of a tensor-parallel group holds: matrices are divided, the norms' gains are on every rank. */
export interface RankParameters {
  readonly block: number;
  /** The embedding, the last norm and the head. */
  readonly outside: number;
  readonly total: number;
}

export function rankParameters(config: LlamaConfig, group: TensorGroup): RankParameters {
  const local = localSizes(sizesOf(config, 1, 1), group);
  let block = 0;
  for (const shape of Object.values(blockWeights)) block += count(shape, local);
  const matrices = config.tiedEmbeddings ? 1 : 2;
  const outside = matrices * count(["V", "C"], local) + local.C;
  return { block, outside, total: config.nLayers * block + outside };
}

/** Bytes. */
export interface StateMemory {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly total: number;
}

/** Of the whole model, once. */
export function trainingState(config: LlamaConfig, dtype: StorageName): StateMemory {
  return stateOf(countParameters(config), dtype, 1, 0);
}

/** Of one rank; a shard is the parameters divided by the data ranks, rounded up. */
export function rankState(config: LlamaConfig, layout: Layout, dtype: StorageName): StateMemory {
  return stateOf(rankParameters(config, layout).total, dtype, layout.data, layout.zero);
}

/**
 * The buffers into which ZeRO's shards are gathered for use: from stage 2 one block's gradients before they are reduced, at
 * stage 3 also the weights of a block and of the next, or the embedding's. Bytes of one rank.
 */
export function gatheredState(config: LlamaConfig, layout: Layout, dtype: StorageName): number {
  const { block, outside } = rankParameters(config, layout);
  const bytes = stateBytes(dtype);
  const gradients = layout.zero >= 2 ? Math.max(block, outside) * bytes.gradients : 0;
  const weights = layout.zero >= 3 ? Math.max(2 * block, outside) * bytes.weights : 0;
  return gradients + weights;
}

function stateOf(parameters: number, dtype: StorageName, data: number, zero: number): StateMemory {
  const bytes = stateBytes(dtype);
  const shard = Math.ceil(parameters / data);
  const weights = bytes.weights * (zero >= 3 ? shard : parameters);
  const gradients = bytes.gradients * (zero >= 2 ? shard : parameters);
  const optimizer = bytes.optimizer * (zero >= 1 ? shard : parameters);
  return { weights, gradients, optimizer, total: weights + gradients + optimizer };
}
