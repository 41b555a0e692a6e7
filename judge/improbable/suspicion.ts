// Elements that are within their bounds and yet err by more than is plausible: a second verdict, with a probability and without a proof.
//
// It is asked only of outputs that are sums over drawn numbers, of numbers that the judge itself has drawn independently, with even signs, full mantissas and
// ordinary sizes, and of kernels that declare nothing as stored low. Constant, sorted, cancelling or sparse numbers, scores of which most vanish, the user's own
// numbers and recorded ones are left to the proof: on these, correct kernels err in ways that no model of independent errors describes.
import { dtypes, ulp } from "../../reference/dtype.ts";
import { axesOf, type Operation } from "../../reference/operation.ts";
import type { Target } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { boundIn, indexOf } from "../compare.ts";
import type { Exact } from "../exact.ts";
import type { Profile } from "../profile.ts";
import type { Plausible } from "../missed.ts";
import { estimateOf, Scales } from "../suspects.ts";
import type { Terms } from "../terms.ts";
import { inOrder, type Limits, outlierLimits } from "./outliers.ts";
import { hasSigns, isAverage, type LimitAt, signedLimits } from "./signs.ts";
import { roundsToNearest } from "./sums.ts";
import { MOST_TESTS, RUN, TAU } from "./tail.ts";

/** An element that errs by more than a correct kernel plausibly does. */
export interface Suspicion {
  readonly output: string;
  readonly index: readonly number[];
  readonly got: number;
  readonly want: number;
  /** What it may err by, but for the probability of one test. */
  readonly limit: number;
  readonly bound: number;
  /** signs: as a sum of products with drawn signs. others: next to what the other elements err. */
  readonly by: "signs" | "others";
}

/** How many elements were held to such limits, how many are beyond, and the worst of them. */
export interface Improbable {
  readonly tests: number;
  readonly beyond: number;
  readonly worst?: Suspicion;
}

/** What is known of the sums of one output. */
export interface Sums {
  /** Not fewer than the terms of any. */
  readonly longest: number;
  /** How far elements may err by the signs that were drawn, on a target that rounds to nearest; undefined where an output is no such sum. */
  readonly signed: ((target: Target) => LimitAt) | undefined;
  /** By how many additions `sizeAt` says what is not worth a closer look; 1 where that is not one number for all. */
  readonly additions: number;
}

/** Inputs by name, of which the shapes count. */
type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;

/** One output of a problem. */
export interface Given {
  readonly sums: Sums;
  readonly output: string;
  readonly shape: readonly number[];
  /** What the candidate gave at each of the elements, and √Σt² there, roughly: see `sizesIn`. */
  readonly got: ArrayLike<number>;
  readonly sizeAt: (n: number) => number;
  /** The dtype is that of the output. */
  readonly terms: Terms;
}

const DRAWN: ReadonlySet<Profile> = new Set<Profile>(["unit", "small-scores", "scale"]);
/** Sums whose bounds grow far beyond what kernels err. All other outputs are left to their bounds, which see errors of 1 % at a model's size. */
const SUMS: Readonly<Record<string, readonly string[]>> = {
  "linear.forward": ["y"],
  "linear.backward": ["dx", "dw"],
  "attention.forward": ["y"],
  "attention.backward": ["dq", "dk", "dv"],
  "rmsnorm.backward": ["dx", "dw"],
  "softmax.backward": ["dx"],
};
/** A sum is looked at closely where its error is this share of what `sizeAt` says that the limit is. */
const CLOSER = 0.3;
/** Of so many sums it is asked what they may plausibly err by, which takes as long as their terms are many; and of so many averages, whose weights take longer. */
const ASKED = 256;
const ASKED_AVERAGES = 32;

/** Whether this verdict says something of an output of an op, on numbers of a problem and under terms. */
export function isDrawn(op: string, output: string, { profile }: Pick<Problem, "profile">, { target }: Terms): boolean {
  const isSum = SUMS[op]?.includes(output) ?? false;
  return isSum && profile !== undefined && DRAWN.has(profile) && Object.keys(target.stores ?? {}).length === 0;
}

