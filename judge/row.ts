// All that the judge needs to know about one op and direction, in one row: its cases, where its precision is measured, the
// relations that a correct kernel keeps, and its samples at the scale of a real model.
//
// A row is written with `judgeRow`. Every field is required, and none("why") says that an op has no such thing. The names of
// inputs, outputs, scalars, axes and sizes are those of the op's own row in reference/ops: another does not compile.
import type * as fc from "fast-check";
import type { DTypeName } from "../reference/dtype.ts";
import { reasons } from "../reference/define-op.ts";
import { isNone, type None } from "../reference/none.ts";
import type { InputsOf, OpName, OpOf, OutputsOf, ScalarsOf } from "../reference/ops/index.ts";
import type { AxisNames } from "../reference/tensor.ts";
import type { Around } from "./around.ts";
import type { ScaleRow } from "./at-scale.ts";
import type { CaseSpec, Problem, Sizes } from "./case.ts";
import type { Large } from "./large.ts";
import type { Padding } from "./invariance/padding.ts";
import type { Probe } from "./probes.ts";
import type { MadeUp } from "./profile.ts";
import type { Sampling } from "./sampled.ts";
import type { Independence } from "./relations/independence.ts";
import type { Symmetry } from "./relations/permutation.ts";
import type { Scaling } from "./relations/scaling.ts";
import type { Shift } from "./relations/shifts.ts";
import { tilingOf } from "./tiling.ts";

type NameIn<T> = Extract<keyof T, string>;
type InputOf<Op extends OpName> = NameIn<InputsOf<Op>>;
type OutputOf<Op extends OpName> = NameIn<OutputsOf<Op>>;
type ValueOf<T> = T[keyof T];
type AxisOf<Op extends OpName> = AxisNames<Extract<ValueOf<OpOf<Op>["inputs"]> | ValueOf<OpOf<Op>["outputs"]>, string>>;

/** Inputs and scalars of one op, by the names of its row. */
export interface RowProblem<Op extends OpName> {
  readonly inputs: InputsOf<Op, Float32Array>;
  readonly scalars: ScalarsOf<Op>;
}

/** Numbers that a formula does not contain but a kernel may read. */
export interface Unread {
  /** In words, such as "the logits of an ignored row". */
  readonly name: string;
  readonly input: string;
  readonly places: readonly number[];
}

/** A row as it is used. */
export interface JudgeRow<Op extends string = string, P = Problem> extends CaseSpec<P> {
  readonly op: Op;
  /** What cases of a real model's size are drawn from. */
  readonly large: Large | undefined;
  /** Small problems around elements of a large output; undefined where the bound of all elements is cheap enough. */
  readonly around: Around | undefined;
  /** How outputs are sampled whose truth costs too much everywhere; undefined where it never does. */
  readonly sampling: Sampling | undefined;
  /** A few tiles and a rest along each axis. */
  readonly ordinary: Sizes;
  /** Where precision is measured, with sums of n terms where an op has sums of any length. */
  readonly probes: (n: number) => readonly Probe[];
  /** The same for tensors stored in 16 bits. */
  readonly lowProbes: (n: number) => readonly Probe[];
  /** Further probes for 16-bit outputs: sums that are 0, so that the output is their error, and sums that float16 holds. */
  readonly cancelling: (n: number) => readonly Probe[];
  readonly independence: readonly Independence[];
  readonly padding: readonly Padding[];
  readonly symmetry: readonly Symmetry[];
  readonly scaling: readonly Scaling[];
  readonly shift: readonly Shift[];
  /** The inputs that a correct kernel may recompute instead of reading, or only compare with a limit. */
  readonly overlooked: readonly string[];
  /** The flat index of a number of an input on which some output depends; undefined where there is none. */
  readonly shown: (input: string, problem: Problem) => number | undefined;
  readonly unread: (problem: Problem) => Unread | undefined;
  /** How its fixture at scale is made; undefined where it has none. */
  readonly atScale: ScaleRow | undefined;
  /** Field → why it is empty. */
  readonly none: Readonly<Record<string, string>>;
}

type SizesOf<Size extends string> = { readonly [name in Size]: number | string };
type Probes<Size extends string, Output extends string> = (
  n: number,
) => readonly (Probe<Output> & { readonly sizes: SizesOf<Size> })[];

