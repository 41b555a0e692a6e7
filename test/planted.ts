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
import { type Comparing, roundProblem } from "../judge/verdict.ts";
import { dtypes, round } from "../reference/dtype.ts";
import { storageOf } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Target } from "../reference/targets.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";

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

/** Plants faults in the right outputs of each case, and judges each of them as a check would. */
export function plant({ operation, spec }: Chosen, { cases, places, target, dtype, sampling }: Plan): Planted[] {
  const counts = new Map<string, { places: number; missed: number }>();
  const said = new Map<string, Missed>();
  for (const c of cases) {
    const problem = roundProblem(operation, buildCase(spec, c, dtype), dtype);
    const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
    const manner = (isCounting: boolean): Comparing =>
      sampling === undefined
        ? comparing(spec, c, isCounting)
        : atSample(sampling, { seed: c.seed, counts: isCounting });
    const compare = manner(false)(operation, problem, { target, dtype });
    const counting = manner(true)(operation, problem, { target, dtype });
    for (const [output, { data, shape }] of Object.entries(right)) {
      const format = dtypes[storageOf(operation, output, dtype)];
      const got = { data: (data as Float32Array).map((x) => round(x, format)), shape };
      const { missed } = counting(output, got);
      const before = said.get(output);
      said.set(output, before === undefined ? missed! : sumOfMisses(before, missed!));
      for (const extent of faultExtents) {
        for (const kind of faultKinds) {
          const key = [output, extent, kind].join(" ");
          const count = counts.get(key) ?? { places: 0, missed: 0 };
          counts.set(key, count);
          for (let k = 0; k < places; k++) {
            const undo = spoil(got, drawPlace(shape, extent, key, c.seed, k), kind, nextOf(shape, extent), (x) =>
              round(x, format),
            );
            if (undo === undefined) continue;
            count.places++;
            if (compare(output, got).outside === 0) count.missed++;
            undo();
          }
        }
      }
    }
  }
  return Array.from(counts, ([key, { places: n, missed }]) => {
    const [output, extent, kind] = key.split(" ") as [string, FaultExtent, FaultKind];
    const { places: from } = said.get(output)![extent][kind];
    const name = `${operation.name} ${output}, ${extent} as ${kind}`;
    const probability = from === 0 ? 1 : chanceOf(said.get(output)!, extent, kind);
    return { name, extent, places: n, missed, said: probability, from };
  });
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

/** Makes the elements of a place wrong. Returns what makes them right again; undefined where none has changed. */
function spoil(
  { data }: Tensor,
  { length, index }: Place,
  kind: FaultKind,
  next: number,
  stored: (x: number) => number,
): (() => void) | undefined {
  const where = [...new Set(Array.from({ length }, (_, k) => index(k)))];
  const right = where.map((i) => data[i]);
  const wrong = where.map((i) => stored(faultyValue(kind, data[i], data[(i + next) % data.length])));
  if (wrong.every((x, k) => x === right[k] || Number.isNaN(x))) return undefined;
  for (const [k, i] of where.entries()) data[i] = wrong[k];
  return () => {
    for (const [k, i] of where.entries()) data[i] = right[k];
  };
}
