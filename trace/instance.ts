// An op as a step used it, on recorded tensors under the shapes of the op.
import type { LlamaConfig } from "../reference/config.ts";
import type { Scalars } from "../reference/operation.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";

/** A tensor of a trace with the shape in which an op sees it: the same numbers, axes joined or split. */
export interface Recorded {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * The part of a step that an op belongs to: "cast" makes the copies of the weights that the passes read; "pass" is a pass over a
 * micro-batch, in the dtype of those copies, and the mean of the losses of several; "accumulation" sums their gradients; "norm" is
 * the global norm and the division by a loss scale before it; "update" is clipping and AdamW, weight by weight.
 */
export type Stage = "cast" | "pass" | "accumulation" | "norm" | "update";

export interface Instance {
  /** Such as "rmsnorm.forward". */
  readonly op: string;
  /** Such as "layer 1, attention_norm". */
  readonly where: string;
  readonly stage: Stage;
  /** Set for an op that not every step has: it is judged only if all of its tensors are recorded. */
  readonly ifRecorded?: true;
  /** By the op's argument names. A list is laid end to end: the global norm is over all gradients. */
  readonly inputs: Readonly<Record<string, Recorded | readonly Recorded[]>>;
  /** As the op was given them: rounded to the storage of the trace. */
  readonly scalars: Scalars;
  readonly outputs: Readonly<Record<string, Recorded>>;
}

/** The facts from which the instances of a step follow: configuration, [B, T], and the storage, shown by any tensor in `like`. */
export interface TraceShape {
  readonly config: LlamaConfig;
  readonly hyperparameters?: Hyperparameters;
  readonly B: number;
  readonly T: number;
  /** Parts that the batch was computed in, of B / microBatches sequences each; 1 by default. */
  readonly microBatches?: number;
  readonly like: Tensor;
  /** Whether the passes read copies of the weights in a smaller dtype. */
  readonly mixed?: boolean;
}

export function recorded(name: string, ...shape: number[]): Recorded {
  return { name, shape };
}

/** The same tensor as [N]. */
export function flat({ name, shape }: Recorded): Recorded {
  return recorded(name, sizeOf(shape));
}

/** The beginning of the names of micro-batch i's tensors. */
export function micro(i: number): string {
  return `microBatches.${i}.`;
}