/** The size of a sum's terms from a tensor like it: the root mean squares of its row and column. */
export function sizesIn(like: Tensor, { dtype }: Terms): (i: number) => number {
  let scales: Scales | undefined;
  return (i) => (scales ??= new Scales(like, dtypes[dtype])).at(i)[1];
}

/** Holds elements with truth and bound to the limits; `others`, places in the lists, were drawn without looking at their errors. */
export function improbableIn(given: Given, { at, want, allowed }: Exact, others: readonly number[]): Improbable {
  const { output, shape, got, terms } = given;
  const format = dtypes[terms.dtype];
  const bounds = new Float64Array(at.length).map((_, n) => boundIn(want[n], allowed[n], format));
  const errors = new Float64Array(at.length).map((_, n) => Math.abs(got[n] - want[n]));
  const held = limitsFor(given, { at, want, allowed }, others, errors, bounds);
  let [tests, beyond, most] = [0, 0, 0];
  let worst: Suspicion | undefined;
  for (let n = 0; n < at.length; n++) {
    if (!(bounds[n] < Infinity && Number.isFinite(want[n]))) continue;
    tests += held.length;
    // What is beyond its bound is a finding of the proof.
    if (!(errors[n] <= bounds[n])) continue;
    const found = held
      .filter(({ limits }) => errors[n] > limits.least(n))
      .map(({ limits, by }) => ({ limit: limits.at(n), by }))
      .filter(({ limit }) => errors[n] > limit);
    if (found.length === 0) continue;
    beyond++;
    const { limit, by } = found.reduce((a, b) => (b.limit < a.limit ? b : a));
    if (!(errors[n] / limit > most)) continue;
    most = errors[n] / limit;
    worst = { output, index: indexOf(at[n], shape), got: got[n], want: want[n], limit, bound: bounds[n], by };
  }
  return { tests, beyond, ...(worst && { worst }) };
}

/** What elements of an output may plausibly err by: some are asked, and others estimated from these by their scale. Undefined where nothing is said. */
export function plausibleOf(
  given: Given,
  exact: Exact,
  others: readonly number[],
  scales: Scales,
): Plausible | undefined {
  const { got, terms } = given;
  const { at, want, allowed } = exact;
  const format = dtypes[terms.dtype];
  const bounds = new Float64Array(at.length).map((_, n) => boundIn(want[n], allowed[n], format));
  const errors = new Float64Array(at.length).map((_, n) => Math.abs(got[n] - want[n]));
  const held = limitsFor(given, exact, others, errors, bounds);
  if (held.length === 0) return undefined;
  const most = given.sums.additions > 1 ? ASKED : ASKED_AVERAGES;
  const [bySigns, byOthers] = (["signs", "others"] as const).map((by) => {
    const limits = held.find((one) => one.by === by)?.limits;
    if (limits === undefined) return () => Infinity;
    const step = by === "others" ? 1 : Math.max(1, Math.floor(others.length / most));
    const asked = new Map<number, number>();
    for (let k = 0; k < others.length; k += step) asked.set(at[others[k]], limits.at(others[k]));
    let estimate: ((i: number) => number) | undefined; // made for the first element that was not asked for
    const estimated = (): ((i: number) => number) => {
      // Where some elements are held to no limit, it is not known which of the others are.
      const isEach = [...asked.values()].every((limit) => limit < Infinity);
      return isEach ? estimateOf(scales, [...asked.keys()], (i) => asked.get(i)!) : () => Infinity;
    };
    return (i: number): number => asked.get(i) ?? (estimate ??= estimated())(i);
  });
  return { limit: (i) => Math.min(bySigns(i), byOthers(i)), bySigns };
}

