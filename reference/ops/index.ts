// The list of ops: one line for each op and direction. Everything else about an op is in its row, next to its bound.
import type { Floats } from "../tensor.ts";
import type { InputTensors, OutputTensors, ScalarValues } from "../define-op.ts";
import type { Operation } from "../operation.ts";
import * as adamw from "./adamw.bound.ts";
import * as add from "./add.bound.ts";
import * as attention from "./attention.bound.ts";
import * as cast from "./cast.bound.ts";
import * as clip from "./clip.bound.ts";
import * as crossEntropy from "./cross-entropy.bound.ts";
import * as embedding from "./embedding.bound.ts";
import * as gradientNorm from "./gradient-norm.bound.ts";
import * as linear from "./linear.bound.ts";
import * as rmsnorm from "./rmsnorm.bound.ts";
import * as ropeTable from "./rope-table.bound.ts";
import * as rope from "./rope.bound.ts";
import * as softmax from "./softmax.bound.ts";
import * as swiglu from "./swiglu.bound.ts";

const rows = [
  embedding.forward,
  embedding.backward,
  rmsnorm.forward,
  rmsnorm.backward,
  add.forward,
  cast.forward,
  linear.forward,
  linear.backward,
  ropeTable.forward,
  rope.forward,
  rope.backward,
  softmax.forward,
  softmax.backward,
  attention.forward,
  attention.backward,
  swiglu.forward,
  swiglu.backward,
  crossEntropy.forward,
  crossEntropy.backward,
  gradientNorm.forward,
  clip.forward,
  adamw.forward,
] as const;

type Row = (typeof rows)[number];

/**
 * Such as "swiglu.forward".
 *
 * @example
 * ```ts
 * import type { OpName } from "touchstone-llama";
 *
 * const names: OpName[] = ["swiglu.forward", "swiglu.backward"];
 * ```
 */
export type OpName = Row["name"];
/** The row of an op, with the types that its own declaration gives. */
export type OpOf<Name extends OpName> = Extract<Row, { readonly name: Name }>;

/** The names of the variants that an op's bound covers. */
export type CoveredOf<Name extends OpName> = Extract<keyof OpOf<Name>["covered"], string>;

/** The inputs, scalars and outputs of each op, by name, in one storage of real numbers. */
export type OpTable<P extends Floats = Floats> = {
  readonly [Name in OpName]: {
    readonly inputs: InputTensors<OpOf<Name>["inputs"], OpOf<Name>["integers"][number], P>;
    readonly scalars: ScalarValues<OpOf<Name>["scalars"]>;
    readonly outputs: OutputTensors<OpOf<Name>["outputs"], P>;
  };
};
/** Such as { x: Tensor; w: Tensor } of "rmsnorm.forward". */
export type InputsOf<Name extends OpName, P extends Floats = Floats> = OpTable<P>[Name]["inputs"];
/** Such as { eps: number }. */
export type ScalarsOf<Name extends OpName> = OpTable[Name]["scalars"];
/** Such as { y: Tensor; rstd: Tensor }. */
export type OutputsOf<Name extends OpName, P extends Floats = Floats> = OpTable<P>[Name]["outputs"];

/** Every op and direction, by a name that the compiler knows. */
export const ops = Object.fromEntries(rows.map((row) => [row.name, row])) as { readonly [Name in OpName]: OpOf<Name> };

/** The same by any string, such as one from a command line. */
export const operations: ReadonlyMap<string, Operation> = new Map(
  rows.map((row): [string, Operation] => [row.name, row]),
);

/** Whether a string names an op. */
export function isOpName(name: string): name is OpName {
  return operations.has(name);
}
