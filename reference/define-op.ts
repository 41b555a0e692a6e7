// One row for each op and direction: its signature, what its bound covers, and its two functions, typed by the row itself.
//
// A row declares a tensor by its name and axis letters, a scalar by its name and kind. From these the compiler derives the
// arguments and results of `evaluate` and `bound`: a name that is misspelt, left out or of the wrong kind does not compile.
import type { Allowance, Errors } from "./bounds.ts";
import { isNone, type None } from "./none.ts";
import type { ScalarKind, StorageOf, SumInfo } from "./operation.ts";
import type { Target } from "./targets.ts";
import type { Floats, Ints, Tensor } from "./tensor.ts";

/** Name → axis letters, such as { x: "R,C", w: "C" }. */
type Axes = Readonly<Record<string, string>>;
type Kinds = Readonly<Record<string, ScalarKind>>;
type NameIn<T> = Extract<keyof T, string>;

/** The inputs of a row by name: those listed as integers are int32, the others have one storage. */
export type InputTensors<I extends Axes, Int, P extends Floats> = {
  readonly [Name in keyof I]: Name extends Int ? Tensor<Ints> : Tensor<P>;
};
/** The scalars of a row by name: numbers, or one of the words that the row lists. */
export type ScalarValues<S extends Kinds> = {
  readonly [Name in keyof S]: S[Name] extends readonly (infer Word extends string)[] ? Word : number;
};
export type OutputTensors<O extends Axes, P extends Floats> = { readonly [Name in keyof O]: Tensor<P> };

interface Signature<
  N extends string,
  I extends Axes,
  Int extends readonly NameIn<I>[],
  S extends Kinds,
  O extends Axes,
  V extends string,
> {
  /** Such as "rmsnorm.forward". */
  readonly name: N;
  /** The formula, in one line. */
  readonly summary: string;
  /** Input → axis letters. */
  readonly inputs: I;
  /** The inputs that are int32: tokens and targets. */
  readonly integers: Int;
  readonly scalars: S;
  /** Output → axis letters. */
  readonly outputs: O;
  /**
   * The variants of the formula that the bound covers: a name, and the variant in words. The zoo's evaluations list the names
   * of the variants that they exercise, and every variant is exercised.
   */
  readonly covered: { readonly [name in V]: string };
  /** Ways of computing that people use and that the bound does not cover, each with the reason. */
  readonly uncovered?: Readonly<Record<string, string>>;
  /** The op on inputs of one storage; Float64Array gives the truth. */
  evaluate<P extends Floats>(
    inputs: InputTensors<I, Int[number], P>,
    scalars: ScalarValues<S>,
    Storage: StorageOf<P>,
  ): OutputTensors<O, P>;
  /** An allowance for each output element of a correct kernel for the target; `errors` are those of the inputs. */
  bound(
    inputs: InputTensors<I, Int[number], Floats>,
    scalars: ScalarValues<S>,
    target: Target,
    errors?: Errors<Exclude<NameIn<I>, Int[number]>>,
  ): { readonly [Name in keyof O]: Allowance };
}

/** A row's declarations in addition to its signature and functions; `none("why")` where an op has no such thing. */
interface Claims<I extends Axes, O extends Axes> {
  /** Names of intermediates that a kernel may declare as stored low, with their meaning. */
  readonly stores: Readonly<Record<string, string>>;
  /** Sums whose order a kernel may declare, by name. */
  readonly sums: Readonly<Record<string, SumInfo>>;
  /** Outputs that are sums of products: on integers whose sums stay below 2²⁴ a correct kernel has no error at all. */
  readonly exact: readonly NameIn<O>[];
  /** Inputs and outputs that stay float32 whatever dtype the others have: statistics, losses, angles, the optimizer's state. */
  readonly wide: readonly (NameIn<I> | NameIn<O>)[];
}

/** A row as it is written. */
export type Declaration<
  N extends string,
  I extends Axes,
  Int extends readonly NameIn<I>[],
  S extends Kinds,
  O extends Axes,
  V extends string,
> = Signature<N, I, Int, S, O, V> & { readonly [Field in keyof Claims<I, O>]: Claims<I, O>[Field] | None };

/** A row as it is used: an `Operation` whose names and types the compiler knows. */
export interface Op<
  N extends string,
  I extends Axes,
  Int extends readonly NameIn<I>[],
  S extends Kinds,
  O extends Axes,
  V extends string,
>
  extends Signature<N, I, Int, S, O, V>, Claims<I, O> {
  /** Field → why it is empty. */
  readonly none: Readonly<Record<string, string>>;
}

/**
 * The row of one op and direction.
 *
 *     export const forward = defineOp({
 *       name: "add.forward",
 *       summary: "y = a + b",
 *       inputs: { a: "N", b: "N" },
 *       integers: [],
 *       scalars: {},
 *       outputs: { y: "N" },
 *       stores: none("one operation: nothing is stored on the way"),
 *       sums: none("two terms"),
 *       covered: { sum: "one addition" },
 *       exact: ["y"],
 *       wide: none("no statistic"),
 *       evaluate: ({ a, b }) => add.forward(a, b),
 *       bound: forwardBound,
 *     });
 */
export function defineOp<
  const N extends string,
  const I extends Axes,
  const Int extends readonly NameIn<I>[],
  const S extends Kinds,
  const O extends Axes,
  const V extends string,
>(declaration: Declaration<N, I, Int, S, O, V>): Op<N, I, Int, S, O, V> {
  const { stores, sums, exact, wide } = declaration;
  return {
    ...declaration,
    stores: isNone(stores) ? {} : stores,
    sums: isNone(sums) ? {} : sums,
    exact: isNone(exact) ? [] : exact,
    wide: isNone(wide) ? [] : wide,
    none: reasons({ stores, sums, exact, wide }),
  };
}

/** Field → why it is empty, for the fields that are `none`. */
export function reasons(fields: Readonly<Record<string, object>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([field, value]) => (isNone(value) ? [[field, value.why]] : [])),
  );
}
