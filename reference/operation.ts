// An op as the code that judges, lists and runs it sees it: its arguments by name, and the two functions of its row.
import type { Allowance, Errors } from "./bounds.ts";
import type { DTypeName } from "./dtype.ts";
import type { Target } from "./targets.ts";
import type { Floats, Ints, Tensor } from "./tensor.ts";

export type Inputs = Readonly<Record<string, Tensor<Floats | Ints>>>;
export type Outputs = Readonly<Record<string, Tensor>>;
/** Numbers, sizes and choices; a choice is one of the words that the signature lists. */
export type Scalars = Readonly<Record<string, number | string>>;
export type StorageOf<P extends Floats> = new (length: number) => P;

/**
 * The kind of a scalar: a real number (rounded to the storage before a kernel gets it), a decimal (a double, as it was
 * written; a kernel that computes in float32 rounds it), a whole number, a length of an axis, or one of some words.
 */
export type ScalarKind = "real" | "decimal" | "integer" | "axis" | readonly string[];

/** A sum of an op. */
export interface SumInfo {
  /** Its terms. */
  readonly of: string;
  /** The axes along which it is taken, such as "R" or "T·NH/NKV"; one of several where the op has two forms of it. */
  readonly over: readonly string[];
}

export interface Operation {
  /** Such as "rmsnorm.forward". */
  readonly name: string;
  /** The formula, in one line. */
  readonly summary: string;
  /** Argument → axis letters; in the order of the function's arguments. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The inputs that are int32: tokens and targets. */
  readonly integers: readonly string[];
  readonly scalars: Readonly<Record<string, ScalarKind>>;
  /** Result → axis letters. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Results that a candidate does not give, and that are not among `outputs`; absent where it gives all. */
  readonly notOffered?: readonly string[];
  /** Names of intermediates that a kernel may declare as stored low, with their meaning. */
  readonly stores: Readonly<Record<string, string>>;
  /** Sums whose order a kernel may declare, by name. */
  readonly sums: Readonly<Record<string, SumInfo>>;
  /** The variants of the formula that the bound covers: a name, and the variant in words. */
  readonly covered: Readonly<Record<string, string>>;
  /** Ways of computing that people use and that the bound does not cover, each with the reason. */
  readonly uncovered?: Readonly<Record<string, string>>;
  /** Outputs that are sums of products: on integers whose sums stay below 2²⁴ a correct kernel has no error at all. */
  readonly exact: readonly string[];
  /** Inputs and outputs that stay float32 whatever dtype the others have: statistics, losses, angles, the optimizer's state. */
  readonly wide: readonly string[];
  /** Field of the row → why it is empty. */
  readonly none: Readonly<Record<string, string>>;
  /** The op on inputs of one storage; Float64Array gives the truth. */
  evaluate<P extends Floats>(inputs: Inputs, scalars: Scalars, Storage: StorageOf<P>): Record<string, Tensor<P>>;
  /** An allowance for each output element of a correct kernel for the target; `errors` are those of the inputs. */
  bound(inputs: Inputs, scalars: Scalars, target: Target, errors?: Errors<string>): Record<string, Allowance>;
}

/** The shape of each output, from the axis letters of the inputs and the scalars that are lengths of axes. */
export function outputShapes(
  operation: Operation,
  inputs: Inputs,
  scalars: Scalars,
): Record<string, readonly number[]> {
  const lengths = new Map<string, number>();
  for (const [name, kind] of Object.entries(operation.scalars))
    if (kind === "axis") lengths.set(name, Number(scalars[name]));
  for (const [name, spec] of Object.entries(operation.inputs)) {
    for (const [i, axis] of axesOf(spec).entries()) lengths.set(axis, inputs[name].shape[i]);
  }
  const lengthOf = (axis: string): number =>
    lengths.get(axis) ?? (axis.endsWith("/2") ? lengthOf(axis.slice(0, -2)) / 2 : NaN);
  return Object.fromEntries(
    Object.entries(operation.outputs).map(([name, spec]) => [name, axesOf(spec).map(lengthOf)]),
  );
}

/** The dtype in which a tensor of an op is stored: statistics, losses and angles stay float32 whatever the rest is. */
export function storageOf(operation: Operation, name: string, dtype: DTypeName): DTypeName {
  return operation.wide.includes(name) ? "float32" : dtype;
}

/** "B,T" → ["B", "T"]; "" → []. */
export function axesOf(spec: string): string[] {
  return spec === "" ? [] : spec.split(",");
}
