// At which share of the sampled elements of a fixture at a model's shapes an error of 1 % is seen: by the proof, by the second verdict, or by the measured precision.
//
// The precision class is a measurement on many elements: the root mean square of error ÷ allowance, next to what evaluations in float32 have on the same numbers. Two such figures
// within SPREAD² of each other count as one (judge/classify.ts). So an error of 1 % of elements like this one is seen if it is more than SPREAD² · their figure · its
// allowance, the larger of two evaluations of float32: rounded to nearest, and cut off.
import { type Lengths } from "../judge/at-scale.ts";
import { inOrder, outlierLimits } from "../judge/improbable/outliers.ts";
import { sizesOfSamples } from "../judge/improbable/samples.ts";
import { hasSigns, signedLimits } from "../judge/improbable/signs.ts";
import { roundsToNearest } from "../judge/improbable/sums.ts";
import { isDrawn, longestSum } from "../judge/improbable/suspicion.ts";
import { SPREAD } from "../judge/classify.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { INFLATION } from "../judge/compare.ts";
import { allowancesOf, declaredErrors, truth } from "../judge/verdict.ts";
import { problemOf } from "../golden/fixtures/scale.ts";
import { dtypes } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";
import { targets } from "../reference/targets.ts";
import { Float32Arithmetic } from "../zoo/arithmetic.ts";
import { evaluationsOf } from "../zoo/index.ts";

export type TargetName = keyof typeof targets;

/** Shares of the normal elements of one output. */
export interface Sight {
  readonly op: string;
  readonly output: string;
  readonly target: TargetName;
  readonly elements: number;
  readonly proof: number;
  /** By either. */
  readonly either: number;
  /** By the measured precision, if elements like it err so. */
  readonly measured: number;
  /** What the second verdict rests on: drawn signs, or what the other elements err; nothing where it does not apply. */
  readonly by: "signs" | "others" | "";
  /** The largest error of a correct evaluation as a share of what is plausible: below 1, or it would be accused. */
  readonly worst: number;
}

interface Sample {
  readonly at: number[];
  readonly want: number[];
  readonly errors: number[];
  /** Of an evaluation whose roundings cut off. */
  readonly cutErrors: number[];
  readonly allowed: Record<string, number[]>;
  /** By the signs, where the target rounds to nearest and the output has them. */
  readonly signed: Record<string, number[]>;
}

/** One op's fixture, judged for each target as sequential float32 rounded to nearest computes it. */
export function sightOf(op: string, lengths: Lengths, seed: number, names: readonly TargetName[]): Sight[] {
  const operation = operations.get(op)!;
  const scale = judgeRows.get(op)!.atScale!;
  const entry = scale.of(scale.sizes(lengths));
  const stored = entry.stored?.(seed) ?? {};
  const samples = new Map<string, Sample>();
  const [evaluation] = evaluationsOf(op);
  for (const part of entry.parts(seed)) {
    const { problem } = problemOf(operation, entry, part, seed, stored, targets.ieee);
    const only = Object.keys(part.outputs);
    const want = truth(operation, problem);
    const habits = {
      rounding: "nearest",
      order: "sequential",
      fused: false,
      flushes: false,
      functions: "exact",
    } as const;
    const isAsked = only.some((output) =>
      isDrawn(op, output, { profile: "scale" }, { target: targets.ieee, dtype: "float32" }),
    );
    const f = new Float32Arithmetic(targets.ieee, { ...habits, seed: 2 });
    const cutting = new Float32Arithmetic(targets.wgsl, { ...habits, rounding: "truncating", seed: 2 });
    const [got, cut] = [f, cutting].map((own) =>
      isAsked ? evaluation.evaluate(own, problem.inputs, problem.scalars, only) : want,
    );
    const bounds = names.map((name) => {
      const target = targets[name];
      const { errors } = problemOf(operation, entry, part, seed, stored, target);
      const declared = (given: Parameters<typeof declaredErrors>[0]) => declaredErrors(given, target);
      return part.bound?.(problem, target, declared) ?? allowancesOf(operation, problem, target, errors);
    });
    for (const [output, locate] of Object.entries(part.outputs)) {
      const near = names.filter((name) => hasSigns(op, output) && roundsToNearest(targets[name]));
      const limits = near.map((name) => [name, signedLimits(op, output, problem.inputs, targets[name])] as const);
      const into = samples.get(output) ?? { at: [], want: [], errors: [], cutErrors: [], allowed: {}, signed: {} };
      samples.set(output, into);
      for (const i of part.keep?.[output] ?? want[output].data.keys()) {
        into.at.push(locate!(i));
        into.want.push(want[output].data[i]);
        into.errors.push(Math.abs(got[output].data[i] - want[output].data[i]));
        into.cutErrors.push(Math.abs(cut[output].data[i] - want[output].data[i]));
        for (const [name, limit] of limits) (into.signed[name] ??= []).push(limit(i));
        names.forEach((name, n) => (into.allowed[name] ??= []).push(bounds[n][output].data[i] * INFLATION));
      }
    }
  }
  const longestOf = (output: string): number => longestSum(operation, entry.inputs, output);
  return [...samples].flatMap(([output, sample]) =>
    names.map((name) =>
      sightIn(
        op,
        output,
        name,
        sample,
        longestOf(output),
        widthOf(operation.outputs[output], entry.inputs, operation.inputs),
      ),
    ),
  );
}

