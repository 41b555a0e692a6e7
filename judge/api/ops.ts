// The ops as a user sees them: inputs and outputs, the variants that the bound covers, and the reference itself.
import type { Inputs, Operation, ScalarKind, Scalars } from "../../reference/operation.ts";
import { type OpName, operations } from "../../reference/ops/index.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { type Chosen, choose } from "../choose.ts";
import { checkInputs, checkScalars, shown } from "./input.ts";
import type { AnyOp, FusedName, InputsOf, OutputsOf, ScalarsOf } from "./types.ts";

/**
 * One op: its formula, its axes, the variants that its bound covers, the intermediates that a kernel may declare.
 *
 * @example
 * ```ts
 * import { type OpInfo, ops } from "touchstone-llama";
 *
 * const info: OpInfo<"linear.forward"> = ops["linear.forward"];
 * info.summary; // "y = x · wᵀ"
 * info.inputs.w; // "O,C": the axes of w
 * ```
 */
export interface OpInfo<Op extends AnyOp = AnyOp> {
  readonly name: Op;
  /** The formula, in one line. */
  readonly summary: string;
  /** Input → its axes, such as "R,C". An axis letter stands for one length; "HS/2" for half of HS; "" for a scalar. */
  readonly inputs: Readonly<Record<keyof InputsOf<Op>, string>>;
  /** The inputs that are int32: tokens and targets. */
  readonly integers: readonly string[];
  /** Scalar → its kind: a real number, a whole number, the length of an axis, or one of some words. */
  readonly scalars: Readonly<Record<keyof ScalarsOf<Op>, ScalarKind>>;
  /** Output → its axes. */
  readonly outputs: Readonly<Record<keyof OutputsOf<Op>, string>>;
  /** Intermediates that a kernel may declare as stored in a lower format (`stores`), with their meaning. */
  readonly stores: Readonly<Record<string, string>>;
  /** Sums whose order a kernel may declare (`sums`), with their terms and the axes along which they are taken. */
  readonly sums: Readonly<Record<string, { readonly of: string; readonly over: readonly string[] }>>;
  /** The variants of the formula that the bound covers: a name, and the variant in words. */
  readonly covered: Readonly<Record<string, string>>;
  /** Ways of computing that people use and that the bound does not cover, each with the reason. */
  readonly uncovered: Readonly<Record<string, string>>;
  /** Outputs that must be exact on integers whose sums stay below 2²⁴. */
  readonly exact: readonly string[];
  /** Inputs and outputs that stay float32 whatever the dtype. */
  readonly wide: readonly string[];
  /**
   * The op itself, computed in double and each element stored once: as float32, or as float64 if `Storage` says so. Throws
   * TypeError or RangeError for inputs and scalars that are not the op's.
   */
  reference<P extends Floats = Float32Array>(
    inputs: InputsOf<Op>,
    scalars: ScalarsOf<Op>,
    Storage?: new (length: number) => P,
  ): { readonly [Output in keyof OutputsOf<Op>]: Tensor<P> };
}

/**
 * Every op of a LLaMA and its training step, forward and backward, by its name.
 *
 * @example
 * ```ts
 * import { ops, tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([3, 4]), [1, 2]);
 * const w = tensor(new Float32Array([1, 1]), [2]);
 * const { y, rstd } = ops["rmsnorm.forward"].reference({ x, w }, { eps: 1e-5 });
 * y.shape; // [1, 2]
 * rstd.data[0]; // 0.2828…, 1 / √(12.5 + eps)
 * Object.keys(ops); // "embedding.forward", "embedding.backward", …
 * ```
 */
export const ops = Object.fromEntries([...operations].map(([name, row]) => [name, infoOf(row)])) as unknown as {
  readonly [Op in OpName]: OpInfo<Op>;
};

/**
 * The fused op of two or more forward ops: each reads the first output of the one before as its first input, and nothing is
 * stored between them. Pass its name to `oracle`, `compare`, `judge` and `cases`. An input name that two parts share gets the
 * op's name in front: "linear.w". Throws RangeError where the ops do not fit, TypeError unless every name is a string.
 *
 * @example
 * ```ts
 * import { fuse } from "touchstone-llama";
 *
 * const { name, inputs } = fuse("rmsnorm.forward", "linear.forward");
 * name; // "rmsnorm.forward+linear.forward"
 * inputs; // { x: "R,C", "rmsnorm.w": "C", "linear.w": "O,C" }
 * ```
 */
export function fuse(first: OpName, second: OpName, ...rest: OpName[]): OpInfo<FusedName> {
  const names = [first, second, ...rest];
  if (second === undefined) throw new TypeError(`fuse: got one op, ${shown(first)}, expected two or more`);
  for (const name of names)
    if (typeof name !== "string") throw new TypeError(`fuse: got ${shown(name)}, expected an op`);
  return infoOf(chosenOf(names.join("+"), "fuse").operation) as OpInfo<FusedName>;
}

/** An op, or a fused op, by its name. Throws TypeError unless it is a string, RangeError for an unknown name. */
export function chosenOf(op: unknown, where = "op"): Chosen {
  if (typeof op !== "string") {
    throw new TypeError(`${where}: got ${shown(op)}, expected the name of an op, such as "swiglu.forward"`);
  }
  if (!op.includes("+") && !operations.has(op)) {
    throw new RangeError(`${where}: got ${shown(op)}, expected one of ${[...operations.keys()].join(", ")}`);
  }
  return choose([op])[0];
}

function infoOf(row: Operation): OpInfo {
  const { name, summary, inputs, integers, scalars, outputs, stores, sums, covered, uncovered = {}, exact, wide } = row;
  return {
    name: name as AnyOp,
    summary,
    inputs,
    integers,
    scalars,
    outputs,
    stores,
    sums,
    covered,
    uncovered,
    exact,
    wide,
    reference: <P extends Floats = Float32Array>(
      given: Inputs,
      values: Scalars,
      Storage: new (length: number) => P = Float32Array as never,
    ) => {
      checkInputs(row, given);
      checkScalars(row, values);
      return row.evaluate(inStorage(given, Storage), values, Storage) as never;
    },
  } as OpInfo;
}

/** The same numbers in the storage in which an op is to be computed; ids stay as they are. */
function inStorage<P extends Floats>(inputs: Inputs, Storage: new (length: number) => P): Inputs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, t]) => {
      if (t.data instanceof Int32Array || t.data instanceof Storage) return [name, t];
      const data = new Storage(t.data.length);
      data.set(t.data);
      return [name, { data, shape: t.shape }];
    }),
  );
}
