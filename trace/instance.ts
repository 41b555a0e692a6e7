// An op as a step used it, and the words in which a step is told: recorded tensors under the shapes of the ops.
import { headSize, type LlamaConfig } from "../reference/config.ts";
import type { Scalars } from "../reference/operation.ts";
import { roundScalar, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";
import { weightShapes } from "../reference/weights.ts";

/** A tensor of a trace under the shape in which an op sees it: the same numbers, axes taken together or apart. */
export interface Recorded {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Instance {
  /** Such as "rmsnorm.forward". */
  readonly op: string;
  /** Such as "layer 1, attention_norm". */
  readonly where: string;
  /** By the op's argument names. A list is laid end to end: the global norm is over all gradients. */
  readonly inputs: Readonly<Record<string, Recorded | readonly Recorded[]>>;
  /** As the op was given them: rounded to the storage of the trace. */
  readonly scalars: Scalars;
  readonly outputs: Readonly<Record<string, Recorded>>;
}

/** What a full trace is of: the configuration, [B, T], and its storage, shown by any of its tensors. */
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

/** The residual stream at the start of layer i; at the end of the last for i = L. */
export function streamName(i: number): string {
  return i === 0 ? "embedding" : `layers.${i - 1}.ffn_residual`;
}

/** Makes the recorded tensors of one kind, such as "activations". */
const kind =
  (prefix: string) =>
  (name: string, ...shape: number[]): Recorded => ({ name: `${prefix}.${name}`, shape });

/** Where micro-batch i is recorded: before the names of its tensors. */
export function micro(i: number): string {
  return `microBatches.${i}.`;
}

/**
 * The recorded tensors of step 0 by their kinds, each under the shape of an op; `at` is what stands before the names of one
 * micro-batch, or nothing.
 */
export function words({ config, B, T, like, mixed = false }: TraceShape, at = "") {
  const { dim: C, nHeads: NH, nKvHeads: NKV, ffnDim: F, vocabSize: V } = config;
  const HS = headSize(config);
  const R = B * T;
  const weights = weightShapes(config);
  const weight =
    (prefix: string) =>
    (name: string): Recorded => ({ name: `${prefix}.${name}.weight`, shape: weights.get(`${name}.weight`)! });
  const act = kind(`${at}activations`);
  const grad = kind(`${at}activationGradients`);
  const query = [B, T, NH, HS] as const;
  const key = [B, T, NKV, HS] as const;
  return {
    T,
    R,
    C,
    F,
    V,
    HS,
    query,
    key,
    queries: NH * HS,
    keys: NKV * HS,
    act,
    grad,
    term: kind(`${at}activationGradientTerms`),
    useOfTable: kind(`${at}gradientTerms.tok_embeddings.weight`),
    w: weight(mixed ? "castWeights" : "weights"),
    dw: weight(`${at}gradients`),
    tokens: recorded(`${at || "steps.0."}tokens`, R),
    targets: recorded(`${at || "steps.0."}targets`, R),
    table: { cos: act("rope.cos", T, HS / 2), sin: act("rope.sin", T, HS / 2) },
    head: config.tiedEmbeddings ? "tok_embeddings" : "output",
    eps: roundScalar(config.normEps, like),
    theta: roundScalar(config.ropeTheta, like),
  };
}
