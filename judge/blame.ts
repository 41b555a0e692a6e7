// Blame: which op of a recorded step is the first outside its bound.
//
// Each op is judged on its recorded inputs, so errors do not accumulate and a fault does not make later ops faulty. Where
// the recording omits a tensor, its exact value and its allowance are carried on as an input with an error, so that the
// smallest segment between recorded tensors is judged by the composed bound.
import { type DType, type DTypeName, dtypes, formats, round, ulp } from "../reference/dtype.ts";
import { type Inputs, type Operation, storageOf } from "../reference/operation.ts";
import { Arithmetic, gamma } from "../reference/rounding.ts";
import type { Target } from "../reference/targets.ts";
import { type Floats, type Ints, sizeOf, type Tensor, view } from "../reference/tensor.ts";
import type { Instance, Recorded } from "../trace/instance.ts";
import { traceTensor } from "../trace/names.ts";
import { compareOutput, type Finding } from "./compare.ts";
import { conclude, type Conclusion, type Proved } from "./conclusion.ts";
import type { Power } from "./power.ts";
import { recordedDType, type Recording } from "../trace/recording.ts";
import { countedFromTruth, endToEnd, type Known, shaped, termsOfNorm, widened } from "./known.ts";
import { withLengths } from "./sums.ts";
import { stepOps } from "./step-ops.ts";
import { roundScalars } from "./verdict.ts";

/**
 * An op whose recorded output is outside its bound.
 *
 * @example
 * ```ts
 * import { blame, type Fault } from "touchstone-llama/node";
 *
 * const culprit: Fault | undefined = blame("step.safetensors").faults[0];
 * ```
 */
export interface Fault {
  readonly op: string;
  /** Such as "layer 1, wq + rope of q": the ops since the last recorded tensors. */
  readonly segment: string;
  /** The recorded tensor that is outside. */
  readonly tensor: string;
  readonly finding: Finding;
  /** How many of its elements are outside. */
  readonly outside: number;
  readonly elements: number;
}

export interface Judged {
  readonly op: string;
  readonly segment: string;
  readonly tensor: string;
  readonly elements: number;
  readonly unjudged: number;
  readonly worst: number;
  /** How many ops its bounds are composed of, those since the last recorded tensors, and what they would have shown. */
  readonly ops: number;
  readonly power: Power;
}

/** An instance that could not be judged, because one of its inputs is neither recorded nor computed before it. */
export interface Left {
  readonly op: string;
  readonly where: string;
  /** The step of that tensor, counted from 0. */
  readonly step: number;
  readonly reason: string;
}

/**
 * The verdict on a recorded step.
 *
 * @example
 * ```ts
 * import { type Blame, blame } from "touchstone-llama/node";
 *
 * const { faults, judged, left }: Blame = blame("step.safetensors");
 * ```
 */
export interface Blame {
  /** In the order of execution; the first is the culprit. */
  readonly faults: readonly Fault[];
  readonly judged: readonly Judged[];
  /** Instances that were not offered to the judge, and why. */
  readonly left: readonly Left[];
  /**
   * "FAIL" if there are faults; "inconclusive" if there are none but too little was judged: no tensor, no element of some
   * tensor, or more than `allowUnjudged` of its elements without a finite bound, as where a step is NaN; or a bound that is composed of
   * three ops or more would have shown an error of 1 % at less than half of a tensor's elements.
   */
  readonly verdict: "pass" | "FAIL" | "inconclusive";
  /** What keeps the verdict from being conclusive, one line each; empty for "pass". */
  readonly reasons: readonly string[];
}

/** What has been found so far. */
export interface Found {
  readonly faults: Fault[];
  readonly judged: Judged[];
  readonly left: Left[];
}

/** Judges every instance of a step whose inputs are recorded or follow from recorded ones. */
export function blameInstances(
  instances: readonly Instance[],
  operations: ReadonlyMap<string, Operation>,
  recording: Recording,
  target: Target,
): Blame {
  const found: Found = { faults: [], judged: [], left: [] };
  for (const _ of blameSteps(instances, operations, recording, target, found));
  return { ...found, ...concludeBlame(found) };
}

/** The verdict on what was found: each judged tensor is a part. */
export function concludeBlame({ faults, judged }: Found, allow?: number, interrupted = false): Conclusion<Proved> {
  const parts = judged.map(({ tensor: name, elements: offered, unjudged, ...rest }) => {
    return { ...rest, name, offered, judged: offered - unjudged };
  });
  return conclude({ hasFindings: faults.length > 0, parts, allowUnjudged: allow, interrupted });
}

