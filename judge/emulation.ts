// An op's outputs as they would be in each class of precision: the zoo's evaluations, computed in that class.
import { type DTypeName, type FormatName, formats, round, truncate } from "../reference/dtype.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import type { Inputs, Operation, Outputs } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import { isSource, type SourceClass } from "./sources.ts";
import { inPieces, type SplitClass } from "./readings.ts";
import { widen } from "./verdict.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { Float32Arithmetic, type Habits } from "../zoo/arithmetic.ts";

/**
 * float32: to nearest, in any order, functions erring as the target lets them. float32, truncating: towards zero. inputs:
 * the op's inputs, and all factors of products, are rounded or truncated to the format. operands: only factors that the op
 * computes itself are, such as P in a flash attention. intermediates: every number that passes from one step to the next is
 * rounded, finished sums included, partial sums not. accumulation: every partial sum is rounded to the format. outputs:
 * float32 except for the last rounding.
 */
export const precisionClasses = [
  "float32",
  "float32, truncating",
  "tf32 inputs",
  "bfloat16 inputs",
  "float16 inputs",
  "bfloat16x3 inputs",
  "tf32x3 inputs",
  "tf32 operands",
  "bfloat16 operands",
  "float16 operands",
  "bfloat16 intermediates",
  "float16 intermediates",
  "bfloat16 accumulation",
  "float16 accumulation",
  "tf32 outputs",
  "bfloat16 outputs",
  "float16 outputs",
] as const;
/** The classes that are always tried, and those with a single source. */
export type PrecisionClass = WholeClass | SourceClass;
export type WholeClass = (typeof precisionClasses)[number];

/** Inputs as sums of two numbers of a format, without the products of two small ones. */
export function isSplit(name: string): name is SplitClass {
  return name.endsWith("x3 inputs");
}

/** Ops whose outputs are linear in each input. */
const LINEAR = /^linear\.[a-z]+$/;
/** Ops that copy: numbers that are read low are stored low. */
const COPY = /^(embedding|cast)\.forward$/;
/** Ops whose outputs are each one sum of their inputs: nothing passes from one step to the next. */
const ONE_STEP = /^(linear|embedding|gradient-norm|add)\.[a-z]+$/;

/**
 * The classes that are tried for an op and dtype: a format that all numbers have anyway is not a class of inputs or outputs.
 * A tensor that passes between the parts of a fused op may enter a product in another format than the op's inputs.
 */
export function classesFor({ name: op }: Operation, dtype: DTypeName): readonly WholeClass[] {
  const own = ONE_STEP.test(op) ? "operands" : "(operands|intermediates)";
  const asked = {
    float64: /^$/,
    float32: op.includes("+")
      ? /^float32|inputs|operands|accumulation|outputs/
      : /^float32|inputs|accumulation|outputs/,
    bfloat16: new RegExp(`^float32|^bfloat16 ${own}|accumulation`),
    float16: new RegExp(`^float32|^float16 ${own}|accumulation|^bfloat16 (inputs|outputs)`),
  }[dtype];
  const isFitting = (name: WholeClass): boolean =>
    isSplit(name) ? LINEAR.test(op) && dtype === "float32" : !(COPY.test(op) && name.endsWith("inputs"));
  return precisionClasses.filter((name) => asked.test(name) && isFitting(name));
}

/** What is emulated: an op, by its correct evaluations. */
export interface Emulated {
  readonly operation: Operation;
  readonly evaluations: readonly Evaluation[];
  readonly target: Target;
  /** The dtype of its inputs and outputs; in 16 bits there are one-sided manners too, since only systematic errors show there. */
  readonly dtype: DTypeName;
}

interface Manner {
  readonly habits: Partial<Habits>;
  readonly inputs?: FormatName;
  readonly outputs?: FormatName;
}

const sequential: Partial<Habits> = { order: "sequential", fused: true };
const pairwise: Partial<Habits> = { order: "pairwise" };

function lowInputs(format: FormatName): Manner[] {
  return [
    { habits: { ...sequential, operands: format }, inputs: format },
    { habits: { ...pairwise, operands: format }, inputs: format },
    { habits: { ...pairwise, operands: format, narrowing: "truncating" }, inputs: format },
  ];
}

function lowOperands(format: FormatName): Manner[] {
  return [
    { habits: { ...sequential, operands: format } },
    { habits: { ...pairwise, operands: format } },
    { habits: { ...pairwise, operands: format, narrowing: "truncating" } },
  ];
}

/** Many, because each variant of the formula passes other numbers between its steps. */
function lowSteps(format: FormatName): Manner[] {
  return [sequential, pairwise, sequential, pairwise].map((order) => ({ habits: { ...order, intermediates: format } }));
}

function lowSums(format: FormatName): Manner[] {
  return [sequential, pairwise, { order: "strided" }, { order: "reversed" }].map((order) => ({
    habits: { ...(order as Partial<Habits>), accumulator: format },
  }));
}

function lowOutputs(format: FormatName): Manner[] {
  return [
    { habits: sequential, outputs: format },
    { habits: pairwise, outputs: format },
    { habits: { ...pairwise, narrowing: "truncating" }, outputs: format },
  ];
}