/** A row as it is written. */
export interface RowDeclaration<Op extends OpName, Size extends string> {
  /** One arbitrary for each size or choice. */
  readonly sizes: { readonly [name in Size]: fc.Arbitrary<number | string> };
  /** Whether sizes go together (NKV divides NH) and are small enough to run by the hundred. */
  readonly fits: ((sizes: Sizes) => boolean) | None;
  /** Profiles of made-up numbers that make sense for the op. */
  readonly profiles: readonly MadeUp[];
  /** Cases that always run first: awkward shapes that drawing might miss. */
  readonly examples: readonly { readonly sizes: SizesOf<NoInfer<Size>>; readonly profile?: MadeUp }[];
  /** The inputs; the same for the same case. Tensors that a forward leaves are computed from the inputs as stored in the dtype. */
  readonly build: (sizes: Sizes, profile: MadeUp, seed: number, dtype?: DTypeName) => RowProblem<Op>;
  readonly large: Large<NoInfer<Size>> | None;
  readonly around: Around<OutputOf<Op>> | None;
  readonly sampling: Sampling<OutputOf<Op>> | None;
  readonly ordinary: SizesOf<NoInfer<Size>>;
  readonly probes: Probes<NoInfer<Size>, OutputOf<Op>>;
  /** Replaces `probes` in 16 bits; none where those serve as well. */
  readonly lowProbes: Probes<NoInfer<Size>, OutputOf<Op>> | None;
  readonly cancelling: Probes<NoInfer<Size>, OutputOf<Op>> | None;
  readonly independence: readonly Independence<AxisOf<Op>, OutputOf<Op>, InputOf<Op>>[] | None;
  /** Axes that may be longer, with numbers that change no exact result. */
  readonly padding: readonly Padding<AxisOf<Op>, OutputOf<Op>, InputOf<Op>>[] | None;
  readonly symmetry: readonly Symmetry<AxisOf<Op>, OutputOf<Op>, InputOf<Op>>[] | None;
  readonly scaling: readonly Scaling<InputOf<Op> | NameIn<ScalarsOf<Op>>, OutputOf<Op>>[] | None;
  readonly shift: readonly Shift[] | None;
  readonly overlooked: readonly InputOf<Op>[] | None;
  /** None where the first number of each input shows. */
  readonly shown: ((input: string, problem: Problem) => number | undefined) | None;
  readonly unread: ((problem: Problem) => Unread | undefined) | None;
  readonly atScale: ScaleRow<InputOf<Op>, OutputOf<Op>, ScalarsOf<Op>, SizesOf<NoInfer<Size>>> | None;
}

/** The judge's row of one op and direction. */
export function judgeRow<const Op extends OpName, const Size extends string>(
  op: Op,
  declaration: RowDeclaration<Op, Size>,
): JudgeRow<Op, RowProblem<Op>> {
  const { sizes, profiles, examples, build, ordinary, probes, ...claims } = declaration;
  return {
    op,
    sizes,
    profiles,
    examples,
    build,
    ordinary,
    probes,
    fits: given<"fits">(claims.fits, () => true),
    ...(isNone(claims.large) ? { large: undefined } : { large: claims.large, tiling: tilingOf(claims.large.axes) }),
    around: isNone(claims.around) ? undefined : (claims.around as Around),
    sampling: isNone(claims.sampling) ? undefined : (claims.sampling as Sampling),
    lowProbes: given<"lowProbes">(claims.lowProbes, probes),
    cancelling: given<"cancelling">(claims.cancelling, () => []),
    independence: given<"independence">(claims.independence, []),
    padding: given<"padding">(claims.padding, []),
    symmetry: given<"symmetry">(claims.symmetry, []),
    scaling: given<"scaling">(claims.scaling, []),
    shift: given<"shift">(claims.shift, []),
    overlooked: given<"overlooked">(claims.overlooked, []),
    shown: given<"shown">(claims.shown, () => 0),
    unread: given<"unread">(claims.unread, () => undefined),
    atScale: isNone(claims.atScale) ? undefined : claims.atScale,
    none: reasons(claims),
  };
}

function given<Field extends keyof JudgeRow>(
  value: (JudgeRow[Field] & object) | None,
  without: JudgeRow[Field] & object,
): JudgeRow[Field] & object {
  return isNone(value) ? without : value;
}