function sightIn(op: string, output: string, name: TargetName, sample: Sample, longest: number, width: number): Sight {
  const { want, errors, cutErrors, allowed, signed } = sample;
  const target = targets[name];
  const bounds = allowed[name];
  const sizes = sizesOfSamples(sample.at, want, width);
  const isAsked = isDrawn(op, output, { profile: "scale" }, { target, dtype: "float32" });
  const bySigns = isAsked ? signed[name] : undefined;
  const others = [...want.keys()];
  const limits = !isAsked
    ? undefined
    : bySigns
      ? (n: number) => bySigns[n]
      : outlierLimits({
          want,
          errors,
          bounds,
          sizeAt: (n) => sizes[n],
          others,
          inOrder: inOrder(longest, target),
          dtype: "float32",
        })?.at;
  const ofFloat32 = Math.max(figureOf(errors, bounds), figureOf(cutErrors, bounds));
  let [elements, proof, either, measured, worst] = [0, 0, 0, 0, 0];
  for (const n of others) {
    const w = Math.abs(want[n]);
    if (!(w >= dtypes.float32.minNormal && bounds[n] < Infinity)) continue;
    const limit = limits?.(n) ?? Infinity;
    elements++;
    if (w / 100 > bounds[n]) proof++;
    if (w / 100 > Math.min(bounds[n], limit)) either++;
    if (w / 100 > Math.min(bounds[n], limit, SPREAD * SPREAD * ofFloat32 * bounds[n])) measured++;
    worst = Math.max(worst, errors[n] / limit);
  }
  const by = limits === undefined ? "" : bySigns ? "signs" : "others";
  const shares = { proof: proof / elements, either: either / elements, measured: measured / elements };
  return { op, output, target: name, elements, ...shares, by, worst };
}

/** The root mean square of error ÷ allowance. */
function figureOf(errors: readonly number[], bounds: readonly number[]): number {
  const shares = errors.map((error, n) => error / bounds[n]).filter(Number.isFinite);
  return Math.sqrt(shares.reduce((sum, share) => sum + share * share, 0) / shares.length);
}

/** The length of the last axis of an output. */
function widthOf(
  spec: string,
  inputs: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  specs: Readonly<Record<string, string>>,
): number {
  const last = spec.split(",").at(-1)!;
  for (const [name, axes] of Object.entries(specs)) {
    const k = axes.split(",").indexOf(last);
    if (k >= 0 && inputs[name] !== undefined) return inputs[name].shape[k];
  }
  return 1;
}

/** The targets of the table in docs/bounds.md. */
export const SHOWN: readonly TargetName[] = ["ieee", "cuda", "wgsl", "metal", "matrix-units"];

/**
 * Lines of that table. Throws Error where a correct evaluation is improbable. For each output the share that the proof sees, after an arrow what either verdict sees, and after another,
 * for targets that may truncate, with the measured precision.
 */
export function sightLines(op: string, lengths: Lengths): string[] {
  const found = sightOf(op, lengths, 1, SHOWN);
  if (!found.every(({ worst }) => worst <= 1)) throw new Error(`${op}: a correct evaluation is improbable`);
  return [...new Set(found.map(({ output }) => output))].map((output) => {
    const of = found.filter((one) => one.output === output);
    const words = [...new Set(of.map(({ by }) => by).filter((by) => by !== ""))].join(", ");
    const shares = of.map(({ proof, either, measured, by, target }) =>
      [proof, ...(by === "" ? [] : [either]), ...(by === "" || roundsToNearest(targets[target]) ? [] : [measured])]
        .map(percent)
        .join(" → "),
    );
    return `| ${[`${op} ${output}`, ...shares, words].join(" | ")} |`;
  });
}

const percent = (share: number): string => `${Math.floor(100 * share)} %`;