/** The same one instance after another, so that a signal may come between two; `found` grows. */
export function* blameSteps(
  instances: Iterable<Instance>,
  operations: ReadonlyMap<string, Operation>,
  recording: Recording,
  target: Target,
  { faults, judged, left }: Found,
): Generator<void> {
  const carried = new Map<string, Known>();
  const low = recordedDType(recording);
  const find = (recorded: Recorded): Known | undefined => {
    const found = recording.read(recorded.name);
    if (found !== undefined) return { value: view(found.tensor, recorded.shape), via: [] };
    const known = carried.get(recorded.name);
    return known === undefined ? undefined : shaped(known, recorded.shape);
  };

  for (const instance of instances) {
    yield;
    if (instance.ifRecorded && !isRecorded(instance, recording)) continue;
    const operation = stepOps.get(instance.op) ?? operations.get(instance.op)!;
    const inputs: Record<string, Known> = {};
    let missing: string | undefined;
    for (const [argument, recorded] of Object.entries(instance.inputs)) {
      const list = "name" in recorded ? [recorded] : recorded;
      const known = list.map(find);
      const gap = known.indexOf(undefined);
      if (gap >= 0) missing ??= list[gap].name;
      else inputs[argument] = known.length === 1 ? (known[0] as Known) : endToEnd(known as Known[]);
    }
    if (missing !== undefined) {
      const { step = 0 } = traceTensor(missing);
      left.push({ op: instance.op, where: instance.where, step, reason: `${missing} is not recorded` });
      continue;
    }
    if (instance.stage === "pass") for (const name in inputs) inputs[name] = asRead(name, inputs[name], target);
    const results = evaluate(operation, instance, inputs, target, sumStorage(recording, operation, instance, low));
    const via = [...new Set([...Object.values(inputs).flatMap((known) => known.via), placeOf(instance)])];
    for (const [name, recorded] of causesFirst(instance)) {
      const { value, error, terms } = results[name];
      const got = recording.read(recorded.name);
      if (got === undefined) {
        const known = stored(operation, name, { value, error, via, ...(terms && { terms }) }, low);
        const isOfNorm = instance.op === "rmsnorm.backward" && name === "dx";
        carried.set(recorded.name, isOfNorm ? { ...known, terms: termsOfNorm(inputs, known) } : known);
        continue;
      }
      const comparison = compareOutput(
        recorded.name,
        view(got.tensor as Tensor<Floats>, recorded.shape),
        { want: view(value, recorded.shape), allowed: view(error, recorded.shape) },
        { target, dtype: storageIn(recording, operation, name, instance, got, low) },
      );
      const segment = via.join(" + ");
      const { elements, unjudged, worst, outside, at, power } = comparison;
      const [tensor, ops] = [recorded.name, via.length];
      judged.push({ op: instance.op, segment, tensor, elements, unjudged, worst, ops, power });
      if (outside > 0 && at !== undefined) {
        faults.push({ op: instance.op, segment, tensor: recorded.name, finding: at, outside, elements });
      }
    }
  }
}

/** The outputs of an op; AdamW's moments before the weight that follows from them. */
function causesFirst({ op, outputs }: Instance): [string, Recorded][] {
  const isLast = (name: string): number => Number(op === "adamw.forward" && name === "w");
  return Object.entries(outputs).toSorted(([a], [b]) => isLast(a) - isLast(b));
}

/** Where an op is; clipping and AdamW are both at weights, so the op's name is added. */
export function placeOf({ op, where, stage }: Instance): string {
  return stage === "update" ? `${op.split(".")[0]} of ${where}` : where;
}

function isRecorded({ inputs, outputs }: Instance, { read }: Recording): boolean {
  const tensors = [...Object.values(inputs), ...Object.values(outputs)].flat();
  return tensors.every(({ name }) => read(name) !== undefined);
}

interface Result {
  readonly value: Tensor<Float64Array>;
  readonly error: Tensor<Float64Array>;
  readonly terms?: readonly Known[];
}

