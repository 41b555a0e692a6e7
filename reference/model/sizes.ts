// The lengths of the axes, for the whole model and for one rank of a tensor-parallel group.
import { headSize, type LlamaConfig } from "../config.ts";
import type { Axis, TensorRow } from "./block-table.ts";

export interface ModelSizes {
  readonly B: number;
  readonly T: number;
  readonly C: number;
  readonly NH: number;
  readonly NKV: number;
  readonly HS: number;
  readonly F: number;
  readonly V: number;
}

/** How a tensor-parallel group shares a model; tensor 1 is one rank that holds it all. */
export interface TensorGroup {
  /** Ranks that share each matrix (Shoeybi et al. 2019). */
  readonly tensor: number;
  /** Whether they also share the rows of norms and residuals (Korthikanti et al. 2022). */
  readonly sequence: boolean;
}

/** A micro-batch of B sequences of T tokens through the whole model. */
export function sizesOf(config: LlamaConfig, B: number, T: number): ModelSizes {
  const { dim: C, nHeads: NH, nKvHeads: NKV, ffnDim: F, vocabSize: V } = config;
  return { B, T, C, NH, NKV, HS: headSize(config), F, V };
}

/** One rank's share: heads, features and rows of the vocabulary are divided; positions are where a region says so. */
export function localSizes(sizes: ModelSizes, { tensor: t }: TensorGroup): ModelSizes {
  return { ...sizes, NH: sizes.NH / t, NKV: sizes.NKV / t, F: sizes.F / t, V: sizes.V / t };
}

/** The number of elements of a shape. */
export function count(shape: readonly Axis[], sizes: ModelSizes): number {
  return shape.reduce((product, axis) => product * sizes[axis], 1);
}

/** How many elements of a tensor one rank holds; `local` as from localSizes. */
export function localCount({ shape, region }: TensorRow, local: ModelSizes, group: TensorGroup): number {
  const split = region === "sequence" && group.sequence;
  return count(shape, split ? { ...local, T: local.T / group.tensor } : local);
}
