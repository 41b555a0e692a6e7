// Faults planted at random places of large outputs: how many the judge misses, and how many it says that it would.
import { buildCase, comparing } from "../judge/campaign.ts";
import type { Case } from "../judge/case.ts";
import type { Chosen } from "../judge/choose.ts";
import {
  chanceOf,
  type FaultExtent,
  faultExtents,
  type FaultKind,
  faultKinds,
  faultyValue,
  type Missed,
  type Place,
  placesOf,
  sumOfMisses,
} from "../judge/missed.ts";
import { atSample, type Sampling } from "../judge/sampled.ts";
import { allowancesOf, type Compared, type Comparing, roundProblem, truth } from "../judge/verdict.ts";
import { dtypes, round } from "../reference/dtype.ts";
import { storageOf } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Target } from "../reference/targets.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { Sight } from "./planted-sight.ts";

/** One output, one extent, one kind of fault: how many places had one, and at how many it was missed. */
export interface Planted {
  readonly name: string;
  readonly extent: FaultExtent;
  readonly places: number;
  readonly missed: number;
  /** The probability that the judge says, and from how many places it has it. */
  readonly said: number;
  readonly from: number;
}

interface Plan {
  readonly cases: readonly Case[];
  /** Faults of each extent and kind in each output of each case. */
  readonly places: number;
  readonly target: Target;
  readonly dtype: "float32" | "bfloat16" | "float16";
  /** Takes the truth at this sample only, whatever the case would cost. */
  readonly sampling?: Sampling;
}

/** One in so many of the faults whose outcome is sure is judged all the same. */
const ONE_IN = 100;

/**
 * Plants faults in the right outputs of each case, and judges each of them as a check would. One that is surely seen, or
 * surely not, is judged now and then only: throws Error where the judge says otherwise.
 */
export function plant(chosen: Chosen, plan: Plan): Planted[] {
  const counts = new Map<string, { places: number; missed: number }>();
  const said = new Map<string, Missed>();
  for (const c of plan.cases) {
    for (const one of outputsOf(chosen, c, plan)) {
      const { missed } = one.counting(one.got);
      const before = said.get(one.output);
      said.set(one.output, before === undefined ? missed! : sumOfMisses(before, missed!));
      for (const extent of faultExtents) {
        for (const kind of faultKinds) {
          const key = [one.output, extent, kind].join(" ");
          const count = counts.get(key) ?? { places: 0, missed: 0 };
          const more = plantOne(one, { extent, kind, key, seed: c.seed, places: plan.places });
          counts.set(key, { places: count.places + more.places, missed: count.missed + more.missed });
        }
      }
    }
  }
  return Array.from(counts, ([key, { places: n, missed }]) => {
    const [output, extent, kind] = key.split(" ") as [string, FaultExtent, FaultKind];
    const { places: from } = said.get(output)![extent][kind];
    const name = `${chosen.operation.name} ${output}, ${extent} as ${kind}`;
    const probability = from === 0 ? 1 : chanceOf(said.get(output)!, extent, kind);
    return { name, extent, places: n, missed, said: probability, from };
  });
}

/** A right output, and how faults in it are judged. */
interface Ready {
  readonly output: string;
  readonly got: Tensor;
  readonly stored: (x: number) => number;
  /** Undefined where every fault has to be judged: at a sample. */
  readonly sight: Sight | undefined;
  readonly judge: (got: Tensor) => Compared;
  /** The same, with what the judge says that it misses. */
  readonly counting: (got: Tensor) => Compared;
}