const manners: Readonly<Record<WholeClass, readonly Manner[]>> = {
  float32: [
    { habits: sequential },
    { habits: { order: "strided", functions: "random" } },
    { habits: { ...sequential, functions: "high" } },
  ],
  "float32, truncating": [
    { habits: { ...sequential, rounding: "truncating" } },
    { habits: { ...pairwise, rounding: "truncating" } },
  ],
  "tf32 inputs": lowInputs("tf32"),
  "bfloat16 inputs": lowInputs("bfloat16"),
  "float16 inputs": lowInputs("float16"),
  "bfloat16x3 inputs": [],
  "tf32x3 inputs": [],
  "tf32 operands": lowOperands("tf32"),
  "bfloat16 operands": lowOperands("bfloat16"),
  "float16 operands": lowOperands("float16"),
  "bfloat16 intermediates": lowSteps("bfloat16"),
  "float16 intermediates": lowSteps("float16"),
  "bfloat16 accumulation": lowSums("bfloat16"),
  "float16 accumulation": lowSums("float16"),
  "tf32 outputs": lowOutputs("tf32"),
  "bfloat16 outputs": lowOutputs("bfloat16"),
  "float16 outputs": lowOutputs("float16"),
};

/** Further manners of float32, for outputs in 16 bits, which hide all but systematic errors. */
const oneSided: Readonly<Partial<Record<WholeClass, readonly Manner[]>>> = {
  float32: [
    { habits: { ...sequential, functions: "low" } },
    { habits: { ...sequential, fused: false, functions: "high" } },
  ],
  "float32, truncating": [{ habits: { ...sequential, rounding: "away" } }],
};
/** Ops in which an exponential may multiply a sum repeatedly, how often depending on the variant. */
const RESCALING = /attention|cross-entropy/;

/** The `outputs` of one problem in each manner of a class, each with another evaluation of the op. */
export function emulate(
  { operation, evaluations, target, dtype }: Emulated,
  problem: Problem,
  name: WholeClass,
  seed: number,
  only: readonly string[],
): Outputs[] {
  if (isSplit(name)) return inPieces(operation, problem, name === "tf32x3 inputs" ? "tf32" : "bfloat16");
  // Sums of products err by what is lost of their factors, in any order.
  const [{ inputs: low }] = manners[name];
  if (low !== undefined && ONE_STEP.test(operation.name)) return exactlyLow(operation, problem, low);
  // A target that rounds to nearest has no truncating device; the class is emulated all the same.
  const device: Target =
    name === "float32, truncating" ? { ...target, u: Math.max(target.u, powerOfTwo(-23)) } : target;
  const usual = manners[name].map(
    (manner, i) => [manner, evaluations[Math.floor((i * evaluations.length) / manners[name].length)]] as const,
  );
  const others = dtype === "float32" ? [] : (oneSided[name] ?? []);
  const tried = RESCALING.test(operation.name) ? evaluations : evaluations.slice(0, 1);
  const more = tried.flatMap((evaluation) => others.map((manner) => [manner, evaluation] as const));
  // In the plain formula factors are cut off as they are; in another, times a scale.
  if (low !== undefined) more.push([manners[name].at(-1)!, evaluations[0]]);
  const inOrder = [...usual, ...more].map(([{ habits, inputs, outputs }, evaluation], i) => {
    const f = new Float32Arithmetic(device, {
      rounding: "nearest",
      order: "sequential",
      fused: false,
      flushes: target.flushes,
      functions: "exact",
      ...habits,
      seed: seed + 2 + i, // 0 and 1 are those of an adversary
    });
    const cut = habits.narrowing === "truncating";
    // Statistics stay float32 whatever the other inputs are.
    const given = inputs === undefined ? problem.inputs : narrowed(problem.inputs, inputs, cut, operation.wide);
    const got = evaluation.evaluate(f, given, problem.scalars, only);
    return outputs === undefined ? got : (narrowed(got, outputs, cut) as Outputs);
  });
  // A statistic that is read is not that of the low inputs, one that is computed again is; and a factor that a kernel computes may stay float32.
  return low === undefined ? inOrder : [...inOrder, ...exactlyLow(operation, problem, low)];
}

/** The functions of a kernel err as one evaluation's do: so many evaluations are tried with all of theirs at either end. */
const VARIANTS = 12;

/** The `outputs` of one problem in float32, in many variants of the formula, their functions erring by all that they may. */
export function everyFloat32(
  { operation, evaluations, target }: Emulated,
  problem: Problem,
  seed: number,
  only: readonly string[],
): Outputs[] {
  if (ONE_STEP.test(operation.name)) return [];
  const step = Math.ceil(evaluations.length / VARIANTS);
  return evaluations
    .filter((_, i) => i % step === 0)
    .flatMap((evaluation) =>
      (["low", "high"] as const).map((functions) => {
        const habits = { rounding: "nearest", fused: true, order: "sequential", flushes: target.flushes } as const;
        const f = new Float32Arithmetic(target, { ...habits, functions, seed: seed + 2 });
        return evaluation.evaluate(f, problem.inputs, problem.scalars, only);
      }),
    );
}

/** Whether each evaluation of a class is the formula itself of low numbers: its errors are the same in any order. */
export function isExact({ name: op }: Operation, name: PrecisionClass): boolean {
  return isSource(name) || (ONE_STEP.test(op) && name.endsWith(" inputs"));
}

/** The outputs of the formula itself, from inputs that are low. */
function exactlyLow(operation: Operation, { inputs, scalars }: Problem, format: FormatName): Outputs[] {
  return [false, true].map((cut) =>
    operation.evaluate(widen(narrowed(inputs, format, cut, operation.wide)), scalars, Float64Array),
  );
}

/** Tensors rounded or truncated to a format, except ids and those named in `except`. */
export function narrowed(tensors: Inputs, format: FormatName, cut: boolean, except: readonly string[] = []): Inputs {
  const to = (x: number): number => (cut ? truncate(x, formats[format]) : round(x, formats[format]));
  return Object.fromEntries(
    Object.entries(tensors).map(([name, t]): [string, Tensor<Floats | Ints>] => [
      name,
      t.data instanceof Int32Array || except.includes(name)
        ? t
        : { data: (t.data as Floats).map(to) as Floats, shape: t.shape },
    ]),
  );
}