/** What each element may plausibly err by: nothing, one limit, or two that are two tests. */
function limitsFor(
  { sums: { longest, signed, additions }, terms, sizeAt }: Given,
  { at, want }: Exact,
  others: readonly number[],
  errors: Float64Array,
  bounds: Float64Array,
): readonly { readonly limits: Limits; readonly by: Suspicion["by"] }[] {
  const { target, dtype } = terms;
  const format = dtypes[dtype];
  const ofOthers = (): Limits | undefined =>
    // τ u √n √Σt² is no less than the bound, about n u √n √Σt²
    longest > TAU
      ? outlierLimits({ want, errors, bounds, sizeAt, others, inOrder: inOrder(longest, target), dtype })
      : undefined;
  if (signed === undefined || !roundsToNearest(target)) {
    const limits = ofOthers();
    return limits === undefined ? [] : [{ limits, by: "others" }];
  }
  const limitAt = signed(target);
  const limits: Limits = {
    least: (n) => Math.max(CLOSER * TAU * dtypes.float32.u * Math.sqrt(additions) * sizeAt(n), ulp(want[n], format)),
    at: (n) => boundIn(want[n], limitAt(at[n]), format),
  };
  // Of averages of few terms what the weights may err by is more than what others err; products leave little to these.
  const besides = additions > 1 ? undefined : ofOthers();
  return [{ limits, by: "signs" }, ...(besides === undefined ? [] : [{ limits: besides, by: "others" as const }])];
}

/** Of an output of an op; `signed` is asked where its sums have drawn signs. */
export function sumsWith(op: string, output: string, longest: number, signed: (target: Target) => LimitAt): Sums {
  const additions = isAverage(op, output) ? 1 : longest;
  return { longest, additions, signed: hasSigns(op, output) ? signed : undefined };
}

/** Of an output of a problem. */
export function sumsOf(operation: Operation, { inputs }: Problem, output: string): Sums {
  const { name: op } = operation;
  const longest = longestSum(operation, inputs, output);
  return sumsWith(op, output, longest, (target) => signedLimits(op, output, inputs, target));
}

/** The outputs that sum along their rows alone, however many rows there are: of short ones the truth may cancel, as dx of an rmsnorm of one number does. */
const ALONG_ROWS: ReadonlySet<string> = new Set(["rmsnorm.backward dx", "softmax.backward dx"]);

/** Not fewer than the terms of any sum of an output: the longest axis, times the query heads of a key head. */
export function longestSum(
  { name: op, inputs: specs }: Pick<Operation, "name" | "inputs">,
  inputs: Shapes,
  output: string,
): number {
  if (ALONG_ROWS.has(`${op} ${output}`)) return inputs.dy.shape.at(-1)!;
  const lengths = new Map<string, number>();
  for (const [name, spec] of Object.entries(specs)) {
    axesOf(spec).forEach((axis, k) => lengths.set(axis, inputs[name].shape[k]));
  }
  const most = [...lengths.values()].reduce((a, b) => Math.max(a, b), 1);
  const [heads = 1, shared = heads] = [lengths.get("NH"), lengths.get("NKV")];
  return shared > 0 ? (most * heads) / shared : most;
}

const sizeOf = ({ got, want, limit }: Suspicion): number => Math.abs(got - want) / limit;

/** The worst element of each output that has one, the worst first. */
export function suspicionsIn({
  comparisons,
}: {
  readonly comparisons: readonly { readonly improbable?: Improbable }[];
}) {
  return comparisons.flatMap(({ improbable }) => improbable?.worst ?? []).toSorted((a, b) => sizeOf(b) - sizeOf(a));
}

/** Such as "y[0,65]: got 0.5, want 0.4999, off by 1e-4 where a correct kernel is off by more than 2e-6 with a probability of 9e-19". */
export function improbableInWords({ output, index, got, want, limit, bound, by }: Suspicion): string {
  const error = Math.abs(got - want).toPrecision(2);
  const [most, within] = [limit.toPrecision(2), bound.toPrecision(2)];
  const whose =
    by === "signs"
      ? "a correct kernel that rounds to nearest"
      : "a correct kernel that errs elsewhere as this one does";
  const chance = (RUN / MOST_TESTS).toPrecision(1);
  return `${output}[${index.join(",")}]: got ${got}, want ${want}, off by ${error} and within its bound ${within}; ${whose} is off by more than ${most} with a probability of ${chance}`;
}