/** The exact outputs on these inputs, and how far a correct kernel may land. */
function evaluate(
  operation: Operation,
  instance: Instance,
  inputs: Readonly<Record<string, Known>>,
  target: Target,
  sumsIn: DTypeName,
): Readonly<Record<string, Result>> {
  if (operation.name === "add.forward") return { y: sum(inputs.a, inputs.b, target, dtypes[sumsIn]) };
  const values: Inputs = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, widened(value)]));
  const errors = Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { error }]) => (error === undefined ? [] : [[name, error]])),
  );
  const scalars = roundScalars(operation, instance.scalars);
  const outputs = operation.evaluate(values, scalars, Float64Array);
  const allowed = operation.bound(values, scalars, withLengths(target, operation, { inputs: values, scalars }), errors);
  return countedFromTruth(outputs, allowed);
}

/**
 * a + b; terms of sums that are not recorded are summed together, in an unknown order. Each of those sums was stored:
 * in a low format |round(s) − s| ≤ u·|s| + ½ · the smallest number, and s is at most the sum of magnitudes.
 */
function sum(a: Known, b: Known, target: Target, format: DType): Result {
  const arithmetic = new Arithmetic(target);
  const terms = [...(a.terms ?? [a]), ...(b.terms ?? [b])];
  const partialSums = format.name === "float32" ? 0 : terms.length - 2; // in float32 the bound of a sum has their roundings
  const growth = gamma(partialSums, format.u + target.u);
  const { shape } = a.value;
  const value = new Float64Array(sizeOf(shape));
  const error = new Float64Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const total = arithmetic.sum();
    for (const term of terms) total.add(term.value.data[i], term.error?.data[i] ?? 0);
    const result = total.total();
    value[i] = result.value;
    const most = result.error + growth * total.magnitude + partialSums * format.minSubnormal;
    error[i] = partialSums > 0 && !(total.magnitude + most <= format.max) ? Infinity : most; // some order overflows
  }
  return { value: { data: value, shape }, error: { data: error, shape }, terms };
}

/** Storage assumed for unrecorded partial sums: the same as for their total. */
function sumStorage(recording: Recording, operation: Operation, instance: Instance, low: DTypeName): DTypeName {
  const got = instance.outputs.y && recording.read(instance.outputs.y.name);
  return got === undefined ? low : storageIn(recording, operation, "y", instance, got, low);
}

/**
 * The dtype in which an output is judged: the one in which it is recorded. But a float32 tensor may have been computed in a
 * lower dtype and then widened, which is exact: the gradient of a float32 weight whose copy the passes read, or any tensor
 * where a library has no such dtype. So a tensor that the recording declares as low, or that a pass of mixed precision gives,
 * is judged in the lower dtype if every number is representable in it. Sums over micro-batches, and everything after them,
 * are judged in the dtype in which they are recorded.
 */
function storageIn(
  recording: Recording,
  operation: Operation,
  name: string,
  instance: Instance,
  got: { readonly tensor: Tensor<Floats | Ints>; readonly dtype: DTypeName },
  low: DTypeName,
): DTypeName {
  const widest = storageOf(operation, name, low);
  if (widest === "float32") return recording.dtype === undefined ? got.dtype : "float32";
  if (got.dtype !== "float32") return got.dtype;
  if (recording.dtype === undefined && instance.stage !== "pass" && instance.stage !== "cast") return "float32";
  return got.tensor.data.every((x) => Object.is(x, round(x, dtypes[widest]))) ? widest : "float32";
}

/** An input as the op read it: in a lower format if the recording's author declares that (`--store x=bfloat16`). */
function asRead(argument: string, known: Known, target: Target): Known {
  const declared = target.stores?.[argument];
  if (declared === undefined || known.value.data instanceof Int32Array) return known;
  const format = formats[declared];
  const { data, shape } = known.value;
  const error = Float64Array.from(data, (x, i) => {
    const e = known.error?.data[i] ?? 0;
    if (e === 0 && round(x, format) === x) return 0;
    return e + ulp(Math.abs(x) + e, format); // to either neighbour
  });
  return { ...known, error: { data: error, shape } };
}

/** A tensor that the recording omits was stored all the same: in the dtype of the recording, or wider. */
function stored(operation: Operation, name: string, known: Known & { readonly error: Tensor }, low: DTypeName): Known {
  const dtype = dtypes[storageOf(operation, name, low)];
  if (dtype.name === "float32") return known;
  const { value, error } = known;
  const widenedError = Float64Array.from(error.data, (e, i) => {
    const v = value.data[i];
    return Math.max(e, round(v + e, dtype) - v, v - round(v - e, dtype));
  });
  return { ...known, error: { data: widenedError, shape: error.shape } };
}