function outputsOf({ operation, spec }: Chosen, c: Case, { target, dtype, sampling }: Plan): Ready[] {
  const problem = roundProblem(operation, buildCase(spec, c, dtype), dtype);
  const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, target)];
  const right = Object.fromEntries(
    Object.entries(operation.evaluate(problem.inputs, problem.scalars, Float32Array)).map(
      ([output, { data, shape }]) => {
        const format = dtypes[storageOf(operation, output, dtype)];
        return [output, { data: (data as Float32Array).map((x) => round(x, format)), shape }];
      },
    ),
  );
  const manner = (isCounting: boolean): Comparing =>
    sampling === undefined ? comparing(spec, c, isCounting) : atSample(sampling, { seed: c.seed, counts: isCounting });
  const compare = manner(false)(operation, problem, { target, dtype });
  const counting = manner(true)(operation, problem, { target, dtype });
  return Object.entries(right).map(([output, got]) => {
    const own = { target, dtype: storageOf(operation, output, dtype) };
    const stored = (x: number): number => round(x, dtypes[own.dtype]);
    const all = (given: Tensor): Record<string, Tensor> => ({ ...right, [output]: given });
    const judge = (given: Tensor): Compared => compare(output, given, all(given));
    const expected = { want: want[output], allowed: allowed[output] };
    const sight = sampling === undefined ? new Sight(got, expected, own, judge(got).unsampled > 0) : undefined;
    return { output, got, stored, sight, judge, counting: (given) => counting(output, given, all(given)) };
  });
}

interface Faults {
  readonly extent: FaultExtent;
  readonly kind: FaultKind;
  readonly key: string;
  readonly seed: number;
  readonly places: number;
}

function plantOne(
  { got, stored, sight, judge, output }: Ready,
  { extent, kind, key, seed, places }: Faults,
): { readonly places: number; readonly missed: number } {
  const { data, shape } = got;
  const next = nextOf(shape, extent);
  let [planted, missed] = [0, 0];
  for (let k = 0; k < places; k++) {
    const { length, index } = drawPlace(shape, extent, key, seed, k);
    const where = [...new Set(Array.from({ length }, (_, n) => index(n)))];
    const right = where.map((i) => data[i]);
    const wrong = where.map((i) => stored(faultyValue(kind, data[i], data[(i + next) % data.length])));
    if (wrong.every((x, n) => x === right[n] || Number.isNaN(x))) continue;
    planted++;
    const isSeen = sight?.isSeen(where, wrong);
    if (isSeen === false) missed++;
    if (isSeen !== undefined && k % ONE_IN !== 0) continue;
    for (const [n, i] of where.entries()) data[i] = wrong[n];
    const isMissed = judge(got).outside === 0;
    for (const [n, i] of where.entries()) data[i] = right[n];
    if (isSeen === isMissed) {
      const words = (was: boolean): string => (was ? "missed" : "seen");
      throw new Error(
        `${output} from ${where[0]}, ${extent} as ${kind}: ${words(isMissed)}, expected ${words(!isMissed)}`,
      );
    }
    if (isSeen === undefined && isMissed) missed++;
  }
  return { places: planted, missed };
}

/**
 * Whether what was observed contradicts what was said, at 99.9 %: two shares, each with its own error. What is said of a row or a
 * tile is an upper limit, and so is a probability of which no case was seen.
 */
export function contradicts(list: readonly Planted[]): boolean {
  const { misses, expected, variance, limits } = list.reduce(
    (sum, { extent, places, missed, said, from }) => {
      const own = said * (1 - said);
      const ofSaid = extent === "hundredth" || from === 0 ? 0 : (places * places * own) / from;
      const isLimit = extent !== "element" || said * from <= NONE_SEEN;
      return {
        misses: sum.misses + missed,
        expected: sum.expected + places * said,
        variance: sum.variance + places * own + ofSaid,
        limits: sum.limits + (isLimit ? places * said : 0),
      };
    },
    { misses: 0, expected: 0, variance: 0, limits: 0 },
  );
  const width = 3.29 * Math.sqrt(variance) + 2;
  return misses - expected > width || expected - limits - misses > width;
}

/** A probability is said as this ÷ places, at least, where none was missed. */
const NONE_SEEN = 3;

function nextOf(shape: readonly number[], extent: FaultExtent): number {
  return extent === "hundredth" ? 1 : placesOf(shape)[extent].next;
}

function drawPlace(shape: readonly number[], extent: FaultExtent, key: string, seed: number, k: number): Place {
  const stream = streamOf(`planted ${key}`);
  if (extent === "hundredth") {
    const n = sizeOf(shape);
    const own = streamOf(`planted ${key} ${k}`);
    return { length: Math.ceil(n / 100), index: (j) => integer(seed, own, j, n) };
  }
  const { count, at } = placesOf(shape)[extent];
  return count === 0 ? { length: 0, index: () => 0 } : at(integer(seed, stream, k, count));
}
