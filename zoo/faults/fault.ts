// A fault is a right kernel with one difference: the judge must reject it.
import type { DTypeName, FormatName } from "../../reference/dtype.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import type { OpName } from "../../reference/ops/index.ts";

/** Computes in float32, from tensors whose numbers are float32 or narrower; what it returns is rounded once to the dtype of the check. */
export type Kernel = (inputs: Inputs, scalars: Scalars) => Outputs;

/**
 * index: another element is read or written. mask: what a query may see. tail: what is left of a vector, a tile or a grid. size: begins at a
 * size. state: depends on an earlier call. precision: computed or kept in too few bits. range: overflows. formula: something else is computed.
 */
export type FaultClass = "index" | "mask" | "tail" | "size" | "state" | "precision" | "range" | "formula";

/** How a fault is checked, where that is not in float32 for the target wgsl. */
export interface FaultTerms {
  readonly dtype?: DTypeName;
  readonly target?: "ieee" | "cuda";
  readonly stores?: Readonly<Record<string, FormatName>>;
  /** Where this mistake has shipped: a tracker's entry. */
  readonly source?: string;
  /** A choice that frameworks make in different ways, such as the mean over no targets. */
  readonly convention?: true;
  /** Why a default check does not find it, and what would. */
  readonly missed?: string;
}

export interface Fault extends FaultTerms {
  readonly name: string;
  readonly op: OpName;
  readonly class: FaultClass;
  /** The mistake in one line. */
  readonly what: string;
  /** A kernel that has run nothing yet. */
  readonly kernel: () => Kernel;
}

/** Collects the faults of one op: name, class, mistake, kernel, terms. */
export function faultsOf(
  op: OpName,
  list: readonly (readonly [name: string, kind: FaultClass, what: string, kernel: () => Kernel, terms?: FaultTerms])[],
): Fault[] {
  return list.map(([name, kind, what, kernel, terms]) => ({ name, op, class: kind, what, kernel, ...terms }));
}

/** bfloat16 tensors on a GPU of NVIDIA. */
export const bfloat16Cuda = { dtype: "bfloat16", target: "cuda" } as const;
